"""How long the tables keep their rows: what the settings say, brought into the TTL of each table.

The migrations make every table with a TTL; that of a table in `SETTABLE` is then what the settings say. A longer time
is harmless. A shorter one removes rows as soon as the engine merges, so what goes can be counted before.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from jobs.setup.migrate import render
from schemas.retention import Retention
from streams.io.store import Store

#: By table: the column that says how old a row is, as the TTL takes it, and the setting.
SETTABLE: Mapping[str, tuple[str, str]] = {
    "counts": ("bucket", "counts_days"),
    "scores": ("day", "counts_days"),
    "events": ("toDateTime(time)", "evidence_days"),
    "unwanted_mail": ("toDateTime(time)", "evidence_days"),
    "alerts": ("toDateTime(time)", "alerts_days"),
    "listing_events": ("toDateTime(time)", "listings_days"),
    "listing_causes": ("toDateTime(began)", "listings_days"),
    "blocklist_looks": ("toDateTime(updated)", "listings_days"),
    "incidents": ("toDateTime(time)", "incidents_days"),
    "fleet_incidents": ("toDateTime(updated)", "incidents_days"),
    "holds": ("toDateTime(updated)", "incidents_days"),
    "provider_reports": ("day", "provider_reports_days"),
    "audit": ("toDateTime(time)", "audit_days"),
    "fresh_starts": ("since", "audit_days"),
    "policy_levels": ("toDateTime(since)", "audit_days"),
    "dead_letters": ("toDateTime(time)", "dead_letters_days"),
    "notifications": ("toDateTime(taken)", "notifications_days"),
}
#: Tables whose time is part of a promise, each with what rests on it. No setting changes it.
FIXED: Mapping[str, str] = {
    "remembered_ids": "a repeated delivery counts once for 24 hours",
    "seen_ids": "the same, as earlier versions stored it",
    "negative_ids": "a repeated failure or complaint counts once for 30 days",
    "sent_messages": "a complaint counts for the minute of its mail for 45 days",
    "message_senders": "a report without a customer finds it for 45 days",
    "refusals": "mail after an unsubscription is found for a year",
    "newly_excessive": "how many rose at once is compared with the last 30 days",
    "outgoing_events": "a decision is told once, however often it is sent",
    "notification_posted": "a notification goes to the thread of its alert",
    "policy_drafts": "an operator finds a draft and its trial again",
    "dead_letter_replays": "a dead letter is sent again once",
}
TTLS = """
SELECT name, create_table_query FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name
"""
_TTL = re.compile(r"\bTTL [^;]*?\+ toIntervalDay\((\d+)\)")
#: `{age}` is a column of `SETTABLE`, `{table}` its table: names of ours.
MODIFY = "ALTER TABLE {table} {on_cluster} MODIFY TTL {age} + toIntervalDay({days})"
GOING = "SELECT count() FROM {table} WHERE {age} + toIntervalDay({days}) <= now()"
#: A TTL of this many days is none: the table has no other.
NEVER = 1 << 30


class RetentionChange(NamedTuple):
    """A table whose rows are to be kept for `after` days in place of `before` (`NEVER`: without end)."""

    table: str
    setting: str
    before: int
    after: int

    @property
    def shortens(self) -> bool:
        """Whether rows may go."""
        return self.after < self.before

    def line(self, going: int = 0) -> str:
        """In words; `going` is how many rows are older than that."""
        before = "without end" if self.before == NEVER else f"{self.before:,} days"
        lost = f"; {going:,} rows are older and go for good" if going else ""
        return f"{self.table}: kept {before}, now {self.after:,} days (retention.{self.setting}){lost}"


def kept_days(store: Store) -> dict[str, int]:
    """For how many days each table of `SETTABLE` keeps its rows now.

    Raises:
        StoreError: the store failed.
    """
    found = {str(name): _TTL.search(str(made)) for name, made in store.rows(TTLS)}
    return {name: int(ttl[1]) if ttl else NEVER for name, ttl in found.items() if name in SETTABLE}


def changes(kept: Mapping[str, int], retention: Retention) -> list[RetentionChange]:
    """What is to be changed so that the tables keep what the settings say. Pure."""
    wanted: dict[str, int] = msgspec.structs.asdict(retention)
    return [
        RetentionChange(table, setting, kept[table], wanted[setting])
        for table, (_, setting) in SETTABLE.items()
        if table in kept and kept[table] != wanted[setting]
    ]


def going(store: Store, change: RetentionChange) -> int:
    """How many rows of the table are older than it will keep them.

    Raises:
        StoreError: the store failed.
    """
    if not change.shortens:
        return 0
    return int(store.rows(_of(GOING, change))[0][0])


def apply_retention(store: Store, retention: Retention) -> list[str]:
    """Bring the tables to what the settings say; returns a line for each that was changed, with what goes.

    Raises:
        StoreError: the store failed.
    """
    found = planned_lines(store, planned := changes(kept_days(store), retention))
    for change in planned:
        store.run(render(_of(MODIFY, change), store.settings))
    return found


def planned_lines(store: Store, planned: Sequence[RetentionChange]) -> list[str]:
    """A line for each change, with what goes.

    Raises:
        StoreError: the store failed.
    """
    return [change.line(going(store, change)) for change in planned]


def _of(statement: str, change: RetentionChange) -> str:
    values = {"{table}": change.table, "{age}": SETTABLE[change.table][0], "{days}": str(change.after)}
    for placeholder, value in values.items():
        statement = statement.replace(placeholder, value)
    return statement
