"""Keys of the HTTP interface: made, found, revoked. A key is shown once; the store holds only its hash.

A key carries 256 random bits, so nobody can guess it from its hash: one round of SHA-256 is enough. A slow
hash (scrypt, Argon2) protects secrets that people choose, and here would only make every request slow.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

import msgspec

from api.http.scopes import SCOPES, Scope, checked
from schemas.errors import InvalidInputError
from schemas.event import MAX_CUSTOMER_BYTES
from schemas.names import BadNameError, clean_name
from schemas.times import utc_time
from streams.io.store import Store, StoreError

#: The customer of an operator's key.
OPERATOR = ""
KEY_FORMAT = re.compile(r"rmk_[A-Za-z0-9_-]{43}")
#: Hexadecimal digits of the hash by which people name a key.
ID_LENGTH = 16
#: So many keys are read ahead, and how long it is until all are read again, in s.
AHEAD, AHEAD_S = 50_000, 60.0
NEVER = datetime.fromtimestamp(0, UTC)

_COLUMNS = """
SELECT key_hash, customer, label, scopes, toUnixTimestamp64Micro(created) / 1e6, toUnixTimestamp64Micro(expires) / 1e6,
    replaces, revoked, toUnixTimestamp64Micro(updated) / 1e6
FROM api_keys FINAL
"""
SELECT_KEYS = f"{_COLUMNS} WHERE startsWith(key_hash, {{start:String}}) ORDER BY created, key_hash"
SELECT_GOOD = f"{_COLUMNS} WHERE NOT revoked LIMIT {{most:UInt32}}"
SELECT_THESE = f"{_COLUMNS} WHERE key_hash IN {{hashes:Array(String)}}"
#: Changes with each key that is written, and when versions of a key are merged.
STATE = "SELECT groupBitXor(cityHash64(key_hash, updated)) FROM api_keys"


LAST_USES = "SELECT key_hash, toInt64(toUnixTimestamp(max(updated))) * 1000 FROM api_key_uses GROUP BY key_hash"


Answer = TypeVar("Answer")


class ApiKeyError(InvalidInputError):
    """A key cannot be made or revoked as asked; the message says why."""


class NoSuchKeyError(ApiKeyError):
    """There is no key of this id."""


class KeyOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose key it is, and what it may do; `customer` is '' for an operator. `id` names the key and cannot be used as
    one. It is good until `expires_ms` (epoch ms); 0 is for ever.
    """

    id: str
    customer: str
    label: str
    scopes: tuple[Scope, ...] = ("read",)
    expires_ms: int = 0

    @property
    def is_operator(self) -> bool:
        """Whether the key may ask about every customer."""
        return self.customer == OPERATOR

    def is_over(self, now: int) -> bool:
        """Whether the key has expired at `now` (epoch ms)."""
        return 0 < self.expires_ms <= now


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `api_keys`. Times are UTC; `expires` is 1970 for a key that is good for ever, `replaces` the id of the
    key that it was made for in `rotate`.
    """

    key_hash: str
    customer: str
    label: str
    scopes: tuple[Scope, ...] = ("read",)
    created: datetime
    expires: datetime = NEVER
    replaces: str = ""
    revoked: bool
    updated: datetime

    @property
    def owner(self) -> KeyOwner:
        """The key's owner, without the hash."""
        return KeyOwner(
            id=self.key_hash[:ID_LENGTH],
            customer=self.customer,
            label=self.label,
            scopes=self.scopes,
            expires_ms=round(self.expires.timestamp() * 1000),
        )


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """A key that replaces another: the new key, which cannot be shown again, the owner that both have, and until when
    the old one is good (epoch ms)."""

    key: str
    owner: KeyOwner
    old: KeyOwner
    old_until_ms: int


