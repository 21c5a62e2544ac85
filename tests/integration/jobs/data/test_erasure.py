"""Who is erased is gone from every table, and the figures of everybody else stay."""

import errno
import json
import stat
import zipfile
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobs.data.erasure import PARTS, erase_customer, erase_recipient, subject_of, waited_for
from jobs.data.erasure_plan import CUSTOMER, bound, change_sql, project_sql
from jobs.data.export import ExportManifest, export_customer, exported
from jobs.data.fault import StoredDataError
from schemas.counts import MEASURES
from streams.adapt.canonical import hash_recipient
from streams.io.store import Store
from tests.support.rich_history import random_mail, store_mail
from tests.support.waiting import wait_for

NAME, OTHER = "ev\"il's \\ GmbH", "other"
#: Of counts.
ASKED_PARTS = {"table": "counts", "projection": "hourly"}
KEY = "0123456789abcdef0123456789abcdef"
ASKED: Any = {"over": ["lifted"], "by": "Ida", "why": "asked", "forgotten_s": 65.0, "wait": lambda _: None}
NOW = datetime.now(UTC).replace(microsecond=0)
SUMS = ", ".join(f"sum({name})" for name in MEASURES)
#: By the minute, and by the hour as the projection has it.
COUNTED = f"""
SELECT customer, dimension, value, {SUMS} FROM counts GROUP BY customer, dimension, value
ORDER BY customer, dimension, value SETTINGS optimize_use_projections = %s
"""  # noqa: S608 - texts of this module


def put(store: Store, table: str, **row: Any) -> None:
    store.insert(table, {name: [value] for name, value in row.items()})


def event(name: str, alert_id: str) -> str:
    return json.dumps({"subject": name, "data": {"customer": name, "alert_id": alert_id}}, separators=(",", ":"))


@pytest.fixture
def scene(store: Store) -> Store:
    """Two customers with mail, alerts, decisions and all else."""
    store_mail(store, random_mail(7, [NAME, OTHER], 60, 40_000, now=int(NOW.timestamp())))
    for name in (NAME, OTHER):
        put(store, "standings", customer=name, updated=NOW)  # and a row of scores by it
        hashed = hash_recipient("ann@example.com", KEY.encode())
        put(store, "events", customer=name, time=NOW, id=f"{name}1", stream="news", recipient_hash=hashed)
        put(store, "events", customer=name, time=NOW, id=f"{name}2", recipient_hash="bb")
        put(store, "unwanted_mail", customer=name, time=NOW, id=f"{name}1", recipient_hash=hashed)
        put(store, "newly_excessive", customer=name, time=NOW)
        put(store, "message_senders", customer=name, day=NOW.date(), hash=1)
        put(store, "provider_reports", customer=name, day=NOW.date(), resource=f"{name}.example")
        put(store, "hook_actions", mode="act", customer=name, action="pause", state="lifted", version=1)
        put(store, "suspensions", customer=name, updated=NOW)
        put(store, "fresh_starts", customer=name, since=NOW)
        put(store, "customers", customer=name, updated=NOW)
        put(store, "audit", customer=name, time=NOW, who="Ida", action="override added")
        put(store, "alert_states", customer=name, updated=NOW)
        put(store, "alerts", customer=name, time=NOW, id=f"id of {name}", event=event(name, f"alert of {name}"))
        put(store, "notifications", route="r", id=name, taken=NOW, event=event(name, f"alert of {name}"))
        put(store, "notification_posted", route="r", alert_id=f"alert of {name}", updated=NOW)
        put(store, "outgoing_events", id=name, due=NOW, updated=NOW, event=event(name, ""))
        put(store, "api_keys", key_hash=f"key of {name}", customer=name, updated=NOW)
        put(store, "api_key_uses", key_hash=f"key of {name}", updated=NOW)
        put(store, "dead_letters", topic="t", source=name, time=NOW, payload=json.dumps({"customer": name}))
    put(store, "listing_causes", resource="192.0.2.1", zone="z", began=NOW, updated=NOW, attributed=NAME,
        customers=[OTHER, NAME], volume=[1, 2], complaints=[3, 4], invalid=[5, 6], blocked=[7, 8], excess=[0.5, 0.25],
        shares=[0.25, 0.75])  # fmt: skip
    detail = json.dumps({"examples": [{"customer": NAME}, {"customer": OTHER}]}, separators=(",", ":"))
    put(store, "fleet_incidents", id="i", updated=NOW, detail=detail)
    put(store, "policy_drafts", saved=NOW, who="Ida", updated=NOW, result=detail)
    pool = json.dumps({"subject": "pool:p", "data": {"evidence": {"customers": [{"name": NAME}]}}})
    put(store, "alerts", customer="", time=NOW, id="pool", event=pool)
    return store


