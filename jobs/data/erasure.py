"""Erasing a customer or a recipient: rows of the store are removed, and a receipt says how many, and what remains."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from jobs.data.erasure_plan import (
    CUSTOMER,
    ERASED,
    RECIPIENT,
    Erasure,
    bound,
    change_sql,
    count_sql,
    customer_values,
    project_sql,
    purge_sql,
    recipient_values,
)
from jobs.data.fault import StoredDataError
from schemas.event import MailEvent
from schemas.times import MINUTE_MS, utc_now_ms, utc_time
from schemas.wording import age
from streams.adapt.canonical import domain_of, hash_recipient
from streams.intake.refusals import customer_hash, stream_hash
from streams.io.store import Store
from streams.subjects.fresh_starts import first_minute

ALERT_IDS = """
SELECT DISTINCT JSONExtractString(event, 'data', 'alert_id') FROM alerts WHERE customer = {name:String}
"""
KEY_HASHES = "SELECT DISTINCT key_hash FROM api_keys WHERE customer = {name:String}"
#: Where a recipient refused mail: hashes of refusals are made of these.
STREAMS = "SELECT DISTINCT customer, stream FROM events WHERE recipient_hash IN {hashes:Array(String)}"
#: Actions of the hook on a customer, as they stand.
ACTIONS = """
SELECT DISTINCT action FROM hook_actions FINAL
WHERE customer = {name:String} AND mode = 'act' AND state NOT IN {over:Array(String)} ORDER BY action
"""
DEAD_LETTERS = "SELECT count() FROM dead_letters WHERE position(payload, {name:String}) > 0"
POLICIES = "SELECT count() FROM policies WHERE position(text, {quoted:String}) > 0"
#: Parts of a table: how many hide rows, and how many are without the projection.
PARTS = """
SELECT countIf(has_lightweight_delete), countIf(NOT has(projections, {projection:String})) FROM system.parts
WHERE database = currentDatabase() AND table = {table:String} AND active
"""
#: Sums by the hour that an erasure before had made anew: how many files are left to do, and since when (epoch s).
BEING_SUMMED = """
SELECT sum(parts_to_do), toUnixTimestamp(min(create_time)) FROM system.mutations
WHERE database = currentDatabase() AND table = {table:String} AND NOT is_done AND parts_to_do > 0
AND position(command, concat('MATERIALIZE PROJECTION ', {projection:String})) > 0
"""
#: The files that the engine is at: for how long (s), and which part of each is done.
AT_WORK = """
SELECT elapsed, progress FROM system.merges
WHERE database = currentDatabase() AND table = {table:String} AND is_mutation
"""
LAST_JUDGED = "SELECT toUnixTimestamp64Milli(toDateTime64(max(updated), 3, 'UTC')) FROM standings"
LAST_SHOWN = f"{LAST_JUDGED} WHERE customer = {{name:String}}"
SUBJECT_BYTES = 16
#: A monitor judges everybody every ten minutes: one that wrote nothing for longer does not run.
UNJUDGED_MS = 15 * MINUTE_MS
#: How long a judgement may last that does not know yet of a fresh start, in s; and how often it is looked for one that
#: does.
TAKEN_UP_S, LOOK_S = 5.0, 1.0


class ErasedTable(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one table that are about the erased one, before and after. Rows that are also about others are kept and
    `rewritten` without the name."""

    table: str
    action: Literal["deleted", "rewritten"]
    before: int
    after: int


class ErasureReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased: `subject` is a keyed hash of the name or the address, which stands nowhere in it. Times are
    epoch ms, UTC. `remains` says what is left elsewhere, and until when."""

    kind: Literal["customer", "recipient"]
    subject: str
    by: str
    why: str
    dry_run: bool
    began_ms: int
    ended_ms: int
    tables: tuple[ErasedTable, ...]
    remains: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows it is about."""
        return sum(each.before for each in self.tables)

    @property
    def is_complete(self) -> bool:
        """Whether nothing of it is left in the tables."""
        return not any(each.after for each in self.tables)


