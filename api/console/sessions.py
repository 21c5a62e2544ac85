"""Who is signed in: sessions in the memory of this process, and links that sign in once.

A session ends when it was not used for a while, after some hours in any case, and as soon as its key is no longer good,
which is looked up with each request. A process that is started again knows no session. Belongs to one event loop.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from api.http.keys import OPERATOR, KeyOwner
from api.http.scopes import SCOPES

#: So many sessions at once; the one that was used longest ago gives way.
MOST = 10_000
#: A link is good for so long, in ms.
LINK_MS = 24 * 3_600_000
#: Who signs in with a link of a terminal: whoever reads that terminal could as well run any command there.
TERMINAL = KeyOwner(id="terminal", customer=OPERATOR, label="terminal", scopes=SCOPES)


@dataclass(frozen=True, slots=True)
class Session:
    """Of whom, by which key (its hash; empty where it was none), with the token that each form must send; since when
    and last used when (epoch ms)."""

    owner: KeyOwner
    key_hash: str
    csrf: str
    began_ms: int
    used_ms: int


class Sessions:
    """All of them. `clock` is epoch ms; the other times are ms."""

    def __init__(self, clock: Callable[[], int], idle_ms: int, longest_ms: int) -> None:
        self._clock = clock
        self._idle_ms = idle_ms
        self._longest_ms = longest_ms
        #: By the hash of the token: what is in memory signs nobody in.
        self._known: OrderedDict[str, Session] = OrderedDict()
        self._links: dict[str, int] = {}

    def begin(self, owner: KeyOwner, key_hash: str) -> str:
        """A new session. Returns its token."""
        now_ms, token = self._clock(), secrets.token_urlsafe(32)
        self._known[_hash(token)] = Session(owner, key_hash, secrets.token_urlsafe(32), now_ms, now_ms)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return token

    def find(self, token: str, *, used: bool = True) -> Session | None:
        """The session of a token, if it is good still; what a page asks for by itself is not use."""
        name, now_ms = _hash(token), self._clock()
        session = self._known.get(name)
        if session is None:
            return None
        if now_ms - session.used_ms >= self._idle_ms or now_ms - session.began_ms >= self._longest_ms:
            del self._known[name]
            return None
        if used:
            session = self._known[name] = replace(session, used_ms=now_ms)
            self._known.move_to_end(name)
        return session

    def end(self, token: str) -> None:
        """Sign out."""
        self._known.pop(_hash(token), None)

    def end_key(self, key_hash: str) -> None:
        """Sign out everybody who came with a key."""
        for name in [name for name, session in self._known.items() if session.key_hash == key_hash]:
            del self._known[name]

    def link(self) -> str:
        """The token of a new link."""
        token = secrets.token_urlsafe(32)
        self._links[_hash(token)] = self._clock()
        return token

    def follow(self, token: str) -> str | None:
        """The token of the session that a link begins; None for one that was used, is too old, or is none."""
        made_ms = self._links.pop(_hash(token), None)
        if made_ms is None or self._clock() - made_ms >= LINK_MS:
            return None
        return self.begin(TERMINAL, "")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
