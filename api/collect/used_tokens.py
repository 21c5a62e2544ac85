"""Tokens of webhooks that came before: refused for as long as their signature would be taken. Pure.

Where a signature covers a token and not the event, as Mailgun's does, who sees one request can send other events with
its signature. Mailgun: "cache the token value locally and not honor any subsequent request with the same token"
(https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks). The same request once more is a
provider that did not hear our answer: that is answered again, and not kept again.
"""

from hashlib import blake2b
from typing import Literal

from api.collect.signature import AHEAD_S, SignatureError

#: Tokens of each of two spans of time that are remembered; some 100 bytes each.
MOST = 500_000


class UsedTokens:
    """Remembers tokens for `lifetime_s` (s) and for at most twice that, the last `most` of each such span."""

    def __init__(self, lifetime_s: float, most: int = MOST) -> None:
        self._lifetime_s = lifetime_s + AHEAD_S
        self._most = most
        #: By the hash of a token that of its body: of this span, and of the one before.
        self._now: dict[int, int] = {}
        self._before: dict[int, int] = {}
        self._began_s: float | None = None
        self._busy: set[int] = set()

    def take(self, token: str, body: bytes, now_s: float) -> Literal["new", "again", "busy"]:
        """Whether the request is new, which it is until `settle`, the same one again, or one that is being kept.

        `now_s` is epoch seconds.

        Raises:
            SignatureError: its token came with another body.
        """
        if self._began_s is None or now_s - self._began_s >= self._lifetime_s:
            self._turn(now_s)
        key, said = _hash(token.encode("utf-8", "surrogatepass")), _hash(body)
        known = self._now.get(key, self._before.get(key))
        if known is None:
            if len(self._now) >= self._most:
                self._turn(now_s)
            self._now[key] = said
            self._busy.add(key)
            return "new"
        if known != said:
            raise SignatureError("its token came before, with another body")
        return "busy" if key in self._busy else "again"

    def settle(self, token: str, *, kept: bool) -> None:
        """A new request was kept; or it was not, and may come again."""
        key = _hash(token.encode("utf-8", "surrogatepass"))
        self._busy.discard(key)
        if not kept:
            self._now.pop(key, None)
            self._before.pop(key, None)

    def _turn(self, now_s: float) -> None:
        self._before, self._now, self._began_s = self._now, {}, now_s


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