def erase_customer(
    store: Store,
    name: str,
    *,
    key: str,
    over: Sequence[str],
    by: str,
    why: str,
    dry_run: bool,
    forgotten_s: float,
    wait: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = lambda _: None,
    finish: bool = True,
) -> ErasureReceipt:
    """Erase a customer from every table. `over` are the states of a measure of the hook that is in force no more.
    Without `finish` its counts are hidden from every reader and still in the files: `finish_erasure` is due.

    Rows go part by part, and a monitor that judged by what is left of them would see rates that never were. So the
    customer is first judged afresh, and nothing goes before the monitor has shown that it was; where that changes
    nothing that is shown, not before `forgotten_s`, which is how long a monitor keeps figures in memory. What it wrote
    meanwhile goes last. Where no monitor runs nothing is waited for.

    Raises:
        StoredDataError: no name is given, or the hook still acts on the customer.
        StoreError: the store failed; the same may be asked again, and goes on.
    """
    check_erasable(store, name, over)
    ids, hashes = ([str(value) for (value,) in store.rows(sql, {"name": name})] for sql in (ALERT_IDS, KEY_HASHES))
    values = customer_values(name, ids, hashes)
    began_ms = utc_now_ms()
    before = _counted(store, CUSTOMER, values)
    if not dry_run:
        rows = before
        if any(before) and _judged_lately(store, began_ms):
            _begin_anew(store, name, by, began_ms)
            say(f"a monitor runs: waiting until it judges nobody by what is erased, for at most {forgotten_s:g} s")
            _wait_until_judged(store, name, utc_now_ms(), forgotten_s, wait)
            fresh = [each.table == "fresh_starts" for each in CUSTOMER]
            _change(store, CUSTOMER, values, [0 if kept else found for kept, found in zip(fresh, before, strict=True)])
            wait(TAKEN_UP_S)
            rows = _counted(store, CUSTOMER, values)
        if said := waited_for(store, utc_now_ms()):
            say(said)
        _change(store, CUSTOMER, values, rows)
        if finish:
            finish_erasure(store)
    return ErasureReceipt(
        kind="customer",
        subject=subject_of(name, key),
        by=by,
        why=why,
        dry_run=dry_run,
        began_ms=began_ms,
        ended_ms=utc_now_ms(),
        tables=_tables(CUSTOMER, before, _counted(store, CUSTOMER, values)),
        remains=tuple(_left_of_customer(store, values)),
    )


def check_erasable(store: Store, name: str, over: Sequence[str]) -> None:
    """That a customer may be erased.

    Raises:
        StoredDataError: no name is given, or the hook still acts on the customer.
        StoreError: the store failed.
    """
    if not name:
        raise StoredDataError("customer: is empty")
    in_force = [str(action) for (action,) in store.rows(ACTIONS, {"name": name, "over": list(over)})]
    if in_force:
        raise StoredDataError(
            f"customer {name!r}: the hook acts on it ({', '.join(in_force)}); lift that first, or nothing would"
        )


def finish_erasure(store: Store) -> None:
    """Write the files anew in which counts of customers are hidden, and have the sums by the hour made again that went
    with them. Of several customers once, after the last: while the engine makes these sums, which nothing ends, an
    erasure waits for it.

    Raises:
        StoreError: the store failed; the next erasure does it.
    """
    for each in CUSTOMER:
        if not each.projection:
            continue
        hiding, without = map(int, store.rows(PARTS, {"table": each.table, "projection": each.projection})[0])
        if hiding:
            store.run(purge_sql(each, _cluster(store)))
        if without:
            store.run(project_sql(each, _cluster(store)))


def waited_for(store: Store, now_ms: int) -> str:
    """What an erasure of a customer will wait for, since the engine does not end it, and about how long; empty where
    that is nothing.

    Raises:
        StoreError: the store failed.
    """
    for each in CUSTOMER:
        if not each.projection:
            continue
        parts, since_s = map(int, store.rows(BEING_SUMMED, {"table": each.table, "projection": each.projection})[0])
        if parts:
            left_s = max((_left_s(*map(float, row)) for row in store.rows(AT_WORK, {"table": each.table})), default=0.0)
            long = f", about {age(left_s)}" if left_s else ""
            return (
                f"sums of {each.table} are still made again after an erasure {age(now_ms / 1000 - since_s)} ago "
                f"({parts:,} files left): waiting for the files that the engine is at{long}; it ends none that it began"
            )
    return ""


def _left_s(elapsed_s: float, progress: float) -> float:
    """How much longer a file takes, if it goes on as before (s); 0 where that is not known."""
    return elapsed_s * (1 - progress) / progress if 0 < progress < 1 else 0.0


