"""What could not be read, as the store keeps it: looked through, summed up by reason, found by id."""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from schemas.errors import InvalidInputError
from streams.io.store import Store

#: So many characters of an id, or of a short id, are wanted to name a letter.
LEAST_ID = 4
PAGE = 10_000
SHOWN_CANDIDATES = 5

#: `short` is made from the id, so it names the same letter for ever. In `masked` every number is N, unless it is part
#: of a name (UTF-8), and so is the number of a character (U+202E): what goes wrong in the same way at many places then
#: reads the same.
LETTERS = """
SELECT
    topic, source, position, toUnixTimestamp64Milli(dead_letters.time) AS time_ms, reason, length(payload) AS size,
    concat(source, '@', toString(position)) AS id,
    lower(substring(hex(sipHash128(id)), 1, 12)) AS short,
    ifNull(last_ms, 0) AS replayed_ms, ifNull(last_by, '') AS replayed_by,
    replaceRegexpAll(
        reason, '(U[+])[0-9A-F]{4,6}|(^|[^A-Za-z0-9_-])-?[0-9]+(?:[.,:T-][0-9]+)*', '\\\\1\\\\2N'
    ) AS masked
FROM dead_letters FINAL
LEFT JOIN
(
    SELECT
        topic, source, position, toUnixTimestamp64Milli(max(time)) AS last_ms,
        argMax(dead_letter_replays.replayed_by, time) AS last_by
    FROM dead_letter_replays
    GROUP BY topic, source, position
) AS replays USING (topic, source, position)
WHERE
    ({topic:String} = '' OR topic = {topic:String})
    AND dead_letters.time >= fromUnixTimestamp64Milli({since_ms:Int64})
    AND (position(reason, {reason:String}) > 0 OR position(masked, {reason:String}) > 0)
"""
NEWEST = f"""
{LETTERS}
    AND (time_ms, source, position) < ({{before_ms:Int64}}, {{before_source:String}}, {{before_position:Int64}})
ORDER BY time_ms DESC, source DESC, position DESC LIMIT {{limit:UInt32}}
"""
NEXT = f"""
{LETTERS}
    AND dead_letters.time <= fromUnixTimestamp64Milli({{until_ms:Int64}})
    AND ({{again:Bool}} OR replayed_ms = 0)
    AND (time_ms, source, position) > ({{after_ms:Int64}}, {{after_source:String}}, {{after_position:Int64}})
ORDER BY time_ms, source, position LIMIT {{limit:UInt32}}
"""
NAMED = f"""
{LETTERS}
    AND (startsWith(id, {{which:String}}) OR startsWith(short, lower({{which:String}})))
ORDER BY id = {{which:String}} DESC, time_ms DESC LIMIT {{limit:UInt32}}
"""
SUMMARY = f"""
SELECT
    topic, masked, count() AS letters, countIf(replayed_ms > 0), max(time_ms) AS last, argMax(short, (time_ms, short))
FROM ({LETTERS})
GROUP BY topic, masked ORDER BY letters DESC, last DESC, masked LIMIT {{limit:UInt32}}
"""  # noqa: S608 - put together from constants
#: May bring more than was asked for: each source with each position. Base64, since the driver reads text as UTF-8.
PAYLOADS = """
SELECT concat(source, '@', toString(position)), base64Encode(payload) FROM dead_letters FINAL
WHERE topic IN {topics:Array(String)} AND source IN {sources:Array(String)} AND position IN {positions:Array(Int64)}
"""
REPLAYS = """
SELECT toUnixTimestamp64Milli(time), replayed_by, mended, forced FROM dead_letter_replays FINAL
WHERE topic = {topic:String} AND source = {source:String} AND position = {position:Int64} ORDER BY time
"""


class DeadLetterError(InvalidInputError):
    """No dead letter, or more than one, is meant; the message says which."""


class NoSuchLetterError(DeadLetterError):
    """There is none of this id."""