def test_customer_is_gone_from_every_table_and_others_stay(scene: Store) -> None:
    def counted() -> list[list[Any]]:
        return [[row for row in scene.rows(COUNTED % way) if row[0] != NAME] for way in (0, 1)]

    before = counted()
    tried = erase_customer(scene, NAME, key=KEY, dry_run=True, **ASKED)
    assert [each.after for each in tried.tables] == [each.before for each in tried.tables]
    found = erase_customer(scene, NAME, key=KEY, dry_run=False, **ASKED)
    assert [(each.table, each.before > 0, each.after) for each in found.tables] == [
        (each.table, True, 0) for each in CUSTOMER
    ]
    assert found.subject == subject_of(NAME, KEY)
    assert counted() == before
    assert scene.rows("SELECT DISTINCT customer FROM counts") == [(OTHER,)]
    kept = dict.fromkeys({each.table for each in CUSTOMER} - {"counts", "alerts", "events"}, 1) | {
        "events": 2,
        "alerts": 2,
    }
    assert {table: scene.rows(f"SELECT count() FROM {table}")[0][0] for table in kept} == kept  # noqa: S608
    assert scene.rows("SELECT attributed, customers, volume, blocked, shares FROM listing_causes") == [
        ("", [OTHER], [1], [7], [0.25])
    ]
    for text in ("SELECT detail FROM fleet_incidents", "SELECT result FROM policy_drafts"):
        named = [{"customer": "(erased)"}, {"customer": OTHER}]
        assert json.loads(scene.rows(text)[0][0])["examples"] == named
    assert scene.rows(PARTS, ASKED_PARTS)[0][0] == 0
    wait_for(lambda: scene.rows(PARTS, ASKED_PARTS) == [(0, 0)], "the sums by the hour to be made again")
    assert counted() == before
    again = erase_customer(scene, NAME, key=KEY, dry_run=False, **ASKED)
    assert again.rows == 0


def test_erasure_that_was_ended_when_counts_were_only_hidden_is_gone_on_with(scene: Store) -> None:
    for sql in change_sql(CUSTOMER[0], ""):
        scene.run(sql, bound(sql, {"name": NAME}))
    assert min(scene.rows(PARTS, ASKED_PARTS)[0]) > 0
    erase_customer(scene, NAME, key=KEY, dry_run=False, **ASKED)
    wait_for(lambda: scene.rows(PARTS, ASKED_PARTS) == [(0, 0)], "the parts to be written anew")


def test_sums_that_are_still_to_be_made_after_an_erasure_keep_the_next_from_nothing(scene: Store) -> None:
    scene.run("SYSTEM STOP MERGES counts")  # mutations too: what the first asked for does not come to its end
    scene.run(project_sql(CUSTOMER[0], ""))
    pending = "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done"
    assert scene.rows(pending) == [(1,)]
    scene.run(change_sql(CUSTOMER[0], "")[0])
    assert scene.rows(pending) == [(0,)]
    scene.run("SYSTEM START MERGES counts")