def erase_recipient(store: Store, address: str, *, key: str, by: str, why: str, dry_run: bool) -> ErasureReceipt:
    """Erase what is stored of a recipient: the address as it is given, and with its local part in small letters.

    Raises:
        StoredDataError: it is no address, or there is no key of hashes.
        StoreError: the store failed; the same may be asked again, and goes on.
    """
    address = address.strip()
    if not domain_of(address) or not address.rpartition("@")[0]:
        raise StoredDataError(f"recipient: {address!r} is no address such as ann@example.com")
    if not key:
        raise StoredDataError(
            "ingest.hash_key: is not set, and recipients are stored under hashes made with it; give that of `ingest`"
        )
    hashes = sorted({hash_recipient(each, key.encode()) for each in (address, address.lower())})
    refusals = [
        number
        for customer, stream in store.rows(STREAMS, {"hashes": hashes})
        for each in hashes
        for refused in (_refusal(str(customer), str(stream), each),)
        for number in (stream_hash(refused), customer_hash(refused))
    ]
    values = recipient_values(address, hashes, sorted(set(refusals)))
    began_ms = utc_now_ms()
    before = _counted(store, RECIPIENT, values)
    if not dry_run:
        _change(store, RECIPIENT, values, before)
    return ErasureReceipt(
        kind="recipient",
        subject=hash_recipient(address, key.encode())[: 2 * SUBJECT_BYTES],
        by=by,
        why=why,
        dry_run=dry_run,
        began_ms=began_ms,
        ended_ms=utc_now_ms(),
        tables=_tables(RECIPIENT, before, _counted(store, RECIPIENT, values)),
        remains=(
            "counts, and hashes of messages and event ids, name no recipient and stay",
            "alerts and their notifications show answers of hosts with addresses masked",
        ),
    )


def subject_of(name: str, key: str) -> str:
    """By what a customer that was erased is on record: who knows the name and the key finds it again."""
    return blake2b(name.encode(), key=key.encode()[:64], digest_size=SUBJECT_BYTES, person=b"erased").hexdigest()


def _refusal(customer: str, stream: str, recipient_hash: str) -> MailEvent:
    return MailEvent(id="-", customer=customer, type="complained", time=0, stream=stream, recipient_hash=recipient_hash)


def _judged_lately(store: Store, now_ms: int) -> bool:
    return int(store.rows(LAST_JUDGED)[0][0]) > now_ms - UNJUDGED_MS


def _begin_anew(store: Store, name: str, by: str, now_ms: int) -> None:
    since = utc_time(first_minute(now_ms) * 1000)
    row = {"customer": name, "decided": utc_time(now_ms), "since": since, "who": by, "why": ERASED}
    store.insert("fresh_starts", {column: [value] for column, value in row.items()})


def _wait_until_judged(
    store: Store, name: str, since_ms: int, forgotten_s: float, wait: Callable[[float], None]
) -> None:
    """Until a judgement is shown that began after `since_ms` (epoch ms) and so knows of the fresh start, or nothing of
    before it can be in memory any more. A judgement that does not know of it may be under way, so at least for as long
    as one takes."""
    wait(TAKEN_UP_S)
    waited_s = TAKEN_UP_S
    while waited_s < forgotten_s and int(store.rows(LAST_SHOWN, {"name": name})[0][0]) < since_ms:
        wait(LOOK_S)
        waited_s += LOOK_S


def _counted(store: Store, plan: Sequence[Erasure], values: Mapping[str, Any]) -> list[int]:
    return [int(store.rows(count_sql(each), bound(each.where, values))[0][0]) for each in plan]


def _change(store: Store, plan: Sequence[Erasure], values: Mapping[str, Any], rows: Sequence[int]) -> None:
    """Erase, where `rows` says that there are any: to find nothing takes the engine as long as to find some."""
    cluster = _cluster(store)
    for each, found in zip(plan, rows, strict=True):
        if found:
            for sql in change_sql(each, cluster):
                store.run(sql, bound(sql, values))


def _cluster(store: Store) -> str:
    return f"ON CLUSTER {store.settings.cluster}" if store.settings.cluster else ""


def _tables(plan: Sequence[Erasure], before: Sequence[int], after: Sequence[int]) -> tuple[ErasedTable, ...]:
    return tuple(
        ErasedTable(table=each.table, action="rewritten" if each.assignments else "deleted", before=old, after=new)
        for each, old, new in zip(plan, before, after, strict=True)
    )


def _left_of_customer(store: Store, values: Mapping[str, Any]) -> Iterator[str]:
    if letters := int(store.rows(DEAD_LETTERS, {"name": values["name"]})[0][0]):
        yield f"{letters:,} dead letters have the name somewhere in their bytes, until retention.dead_letters_days"
    if texts := int(store.rows(POLICIES, {"quoted": values["quoted"]})[0][0]):
        yield f"{texts:,} policies name the customer; apply one without it, the texts before stay on record"
