"""Views of pages, made of plain data."""

from datetime import UTC, datetime

import msgspec
import pytest

from api.console.drafts import draft_of
from api.console.forms import field_value, one_of, utc_ms, whole
from api.console.pages.audit import details
from api.console.pages.blocklists import bar, zone_lines
from api.console.pages.dead_letters import letter_view
from api.console.pages.health import health_view
from api.console.pages.holds import SHOWN, hold_view
from api.console.pages.incidents import incidents_view
from api.http.problems import ApiError
from jobs.blocklists.state import Trust
from jobs.blocklists.zone_trust import ZoneFamily
from jobs.operator.holds import HeldCustomer, HoldShown
from jobs.resend.dead_letters import Letter
from schemas import policy
from schemas.blocklists import load_zones
from schemas.hold import Hold
from schemas.incident import Incident
from schemas.times import DAY_MS, HOUR_S
from streams.listings.causes import CausedListing
from tests.support.status_seen import NO_STORE, SEEN

NOON = 1_773_316_800

LETTER = Letter(
    topic="mail.events", source="mail.events:a:0", position=7, time_ms=0, reason="x", size=1, id="mail.events:a:0@7",
    short="0fa39c7108a7", replayed_ms=0, replayed_by="", masked="x",
)  # fmt: skip


def incident(name: str, hour: int, **more: object) -> Incident:
    fields: dict[str, object] = {"dimension": "provider", "value": "gmail", "outcome": "block", "state": "detected"}
    return Incident(id=name, hours=(NOON + hour * HOUR_S,), **(fields | more))  # type: ignore[arg-type]


def test_incidents_that_go_on_are_apart_from_those_that_are_over() -> None:
    some = [
        incident("open", -1, open=True),
        incident("over", -5),
        incident("dismissed", -1, open=True, state="dismissed"),
        incident("to come", 2, state="declared"),
        incident("was declared", -9, state="declared"),
    ]
    view = incidents_view(some, [], NOON * 1000, 30, 0)
    assert [each.id for each in view.going_on] == ["to come", "open"]
    assert [each.id for each in view.over] == ["dismissed", "over", "was declared"]
    assert (view.first, view.last, view.total, view.before, view.after) == (1, 3, 3, "", "")


def test_incidents_that_are_over_come_in_pages() -> None:
    view = incidents_view([incident(str(hour), -hour) for hour in range(2, 62)], [], NOON * 1000, 30, 25)
    assert (view.first, view.last, view.total) == (26, 50, 60)
    assert view.before.endswith("skip=0")
    assert view.after.endswith("skip=50")


def test_those_held_come_in_pages_the_worst_first_and_can_be_found() -> None:
    held = tuple(
        HeldCustomer(customer=f"shop {place:03}", rules=("failure",), level="critical" if place % 2 else "excessive")
        for place in range(SHOWN + 50)
    )
    hold = Hold(id="h", reason="brake", began_ms=0, from_ms=0, until_ms=0, customers=150)
    shown = HoldShown(hold=hold, held=held, confirmed=0, released=0)
    first = hold_view(shown, "", 0)
    assert [each.customer for each in first.customers[:2]] == ["shop 001", "shop 003"]
    assert (len(first.customers), first.matching, first.before) == (SHOWN, 150, "")
    last = hold_view(shown, "", SHOWN)
    assert (len(last.customers), last.after) == (50, "")
    assert [each.customer for each in hold_view(shown, "OP 007", 0).customers] == ["shop 007"]


def listing(began_ms: int, ended_ms: int | None = None, zone: str = "zen.spamhaus.org") -> CausedListing:
    return CausedListing(
        resource="192.0.2.1", kind="ip", zone=zone, weight="critical", began_ms=began_ms, ended_ms=ended_ms,
        confirmed=True, pool="", attributed="unused", users=0, causes=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("began", "ended", "expected"),
    [
        (0, 10, (0.0, 0.1)),
        (50, None, (0.5, 0.5)),
        (-50, 50, (0.0, 0.5)),
        (-50, -10, (0.0, 0.0)),
        (100, None, (1.0, 0.0)),
    ],
)
def test_bar_of_a_listing_is_where_it_lies_on_the_timeline(
    began: int, ended: int | None, expected: tuple[float, float]
) -> None:
    assert bar(listing(began, ended), 0, 100) == pytest.approx(expected)


