"""A message that could not be taken in, or its bad records, with the bytes and why (topic `mail.dead-letters`)."""

import msgspec


class DeadLetter(msgspec.Struct, kw_only=True, frozen=True):
    """`payload` are the original bytes of what is bad, base64 on the wire. `id` is `source@offset`, so repeats can be
    dropped."""

    id: str
    topic: str
    source: str
    partition: int
    offset: int
    time_ms: int
    reason: str
    payload: bytes