def test_sums_are_made_again_once_after_several_erasures(scene: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine ends no making of them that has begun: the second erasure waited for that of the first."""
    ran, run = list[str](), Store.run

    def noted(self: Store, sql: str, parameters: dict[str, Any] | None = None) -> None:
        ran.append(sql)
        run(self, sql, parameters)

    monkeypatch.setattr(Store, "run", noted)
    first = erase_customer(scene, NAME, key=KEY, dry_run=False, finish=False, **ASKED)
    assert first.is_complete
    assert not any("APPLY DELETED MASK" in each or "MATERIALIZE" in each.partition("KILL")[0] for each in ran)
    assert scene.rows(PARTS, ASKED_PARTS)[0][0] > 0  # hidden, and still in the files
    assert erase_customer(scene, OTHER, key=KEY, dry_run=False, **ASKED).is_complete
    assert sum("APPLY DELETED MASK" in each for each in ran) == 1
    assert sum(each.startswith("ALTER TABLE counts") and "MATERIALIZE" in each for each in ran) == 1
    wait_for(lambda: scene.rows(PARTS, ASKED_PARTS)[0][0] == 0, "the parts to be written anew")


def test_export_has_what_would_be_erased_of_the_customer_alone(scene: Store, tmp_path: Path) -> None:
    manifest = export_customer(scene, NAME, tmp_path / "one.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert msgspec.json.decode(files.pop("manifest.json"), type=ExportManifest) == manifest
    assert {each.table for each in manifest.tables} == {each.table for each in exported()}
    for each in manifest.tables:
        rows = [json.loads(line) for line in files[each.file].splitlines()]
        assert len(rows) == each.rows > 0
        assert each.digest == blake2b(files[each.file], digest_size=16).hexdigest()
        assert {row.get("customer", NAME) for row in rows} == {NAME}
    (delivered,) = scene.rows("SELECT sum(delivered) FROM counts WHERE customer = {n:String}", {"n": NAME})[0]
    assert sum(json.loads(line)["delivered"] for line in files["counts.jsonl"].splitlines()) == delivered
    with pytest.raises(StoredDataError, match="is there already"):
        export_customer(scene, NAME, tmp_path / "one.zip")


def test_export_that_fails_leaves_nothing(scene: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []

    def full(_self: zipfile.ZipFile, _name: str, _text: bytes) -> None:
        modes.extend(stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError, match="No space left"):
        export_customer(scene, NAME, tmp_path / "one.zip")
    assert modes == [0o600]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["客" * 256, "/../../etc/passwd", "a'b\"c\\d {name:String} %s"])
def test_customer_of_any_name_is_exported_and_erased(store: Store, tmp_path: Path, name: str) -> None:
    put(store, "events", customer=name, time=NOW, id="1")
    put(store, "alerts", customer=name, time=NOW, id="a", event=event(name, "alert"))
    put(store, "outgoing_events", id="o", due=NOW, updated=NOW, event=event(name, ""))
    put(store, "events", customer=f"{name}x", time=NOW, id="1")
    manifest = export_customer(store, name, tmp_path / "one.zip")
    assert (manifest.customer, manifest.rows) == (name, 3)
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert set(archive.namelist()) == {"manifest.json", *(each.file for each in manifest.tables)}
        assert json.loads(archive.read("events.jsonl"))["customer"] == name
    found = erase_customer(store, name, key=KEY, dry_run=False, **ASKED)
    assert (found.rows, found.is_complete) == (3, True)
    assert store.rows("SELECT customer FROM events") == [(f"{name}x",)]


def test_recipient_is_gone_by_hash_and_in_clear(scene: Store) -> None:
    for number, text in enumerate(("to ann@example.com", "to ANN@example.com", "to joann@example.com")):
        put(scene, "dead_letters", topic="t", source="x", position=number, time=NOW, payload=text)
    found = erase_recipient(scene, " ann@Example.com ", key=KEY, by="Ida", why="asked", dry_run=False)
    assert {each.table: (each.before, each.after) for each in found.tables} == {
        "events": (2, 0), "unwanted_mail": (2, 0), "refusals": (0, 0), "dead_letters": (2, 0),
    }  # fmt: skip
    assert "ann" not in found.subject
    assert scene.rows("SELECT count() FROM events")[0][0] == 2
    assert scene.rows("SELECT payload FROM dead_letters WHERE topic = 't' AND source = 'x'") == [
        ("to joann@example.com",)
    ]


def test_customer_on_whom_the_hook_acts_is_not_erased(store: Store) -> None:
    put(store, "hook_actions", mode="act", customer=NAME, action="pause", state="applied", version=1)
    with pytest.raises(StoredDataError, match=r"the hook acts on it \(pause\); lift that first"):
        erase_customer(store, NAME, key=KEY, dry_run=True, **ASKED)


@pytest.mark.parametrize(("address", "key", "said"), [("ann", KEY, "is no address"), ("a@b.example", "", "hash_key")])
def test_what_cannot_be_erased_is_said(store: Store, address: str, key: str, said: str) -> None:
    with pytest.raises(StoredDataError, match=said):
        erase_recipient(store, address, key=key, by="Ida", why="", dry_run=True)


@pytest.mark.parametrize("shows", [True, False])
def test_monitor_judges_by_nothing_that_is_being_erased(scene: Store, shows: bool) -> None:
    """Rows go part by part; meanwhile the customer has a fresh start, nothing goes before the monitor has shown that it
    knows that, or can remember nothing any more, and what it writes goes too."""
    seen = []

    def wait(seconds: float) -> None:
        fresh = scene.rows(
            "SELECT count() FROM fresh_starts WHERE customer = {n:String} AND why = '(erased)'", {"n": NAME}
        )
        counts = scene.rows("SELECT count() FROM counts WHERE customer = {n:String}", {"n": NAME})
        seen.append((seconds, fresh[0][0], counts[0][0] > 0))
        judged_after = shows and len(seen) == 3
        put(scene, "standings", customer=NAME, updated=datetime.now(UTC) if judged_after else NOW)

    found = erase_customer(scene, NAME, key=KEY, dry_run=False, **ASKED | {"wait": wait})
    looks = 2 if shows else 60
    assert seen == [(5.0, 1, True), *looks * [(1.0, 1, True)], (5.0, 1, False)]
    assert found.is_complete


def test_erasure_says_which_work_of_the_one_before_it_waits_for(scene: Store) -> None:
    now_ms = int(NOW.timestamp()) * 1000
    assert waited_for(scene, now_ms) == ""
    scene.run("SYSTEM STOP MERGES counts")
    (counts,) = (each for each in CUSTOMER if each.projection)
    for sql in change_sql(counts, "")[1:]:
        scene.run(
            sql.replace("lightweight_deletes_sync = 2", "lightweight_deletes_sync = 0"), bound(sql, {"name": NAME})
        )
    scene.run(project_sql(counts, ""))
    began_ms = int(datetime.now(UTC).timestamp() * 1000)
    said = waited_for(scene, began_ms + 180_000)
    assert said.startswith("sums of counts are still made again after an erasure 3 min ago (")
    assert "waiting for the files that the engine is at" in said
    scene.run("SYSTEM START MERGES counts")
    wait_for(lambda: not waited_for(scene, now_ms), "the sums to be made", 60)
    told: list[str] = []
    erase_customer(scene, OTHER, key=KEY, dry_run=False, say=told.append, **ASKED)
    assert not [each for each in told if "sums of" in each]
