"""A message that could not be taken in, with its bytes and why (topic `mail.dead-letters`)."""

import msgspec


class DeadLetter(msgspec.Struct, kw_only=True, frozen=True):
    """`payload` are the original bytes, base64 on the wire. `id` is `source@offset`, so repeats can be dropped."""

    id: str
    topic: str
    source: str
    partition: int
    offset: int
    time_ms: int
    reason: str
    payload: bytes
