"""The page of `repmon status`: what is said of each part, what is to be done, and the exit code."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.text.status import (
    CANNOT_TELL,
    UNWELL,
    WELL,
    WIDTH,
    StageSeen,
    StatusLine,
    StatusSeen,
    exit_code,
    page,
    status_lines,
)
from jobs.hooks.measure import HookSeen
from jobs.notify.notification import RouteTotals
from tests.support.status_seen import NO_BROKER, NO_STORE, NOW, SEEN, STAGE


def seen(**changes: Any) -> StatusSeen:
    return msgspec.structs.replace(SEEN, **changes)


def not_well(found: StatusSeen) -> dict[str, StatusLine]:
    return {line.part: line for line in status_lines(found) if line.state in ("unwell", "look")}


def code(found: StatusSeen) -> int:
    return exit_code(status_lines(found))


def test_all_is_well() -> None:
    assert not_well(SEEN) == {}
    assert code(SEEN) == WELL
    text = page(SEEN, status_lines(SEEN))
    assert text[0] == "repmon at 2026-11-18T11:06:40.000Z: well"
    assert "What to do:" not in text
    assert "last flush   well     2 s ago" in text


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("broker", NO_BROKER),
        ("topics", {"missing_topics": ("mail.events",)}),
        ("store", NO_STORE),
        ("store", {"migrations_missing": 2}),
        ("disk", {"disk_free_bytes": 499_999_999}),
        ("lag", {"lag": {"mail.events": 5}, "counted_per_s": 0.0, "stages": ()}),
        ("judgement", {"last_judged_ms": NOW - 16 * 60_000}),
        ("decisions", {"unsent_decisions": 3, "unsent_since_ms": NOW - 3 * 60_000}),
        ("stage", {"stages": (StageSeen(url="http://ingest:9100", said="no answer: refused"),)}),
        ("stage", {"stages": (StageSeen(url="http://ingest:9100", name="ingest", well=False, said="disk: 3 MB"),)}),
    ],
)
def test_part_that_is_not_well_is_named_with_what_to_do(part: str, changes: dict[str, Any]) -> None:
    found = not_well(seen(**changes))
    assert found.keys() == {part}
    assert (found[part].state, code(seen(**changes))) == ("unwell", UNWELL)
    assert f"  - {part}: " in "\n".join(page(seen(**changes), status_lines(seen(**changes))))


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("dead letters", {"dead_letters": 12}),
        ("losses", {"losses": ("gap at mail.events:1:0 (12 messages)",)}),
        ("zones", {"distrusted_zones": ("bl.example",)}),
        ("incidents", {"incidents": ("3f9c (gmail, suspected)",)}),
        ("holds", {"held_customers": 40}),
    ],
)
def test_what_waits_for_a_person_is_named_and_all_is_well(part: str, changes: dict[str, Any]) -> None:
    found = not_well(seen(**changes))
    assert found.keys() == {part}
    assert (found[part].state, code(seen(**changes))) == ("look", WELL)
    assert found[part].mend


@pytest.mark.parametrize(
    "changes",
    [
        {"lag": {"mail.events": 5}},
        {"lag": {"mail.events": 5}, "counted_per_s": 0.0},
        {"last_judged_ms": 0},
        {"last_judged_ms": NOW - 10**9, "counted_per_s": 0.0},
        {"stages": ()},
        {"disk_free_bytes": None},
    ],
)
def test_what_is_no_fault(changes: dict[str, Any]) -> None:
    assert code(seen(**changes)) == WELL


def test_store_is_shown_with_the_deployment_that_events_name() -> None:
    (line,) = (each for each in status_lines(seen(deployment="mail-eu.5f0c9a417b22d85e")) if each.part == "store")
    assert line.text.endswith("; deployment mail-eu.5f0c9a417b22d85e")


def test_decisions_that_were_made_a_moment_ago_are_about_to_be_sent() -> None:
    assert not_well(seen(unsent_decisions=3, unsent_since_ms=NOW - 60_000)) == {}


def test_nobody_can_tell_where_nothing_answers() -> None:
    nothing = {**NO_STORE, **NO_BROKER, "stages": ()}
    assert code(seen(**nothing)) == CANNOT_TELL
    assert page(seen(**nothing), status_lines(seen(**nothing)))[0].endswith(": cannot tell")
    assert code(seen(**{**nothing, "stages": (STAGE,)})) == UNWELL, "a stage answers, so they are there to be found"
    assert code(seen(missing_topics=None)) == CANNOT_TELL


@given(st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=40), st.integers(0, 10**15))
def test_page_fits_a_terminal_of_80_columns(name: str, number: int) -> None:
    busy = seen(
        lag={name: number, "mail.events": number}, missing_topics=(name,) * 9,
        incidents=(f"{name} (x, suspected)",) * 9,
        stages=(StageSeen(url="http://127.0.0.1:8080", name="up", well=False, said=f"store: {name} " * 9),),
        distrusted_zones=("zen.spamhaus.org",) * 9, dead_letters=number, held_customers=number,
        losses=(f"gap at {name} ({number:,} messages)",) * 3,
    )  # fmt: skip
    assert max(map(len, page(busy, status_lines(busy)))) <= WIDTH


def of_route(**found: Any) -> RouteTotals:
    plain = {"route": "hook", "waiting": 0, "oldest_ms": 0, "tries": 0, "said": "", "failed": 0, "sent": 0, "later": 0}
    return RouteTotals(**{**plain, **found})


@pytest.mark.parametrize(
    ("found", "state", "text"),
    [
        ({"sent": 14}, "well", "1 route, 14 sent in the last 24 h"),
        ({"waiting": 3, "oldest_ms": NOW - 1000, "tries": 1, "said": "500"}, "well", "1 route, 0 sent"),
        (
            {"waiting": 3, "oldest_ms": NOW - 5 * 3_600_000, "tries": 83, "said": "500", "failed": 2},
            "unwell",
            "hook: 3 wait, the oldest for 5.0 h: 500, 2 dead letters in the last 24 h",
        ),
        ({"waiting": 3, "oldest_ms": NOW - 600_000}, "unwell", "hook: 3 wait for 10 min"),
        ({"failed": 2}, "look", "dead letters: hook: 2 in the last 24 h"),
        ({"route": "gone", "waiting": 2, "oldest_ms": NOW}, "look", "wait for routes that are gone: gone: 2"),
    ],
)
def test_notifications_that_are_not_sent_are_said(found: dict[str, Any], state: str, text: str) -> None:
    seen = msgspec.structs.replace(SEEN, routes=(of_route(**found),), route_names=("hook",))
    (line,) = [each for each in status_lines(seen) if each.part == "notify"]
    assert line.state == state
    assert line.text.startswith(text)


def test_without_routes_nothing_is_said_of_notifications() -> None:
    assert not [each for each in status_lines(SEEN) if each.part == "notify"]


@pytest.mark.parametrize(
    ("free", "total", "shown"),
    [
        (55_000_000, 101_000_000, "55 MB free of 101 MB"),
        (9_400_000_000, 21_000_000_000, "9,400 MB free of 21.0 GB"),
        (40_000_000_000, 1_000_000_000_000, "40.0 GB free of 1,000.0 GB"),
    ],
)
def test_room_on_the_disk_is_told_in_units_that_say_something(free: int, total: int, shown: str) -> None:
    lines = status_lines(seen(disk_free_bytes=free, disk_total_bytes=total))
    assert [line.text for line in lines if line.part == "disk"] == [shown]


HOOK = HookSeen(acting_ms=NOW + 20_000, in_force=2, approvals=0, waiting=0, failing=(), breaker="")
HOOKS: dict[str, tuple[HookSeen, str, str]] = {
    "acts": (HOOK, "well", "acts on 2 customers"),
    "waits for people": (
        msgspec.structs.replace(HOOK, approvals=1, waiting=1),
        "look",
        "1 customer waits for two people; acts on 2 customers",
    ),
    "fails": (
        msgspec.structs.replace(HOOK, failing=("kumo: no answer in time",)),
        "unwell",
        "fails: kumo: no answer in time",
    ),
    "stopped by its breaker": (
        msgspec.structs.replace(HOOK, breaker="21 customers within an hour", breaker_ms=NOW - 120_000),
        "unwell",
        "the breaker is open for 2 min, nobody new is acted on: 21 customers within an hour",
    ),
    "does not run": (
        msgspec.structs.replace(HOOK, acting_ms=NOW - 7_200_000),
        "unwell",
        "none runs for 2.0 h; acts on 2 customers",
    ),
}


@pytest.mark.parametrize(("hook", "state", "text"), HOOKS.values(), ids=HOOKS)
def test_hook_that_acts_is_told_of(hook: HookSeen, state: str, text: str) -> None:
    (line,) = (each for each in status_lines(msgspec.structs.replace(SEEN, hook=hook)) if each.part == "hook")
    assert (line.state, line.text) == (state, text)
    assert bool(line.mend) == (state != "well")


def test_hook_that_never_acted_is_not_told_of() -> None:
    assert not [each for each in status_lines(SEEN) if each.part == "hook"]


def test_how_long_rows_are_kept_is_shown_and_where_tables_differ() -> None:
    kept = seen(kept_days={"counts_days": 400, "dead_letters_days": 7})
    (line,) = (each for each in status_lines(kept) if each.part == "retention")
    assert (line.state, line.text) == ("well", "in days: counts 400, dead letters 7")
    other = msgspec.structs.replace(kept, kept_otherwise=("counts: kept 400 days, now 500 days",))
    (line,) = (each for each in status_lines(other) if each.part == "retention")
    assert line.state == "look"
    assert "migrate --dry-run" in line.mend
    assert "1 table keeps rows otherwise than is set" in line.text


def test_who_waits_for_the_intake_is_said_with_the_topics() -> None:
    monitor = StageSeen(url="http://monitor:9100", name="monitor", well=True, waiting=3)
    found = {
        line.part: line for line in status_lines(seen(stages=(STAGE, monitor), lag={"mail.log": 7, "mail.events": 0}))
    }
    said = "last 3 s ago; 3 who would be excessive or worse wait until what came before is counted (mail.log)"
    assert (found["judgement"].state, found["judgement"].text) == ("well", said)
