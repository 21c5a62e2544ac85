"""What is erased of a customer and of a recipient, table by table. Pure.

Every table is in a plan or in `NAMES_NOBODY`: a test compares both with the tables that there are. Conditions and
assignments are SQL of ours; names are bound.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

#: What stands where a name stood, in texts about others.
ERASED = "(erased)"

_WHOSE = "customer = {name:String}"
#: Events that tell of a customer: the subject of the CloudEvent, or the customer in its data.
_TOLD = "{name:String} IN (JSONExtractString(event, 'subject'), JSONExtractString(event, 'data', 'customer'))"
_NAMED = "(customer = '' AND position(event, {quoted:String}) > 0)"
#: An array beside `customers`, which rows of earlier versions have no value in.
_WITHOUT = "arrayFilter((value, place) -> customers[place] != {{name:String}}, {0}, arrayEnumerate({0}))"
_ARRAYS = ("volume", "complaints", "invalid", "blocked", "excess", "shares")


class Erasure(NamedTuple):
    """Rows of a table that are deleted, or changed by `assignments`, where `where` holds. Of a table with a
    `projection` they go in three steps: to make the projection anew takes the engine thirty times as long as the rest,
    and nobody needs to wait for it."""

    table: str
    where: str
    assignments: str = ""
    projection: str = ""


#: In this order: what others are found by goes last.
CUSTOMER: Sequence[Erasure] = (
    Erasure("counts", _WHOSE, projection="hourly"),
    Erasure("events", _WHOSE),
    Erasure("unwanted_mail", _WHOSE),
    Erasure("scores", _WHOSE),
    Erasure("standings", _WHOSE),
    Erasure("newly_excessive", _WHOSE),
    Erasure("message_senders", _WHOSE),
    Erasure("provider_reports", _WHOSE),
    Erasure("hook_actions", _WHOSE),
    Erasure("suspensions", _WHOSE),
    Erasure("fresh_starts", _WHOSE),
    Erasure("customers", _WHOSE),
    Erasure("audit", _WHOSE),
    Erasure(
        "listing_causes",
        "(has(customers, {name:String}) OR attributed = {name:String})",
        ", ".join(f"{each} = {_WITHOUT.format(each)}" for each in _ARRAYS)
        + ", customers = arrayFilter(c -> c != {name:String}, customers)"
        + ", attributed = if(attributed = {name:String}, '', attributed)",
    ),
    Erasure(
        "fleet_incidents",
        "position(detail, {quoted:String}) > 0",
        "detail = replaceAll(detail, {quoted:String}, {erased:String}), value = if(value = {name:String}, '', value)",
    ),
    Erasure(
        "policy_drafts",
        "position(result, {quoted:String}) > 0",
        "result = replaceAll(result, {quoted:String}, {erased:String})",
    ),
    Erasure("dead_letters", "JSONExtractString(payload, 'customer') = {name:String}"),
    Erasure("notification_posted", "alert_id IN {alert_ids:Array(String)}"),
    Erasure("notifications", _TOLD),
    Erasure("outgoing_events", _TOLD),
    Erasure("alert_states", _WHOSE),
    Erasure("alerts", _WHOSE),
    # Small customers are judged together too, and evidence of that names them.
    Erasure("alerts", _NAMED, "event = replaceAll(event, {quoted:String}, {erased:String})"),
    Erasure("api_key_uses", "key_hash IN {key_hashes:Array(String)}"),
    Erasure("api_keys", _WHOSE),
)
RECIPIENT: Sequence[Erasure] = (
    Erasure("events", "recipient_hash IN {hashes:Array(String)}"),
    Erasure("unwanted_mail", "recipient_hash IN {hashes:Array(String)}"),
    Erasure("refusals", "hash IN {refusals:Array(UInt64)}"),
    Erasure("dead_letters", "match(payload, {pattern:String})"),
)
#: Tables without the name of a customer, each with what it has instead.
NAMES_NOBODY: Mapping[str, str] = {
    "blocklist_looks": "addresses and domains",
    "blocklist_trust": "blocklists",
    "blocklist_turns": "blocklists",
    "dead_letter_replays": "positions in topics",
    "deployment": "the id of this installation",
    "holds": "how many are held",
    "hook_leases": "which hook acts",
    "hook_positions": "positions in topics",
    "incidents": "what was lost of which topic",
    "listing_events": "addresses and domains",
    "negative_ids": "hashes of event ids, for 31 days",
    "notification_routes": "routes of the settings",
    "policies": "texts that operators wrote",
    "policy_levels": "thresholds",
    "refusals": "hashes, for 400 days",
    "remembered_ids": "hashes of event ids, for 30 hours",
    "schema_migrations": "migrations",
    "seen_ids": "hashes of event ids, for 30 hours",
    "sent_messages": "hashes of messages, for 45 days",
}


def customer_values(name: str, alert_ids: Sequence[str], key_hashes: Sequence[str]) -> dict[str, Any]:
    """What is bound to the statements about a customer."""
    return {
        "name": name,
        "quoted": msgspec.json.encode(name).decode(),
        "erased": msgspec.json.encode(ERASED).decode(),
        "alert_ids": list(alert_ids),
        "key_hashes": list(key_hashes),
    }


def recipient_values(address: str, hashes: Sequence[str], refusals: Sequence[int]) -> dict[str, Any]:
    """What is bound to the statements about a recipient."""
    return {"hashes": list(hashes), "refusals": list(refusals), "pattern": address_pattern(address)}


def bound(sql: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that a statement asks for."""
    return {name: value for name, value in values.items() if f"{{{name}:" in sql}