class Letter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One dead letter without its bytes. Times are epoch ms; `replayed_ms` is 0 where it was never sent again.

    `id` is `source@position` as in the dead-letter topic, `short` 12 hex digits made from it.
    """

    topic: str
    source: str
    position: int
    time_ms: int
    reason: str
    size: int
    id: str
    short: str
    replayed_ms: int
    replayed_by: str
    masked: str


class LetterReason(msgspec.Struct, frozen=True, kw_only=True):
    """How many letters of a topic have one reason; numbers in it are N. `example` is the last one's short id."""

    topic: str
    reason: str
    letters: int
    replayed: int
    last_ms: int
    example: str


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a letter was sent again: when (epoch ms), by whom, and whether mended or forced."""

    time_ms: int
    by: str
    mended: bool
    forced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which letters are meant: of a topic, with a text in the reason (as it is, or with its numbers as N), not older
    than an epoch time in ms."""

    topic: str = ""
    reason: str = ""
    since_ms: int = 0


ALL = Chosen()
#: Later than any letter.
LATEST = (2**62, "", 0)


def newest(store: Store, chosen: Chosen, limit: int, before: tuple[int, str, int] = LATEST) -> list[Letter]:
    """The latest letters, newest first; those before a time (epoch ms), source and position.

    Raises:
        StoreError: the store failed.
    """
    before_ms, source, position = before
    bounds: dict[str, object] = {"before_ms": before_ms, "before_source": source, "before_position": position}
    return _letters(store, NEWEST, chosen, limit=limit, **bounds)


def summary(store: Store, chosen: Chosen, limit: int) -> list[LetterReason]:
    """The reasons by their number of letters, the most frequent first.

    Raises:
        StoreError: the store failed.
    """
    rows = store.rows(SUMMARY, {**_parameters(chosen), "limit": limit})
    return [msgspec.convert(dict(zip(LetterReason.__struct_fields__, row, strict=True)), LetterReason) for row in rows]


def oldest_first(store: Store, chosen: Chosen, until_ms: int, *, again: bool) -> Iterator[Letter]:
    """All letters up to a time (epoch ms) in the order they came, read page by page; with `again` also those that
    were replayed before.

    Raises:
        StoreError: the store failed.
    """
    after = {"after_ms": 0, "after_source": "", "after_position": -1}
    while page := _letters(store, NEXT, chosen, until_ms=until_ms, again=again, limit=PAGE, **after):
        yield from page
        last = page[-1]
        after = {"after_ms": last.time_ms, "after_source": last.source, "after_position": last.position}


def letter_named(store: Store, which: str) -> Letter:
    """The letter that an id, a short id or a unique prefix of one of them names.

    Raises:
        NoSuchLetterError: none is meant.
        DeadLetterError: more than one, or too few characters were given.
        StoreError: the store failed.
    """
    if len(which) < LEAST_ID:
        raise DeadLetterError(f"{which!r}: give at least {LEAST_ID} characters of a dead letter's id")
    found = _letters(store, NAMED, ALL, which=which, limit=SHOWN_CANDIDATES)
    if not found:
        raise NoSuchLetterError(f"there is no dead letter {which}")
    if len(found) > 1 and found[0].id != which:
        candidates = ", ".join(each.short for each in found)
        raise DeadLetterError(f"more than one dead letter is named {which}...: {candidates}")
    return found[0]


def payloads(store: Store, letters: Sequence[Letter]) -> dict[str, bytes]:
    """The original bytes by letter id; a letter that is no longer stored is left out.

    Raises:
        StoreError: the store failed.
    """
    wanted = {
        "topics": sorted({each.topic for each in letters}),
        "sources": sorted({each.source for each in letters}),
        "positions": sorted({each.position for each in letters}),
    }
    ids = {each.id for each in letters}
    return {name: b64decode(payload) for name, payload in store.rows(PAYLOADS, wanted) if name in ids}


def replays(store: Store, letter: Letter) -> list[Replay]:
    """When and by whom the letter was sent again, the first time first.

    Raises:
        StoreError: the store failed.
    """
    where = {"topic": letter.topic, "source": letter.source, "position": letter.position}
    rows = store.rows(REPLAYS, where)
    return [msgspec.convert(dict(zip(Replay.__struct_fields__, row, strict=True)), Replay) for row in rows]


def _letters(store: Store, sql: str, chosen: Chosen, **more: object) -> list[Letter]:
    rows = store.rows(sql, {**_parameters(chosen), **more})
    return [Letter(**dict(zip(Letter.__struct_fields__, row, strict=True))) for row in rows]


def _parameters(chosen: Chosen) -> dict[str, object]:
    return {"topic": chosen.topic, "reason": chosen.reason, "since_ms": chosen.since_ms}