def create_key(
    store: Store,
    customer: str,
    label: str,
    now: int,
    scopes: Iterable[str] = ("read",),
    expires_ms: int = 0,
) -> str:
    """Make a key for `customer` (`OPERATOR` for one that may ask about every customer), at `now` (epoch ms). It is good
    until `expires_ms` (epoch ms); 0 is for ever.

    Returns the key, which is stored nowhere and cannot be shown again.

    Raises:
        ApiKeyError: the customer's name is blank but not empty, too long, or holds a control character; or the key is
            expired already.
        ScopeError: a scope that it cannot have.
        StoreError: the store failed.
    """
    allowed = checked(scopes, operator=customer == OPERATOR)
    if 0 < expires_ms <= now:
        raise ApiKeyError("a key must not expire before it is made")
    if customer != OPERATOR and not (customer := _clean(customer)):
        raise ApiKeyError("a customer's name must not be blank")
    if len(customer.encode()) > MAX_CUSTOMER_BYTES:
        raise ApiKeyError(f"a customer's name has at most {MAX_CUSTOMER_BYTES} bytes")
    key, at = new_key(), utc_time(now)
    _write(
        store,
        StoredKey(
            key_hash=hash_of(key),
            customer=customer,
            label=label,
            scopes=allowed,
            created=at,
            expires=utc_time(expires_ms),
            revoked=False,
            updated=at,
        ),
    )
    return key


def rotate(store: Store, which: str, grace_ms: int, now: int, may: Collection[Scope] = SCOPES) -> Rotated:
    """Make a key in place of another, at `now` (epoch ms): of the same owner, with the same scopes and good for as long
    as that was. The old one, which `which` names as in `revoke`, is good for `grace_ms` from now on, if it was to be.
    Who rotates a key gets to know one, so it must not have more than the scopes that they `may` give.

    Raises:
        ApiKeyError: no key, or more than one, is meant by `which`, or one that is no longer good.
        StoreError: the store failed. The old key is then as it was.
    """
    old = _the_one(store, which)
    if old.revoked or old.owner.is_over(now):
        raise ApiKeyError("this key is no longer good, so that nothing can replace it; make another")
    if not set(old.scopes) <= set(may):
        raise ApiKeyError(f"this key may do more than you may: {', '.join(old.scopes)}")
    key, at = new_key(), utc_time(now)
    lasts = at + (old.expires - old.created) if old.owner.expires_ms else NEVER
    new = msgspec.structs.replace(
        old, key_hash=hash_of(key), created=at, expires=lasts, replaces=old.owner.id, updated=at
    )
    _write(store, new)
    until = at + timedelta(milliseconds=grace_ms)
    until = min(old.expires, until) if old.owner.expires_ms else until
    _write(store, msgspec.structs.replace(old, expires=until, updated=_after(old, now)))
    return Rotated(key=key, owner=new.owner, old=old.owner, old_until_ms=round(until.timestamp() * 1000))


def find(store: Store, presented: str) -> KeyOwner | None:
    """The owner of a presented key; None for what is no key, not ours, or revoked. One that has expired is found.

    Raises:
        StoreError: the store failed.
    """
    if not KEY_FORMAT.fullmatch(presented):
        return None
    wanted = hash_of(presented)
    for key in _stored(store, wanted):
        # The store looked the hash up, not the key: how long that took says nothing about any key.
        if hmac.compare_digest(key.key_hash, wanted) and not key.revoked:
            return key.owner
    return None


def key_named(store: Store, name: str) -> StoredKey | None:
    """The key of a whole id, if it is not revoked; it may be over.

    Raises:
        StoreError: the store failed.
    """
    found = _stored(store, name) if len(name) == ID_LENGTH else []
    return found[0] if len(found) == 1 and not found[0].revoked else None


def list_keys(store: Store) -> list[StoredKey]:
    """All keys, revoked ones too, oldest first.

    Raises:
        StoreError: the store failed.
    """
    return _stored(store, "")


def last_uses(store: Store) -> dict[str, int]:
    """When each key was last used, to the minute (epoch ms), by hash; of those that were.

    Raises:
        StoreError: the store failed.
    """
    return {str(key_hash): int(used) for key_hash, used in store.rows(LAST_USES)}


def revoke(store: Store, which: str, now: int) -> KeyOwner:
    """Refuse a key from `now` (epoch ms) on; `which` is the key or its id. Repeating it changes nothing.

    A running interface may know the key for another second (`api.http.key_lookups`).

    Raises:
        ApiKeyError: no key, or more than one, is meant by `which`.
        StoreError: the store failed.
    """
    key = _the_one(store, which)
    if not key.revoked:
        _write(store, msgspec.structs.replace(key, revoked=True, updated=_after(key, now)))
    return key.owner