def address_pattern(address: str) -> str:
    """Where an address stands in a text by itself, in any case, and not as a part of a longer one (RE2)."""
    local, _, domain = address.rpartition("@")
    around = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]"
    left, right = around.replace("[", "[^", 1), "[^A-Za-z0-9.-]|[.]($|[^A-Za-z0-9])"
    return f"(?i)(^|{left}){_escaped(local)}@{_escaped(domain)}($|{right})"


def _escaped(text: str) -> str:
    """Signs of ASCII as they are, also of those who write patterns (RE2 and Python alike)."""
    return re.sub(r"([!-/:-@\[-^`{-~])", r"\\\1", text)


def count_sql(each: Erasure) -> str:
    """How many rows it is about."""
    return f"SELECT count() FROM {each.table} WHERE {each.where}"  # noqa: S608 - texts of this module


def change_sql(each: Erasure, on_cluster: str) -> tuple[str, ...]:
    """The statements. They wait until the rows are gone from every part, and on every replica.

    With a projection rows are first hidden, by which parts lose their projection with all that it says of them; then
    these parts are written anew without them (`purge_sql`). The projection is made again in the background
    (`project_sql`), and until then sums are read row by row from these parts. Where it is being made after an erasure
    before, that is ended; but the engine ends no making of a projection that has begun (neither `KILL MUTATION` nor
    `SYSTEM STOP MERGES` does, ClickHouse 26.9), so the files that it is at are waited for.
    """
    table = f"ALTER TABLE {each.table} {on_cluster}"
    if not each.projection:
        what = f"UPDATE {each.assignments}" if each.assignments else "DELETE"
        return (f"{table} {what} WHERE {each.where} SETTINGS mutations_sync = 2",)
    return (
        f"KILL MUTATION {on_cluster} WHERE database = currentDatabase() AND table = '{each.table}' AND NOT is_done "
        f"AND command LIKE '%MATERIALIZE PROJECTION {each.projection}%'",
        f"{table} MODIFY SETTING lightweight_mutation_projection_mode = 'drop'",
        f"DELETE FROM {each.table} {on_cluster} WHERE {each.where} SETTINGS lightweight_deletes_sync = 2",  # noqa: S608
    )


def purge_sql(each: Erasure, on_cluster: str) -> str:
    """Write the parts anew in which rows are hidden."""
    return f"ALTER TABLE {each.table} {on_cluster} APPLY DELETED MASK SETTINGS mutations_sync = 2"


def project_sql(each: Erasure, on_cluster: str) -> str:
    """Make the projection in the parts that have none."""
    return f"ALTER TABLE {each.table} {on_cluster} MATERIALIZE PROJECTION {each.projection} SETTINGS mutations_sync = 0"