def test_list_that_is_not_trusted_for_one_family_is_first_and_says_which() -> None:
    zones = load_zones()
    trust = {
        ZoneFamily("zen.spamhaus.org", "ipv4"): Trust(5, ""),
        ZoneFamily("zen.spamhaus.org", "ipv6"): Trust(9, "not listed: the zone is dead or empty"),
        ZoneFamily("bl.spamcop.net", "ipv4"): Trust(5, ""),
    }
    first, second, *others = zone_lines(
        zones, trust, {}, [listing(0), listing(0, 9), listing(0, zone="bl.spamcop.net")]
    )
    assert (first.zone.zone, first.trusted, first.since_ms, first.listed) == ("zen.spamhaus.org", False, 9, 1)
    assert first.reason == "ipv6: not listed: the zone is dead or empty"
    assert (second.zone.zone, second.trusted, second.listed) == ("bl.spamcop.net", True, 1)
    assert all(each.trusted is None for each in others)


def test_details_of_an_entry_are_for_people() -> None:
    known = {"until_ms": 1_000, "stream": "", "at_most": "watch", "rules": ["a", "b"], "letters": 0, "mended": False}
    assert details(known) == [
        ("until", "1970-01-01T00:00:01.000Z"),
        ("at most", "watch"),
        ("rules", "a, b"),
        ("letters", "0"),
        ("mended", "no"),
    ]


@pytest.mark.parametrize(
    ("content", "mendable", "binary"),
    [(b'{"id":"e7"}', True, 0), (b"\xff\xfe", False, 2), (b"a\r\nb", False, 0), (b"a\0", False, 0), (b"", False, 0)],
)
def test_only_text_that_a_browser_gives_back_as_it_is_can_be_mended(
    content: bytes, mendable: bool, binary: int
) -> None:
    view = letter_view(LETTER, content, [])
    assert (view.mendable, view.binary) == (mendable, binary)
    assert letter_view(LETTER, None, []).gone


def test_large_letter_is_cut_and_not_mended() -> None:
    view = letter_view(LETTER, b"x" * 55_000, [])
    assert (len(view.payload), view.cut, view.mendable) == (50_000, True, False)


def test_draft_has_all_of_its_mistakes_with_their_lines_or_what_it_changes() -> None:
    before = policy.load_policy()
    text = policy.default_file().read_text(encoding="utf-8")
    assert draft_of(text, before).changes == ()
    wrong = draft_of(f"{text}\nnonsense = 3\n", before)
    assert not wrong.usable
    assert [(each.line, each.text) for each in wrong.mistakes] == [(text.count("\n") + 2, "nonsense = 3")]


def test_health_has_first_what_needs_somebody() -> None:
    well = health_view(SEEN, SEEN.now_ms)
    assert (well.words, well.to_do) == ("All is well", ())
    assert (
        health_view(msgspec.structs.replace(SEEN, held_customers=3), SEEN.now_ms).words
        == "Well, but something needs a look"
    )
    down = health_view(msgspec.structs.replace(SEEN, **NO_STORE), SEEN.now_ms)
    assert (down.words, down.lines[0].part, down.lines[0].state) == ("Not well", "store", "unwell")
    assert health_view(None, SEEN.now_ms).words == "Being asked"


def test_health_that_is_old_is_not_said_to_be_well() -> None:
    """While a store that failed is waited for, nobody knows whether all is well, whatever was seen minutes ago."""
    fresh, old = (health_view(SEEN, SEEN.now_ms + age_ms) for age_ms in (10_000, 60_000))
    assert (fresh.words, fresh.code, fresh.is_old) == ("All is well", 0, False)
    assert (old.words, old.is_old) == ("Being asked again", True)
    assert old.code != 0
    down = msgspec.structs.replace(SEEN, **NO_STORE)
    assert health_view(down, SEEN.now_ms + 60_000).words == "Not well"


def test_fields_are_read_within_their_bounds() -> None:
    assert utc_ms({"from": "2026-03-12T12:00"}, "from", "From") == NOON * 1000
    assert field_value(NOON * 1000 + 59_000) == "2026-03-12T12:00"
    assert datetime.fromtimestamp(utc_ms({"f": "1970-01-02T00:00:00.000"}, "f", "F") / 1000, UTC).day == 2
    assert utc_ms({"f": "1970-01-02T00:00Z"}, "f", "F") == DAY_MS
    for wrong in ("", "soon", "2026-02-30T00:00", "2026-03-12T12:00+05:00", "٢026-03-12T12:00"):
        with pytest.raises(ApiError, match="From is no time"):
            utc_ms({"from": wrong}, "from", "From")
    assert [whole({"n": text}, "n", 7, 1, 90) for text in ("30", "0", "999", "-1", "x", "²", "9" * 40)] == [
        30, 1, 90, 7, 7, 7, 7,
    ]  # fmt: skip
    assert one_of({"a": "y"}, "a", ("x", "y")) == "y"
    assert one_of({"a": "z"}, "a", ("x", "y")) == "x"