def key_id(key: str) -> str:
    """The id of a key, by which people name it."""
    return hash_of(key)[:ID_LENGTH]


class Found(NamedTuple):
    """What the store says of some keys: a number that changes with the table, and the owners of good keys by hash."""

    state: int
    owners: Mapping[str, KeyOwner]


class StoredKeys:
    """Whose keys are and when they were used, for `KeyLookups`: over a connection of its own, which is opened when it
    is needed. For one thread at a time.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open = open_store
        self._store: Store | None = None
        #: Of the table when all keys were read, and when they may be read again (monotonic s).
        self._state, self._again_s = 0, 0.0

    def look_up(self, hashes: Sequence[str]) -> Found:
        """What the store says of keys with these hashes; and of all others, if they are not too many, once in a while
        after a key was made or revoked: so that not each is asked for one by one.

        Raises:
            StoreError: the store failed.
        """
        # The state first: a change in between shows the next time.
        ((state,),) = self._asked(lambda store: store.rows(STATE))
        found = self._asked(lambda store: _rows(store, SELECT_THESE, {"hashes": list(hashes)}))
        if state != self._state and time.monotonic() >= self._again_s:
            ahead = self._asked(lambda store: _rows(store, SELECT_GOOD, {"most": AHEAD + 1}))
            found = [*found, *ahead] if len(ahead) <= AHEAD else found
            self._state, self._again_s = int(state), time.monotonic() + AHEAD_S
        return Found(int(state), {key.key_hash: key.owner for key in found if not key.revoked})

    def record_uses(self, uses: Mapping[str, int]) -> None:
        """Store when keys were last used (epoch ms), by hash.

        Raises:
            StoreError: the store failed.
        """
        if uses:
            times = [utc_time(ms) for ms in uses.values()]
            self._asked(lambda store: store.insert("api_key_uses", {"key_hash": list(uses), "updated": times}))

    def close(self) -> None:
        """Give the connection back."""
        opened, self._store = self._store, None
        if opened is not None:
            opened.close()

    def _asked(self, ask: Callable[[Store], Answer]) -> Answer:
        self._store = self._store or self._open()
        try:
            return ask(self._store)
        except StoreError:
            self.close()
            raise


def _clean(customer: str) -> str:
    try:
        return clean_name(customer)
    except BadNameError as error:
        raise ApiKeyError(f"the customer's name {error}") from error


def new_key() -> str:
    """A key that nobody can guess."""
    return f"rmk_{secrets.token_urlsafe(32)}"


def _the_one(store: Store, which: str) -> StoredKey:
    start = hash_of(which) if KEY_FORMAT.fullmatch(which) else which
    if len(start) < ID_LENGTH:
        raise ApiKeyError(f"name the key itself or its id of {ID_LENGTH} digits")
    found = _stored(store, start)
    if not found:
        raise NoSuchKeyError("no such key")
    if len(found) > 1:
        raise ApiKeyError("more than one key has this id")
    return found[0]


def _after(key: StoredKey, now: int) -> datetime:
    """Of two versions the later `updated` wins, so it must be later even where this clock is behind."""
    return max(utc_time(now), key.updated + timedelta(microseconds=1))


def hash_of(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def _stored(store: Store, start: str) -> list[StoredKey]:
    return _rows(store, SELECT_KEYS, {"start": start})


def _rows(store: Store, sql: str, parameters: Mapping[str, object]) -> list[StoredKey]:
    rows = store.rows(sql, parameters)
    # The driver gives times without a zone, so they are read as epoch seconds; convert makes those UTC.
    return [
        msgspec.convert(dict(zip(StoredKey.__struct_fields__, row, strict=True)), StoredKey, strict=False)
        for row in rows
    ]


def _write(store: Store, key: StoredKey) -> None:
    store.insert("api_keys", {field: [getattr(key, field)] for field in StoredKey.__struct_fields__})
