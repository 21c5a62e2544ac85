"""Outside blocklist monitors: what their messages become, what lists weigh, what of it changes what is known."""

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.normalize import normalize
from api.stack.adapting import adapt_context
from api.stack.reading import batch_readers
from jobs.resend.ingest_file import read_events, send_file
from jobs.resend.replay import Reader
from schemas.blocklist_settings import Blocklists
from schemas.blocklists import load_zones
from schemas.listing import BlocklistEvent, Weight
from schemas.providers import load_providers
from schemas.settings import Settings
from schemas.settings_file import load_settings
from schemas.times import utc_now_ms
from streams.adapt import LISTING_FORMATS, AdaptError, Context, Lists, listing_adapter
from streams.intake.batch import Batch, SourcePartition
from streams.intake.seen import SeenIds
from streams.listings.outside import OpenListing, OpenListings, reconciled

NOW_MS = 1_773_318_896_000
LISTS = Lists({zone.zone: zone for zone in load_zones()}, {"gold.example": "critical"})
CONTEXT = Context(b"a key", load_providers(), clock=lambda: NOW_MS, lists=LISTS)
REFUSING = Context(b"a key", load_providers(), clock=lambda: NOW_MS, lists=Lists(LISTS.zones, LISTS.weights, None))
IP = "192.0.2.17"


def changed(*lists: str, resource: str = IP, counted: Any = None, **more: Any) -> dict[str, Any]:
    """A record as HetrixTools sends it."""
    on = [{"rbl": name, "delist": f"https://{name}/removal"} for name in lists] or None
    now = str(len(lists)) if counted is None else counted
    links = {"report_link": "https://monitor.example/r", "whitelabel_report_link": "https://monitor.example/w"}
    record = {"monitor": resource, "label": "mx", "blacklisted_before": "1", "blacklisted_now": now}
    return {**record, "blacklisted_on": on, "links": links, **more}


def hetrix(*records: dict[str, Any], context: Context = CONTEXT) -> list[BlocklistEvent]:
    return listing_adapter("hetrixtools")(json.dumps(records).encode(), context)


def ours(*records: dict[str, Any], context: Context = CONTEXT) -> list[BlocklistEvent]:
    return listing_adapter("listings")(json.dumps(records).encode(), context)


def reported(events: list[BlocklistEvent]) -> list[tuple[str, str, str, Weight]]:
    return [(each.type, each.resource, each.zone, each.weight) for each in events]


def test_hetrixtools_body_gives_a_listing_for_each_list_and_says_that_these_are_all() -> None:
    found = hetrix(changed("b.barracudacentral.org", "bl.nszones.com"), changed(resource="shop.example."))
    assert reported(found) == [
        ("listed", IP, "b.barracudacentral.org", "major"),
        ("listed", IP, "bl.nszones.com", "informational"),
        ("complete", IP, "*", "informational"),
        ("complete", "shop.example", "*", "informational"),
    ]
    assert [each.zones for each in found[2:]] == [("b.barracudacentral.org", "bl.nszones.com"), ()]
    assert {each.kind for each in found} == {"ip", "domain"}
    first = found[0]
    assert (first.time_ms, first.monitor, first.confirmed) == (NOW_MS, "hetrixtools", True)
    assert first.meaning == "seen by HetrixTools; removal: https://b.barracudacentral.org/removal"
    assert len({each.id for each in found}) == 4


def test_numbers_may_be_numbers_and_one_record_may_come_alone() -> None:
    raw = json.dumps(changed("bl.nszones.com", counted=1)).encode()
    assert len(listing_adapter("hetrixtools")(raw, CONTEXT)) == 2


def test_test_notification_of_an_uptime_monitor_says_nothing() -> None:
    assert hetrix({"monitor_id": "x", "monitor_status": "offline", "timestamp": 1_499_666_192}) == []


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        (changed(counted="2"), "record 1: field `blacklisted_on`: 0 lists are named, and 2 counted"),
        (changed("a.example", counted=0), "field `blacklisted_on`: 1 lists are named, and 0 counted"),
        (changed("a.example", resource="not a name"), "'not a name' is neither an IP address nor a domain"),
        (changed("a.example", resource="localhost"), "'localhost' is neither an IP address nor a domain"),
        (changed(" "), "field `blacklisted_on.rbl`: must be a name of 1 to 256 characters"),
        (changed("a\0b"), "field `blacklisted_on.rbl`: must be a name"),
        ({"label": "mx"}, "field `monitor` is missing"),
        (changed(counted="one"), "field `blacklisted_now`: must be a whole number"),
        (changed(blacklisted_on="all"), "field `blacklisted_on`: expected `array | null`"),
    ],
)
def test_bad_record_is_an_error_that_names_what_is_wrong(record: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError) as caught:
        hetrix(record)
    assert complaint in str(caught.value)


def test_list_weighs_as_little_as_any_of_its_codes_where_none_is_given() -> None:
    # ZEN may mean the policy list.
    assert reported(hetrix(changed("zen.spamhaus.org")))[0][3] == "informational"
    by_code = {
        code: ours({"resource": IP, "zone": "ZEN.spamhaus.org.", "codes": [code]})[0].weight
        for code in ("127.0.0.2", "127.0.0.10", "127.0.0.99")
    }
    assert by_code == {"127.0.0.2": "critical", "127.0.0.10": "informational", "127.0.0.99": "informational"}


def test_operators_weight_precedes_that_of_the_record_and_that_the_table() -> None:
    """The weight of a list is the operator's, else the record's, else the table's."""
    own, given = ours(
        {"resource": IP, "zone": "gold.example", "weight": "minor"},
        {"resource": IP, "zone": "b.barracudacentral.org", "weight": "minor"},
    )
    assert (own.weight, given.weight) == ("critical", "minor")


def test_unknown_list_is_refused_where_the_settings_say_so() -> None:
    with pytest.raises(AdaptError, match=r"the list 'bl\.nszones\.com' is not in the table of zones"):
        hetrix(changed("bl.nszones.com"), context=REFUSING)
    assert hetrix(changed("gold.example", "b.barracudacentral.org"), context=REFUSING)


def test_own_format_says_of_one_list_that_something_is_on_it_or_no_longer() -> None:
    record = {"resource": "2001:DB8::7", "zone": "b.barracudacentral.org", "monitor": "probe", "meaning": "seen"}
    on, off = ours(
        {**record, "time": "2026-03-12T12:34:56Z"}, {**record, "status": "delisted", "time": NOW_MS / 1000 + 60}
    )
    assert reported([on, off]) == [
        ("listed", "2001:db8::7", "b.barracudacentral.org", "major"),
        ("delisted", "2001:db8::7", "b.barracudacentral.org", "major"),
    ]
    assert (on.time_ms, off.time_ms, on.monitor, on.meaning) == (NOW_MS, NOW_MS + 60_000, "probe", "seen")


@pytest.mark.parametrize(
    ("zone", "code", "complaint"),
    [
        ("zen.spamhaus.org", "127.255.255.254", "asked through a public or open resolver"),
        ("b.barracudacentral.org", "198.51.100.9", "outside 127.0.0.0/8"),
        ("multi.uribl.com", "127.0.0.1", "not a listing (RFC 5782 section 2.1)"),
        ("dbl.spamhaus.org", "127.0.1.255", "an IP address was asked"),
        ("unknown.example", "127.255.255.255", "too many queries"),
        ("unknown.example", "listed", "not an IPv4 address"),
    ],
)
def test_refusal_that_a_monitor_takes_for_a_listing_is_none(zone: str, code: str, complaint: str) -> None:
    for status in ("listed", "still_listed", "delisted"):
        with pytest.raises(AdaptError) as caught:
            ours({"resource": IP, "zone": zone, "codes": ["127.0.0.2", code], "status": status})
        assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("codes", "weight"),
    [
        (["127.0.0.8"], "critical"),
        (["127.0.0.64"], "major"),
        (["127.0.0.100"], "major"),
        (["127.0.0.36"], "informational"),
    ],
)
def test_codes_that_are_sums_of_bits_weigh_as_the_heaviest_bit(codes: list[str], weight: Weight) -> None:
    assert ours({"resource": "shop.example", "zone": "multi.surbl.org", "codes": codes})[0].weight == weight


@pytest.mark.parametrize(
    ("reported", "named"),
    [
        ("2001:DB8:0::7", ("ip", "2001:db8::7")),
        ("::ffff:192.0.2.17", ("ip", IP)),
        ("MX.Bücher.example.", ("domain", "mx.xn--bcher-kva.example")),
    ],
)
def test_what_is_listed_is_named_as_our_own_scan_names_it(reported: str, named: tuple[str, str]) -> None:
    for (found,) in (
        ours({"resource": reported, "zone": "a.example"}),
        hetrix(changed("a.example", resource=reported))[:1],
    ):
        assert (found.kind, found.resource) == named


@pytest.mark.parametrize(
    "reported", ["192.0.2.256", "192.0.2.010", "192.0.2.0/24", "fe80::1%eth0", "a..example", "a_b"]
)
def test_what_no_list_could_be_asked_about_is_refused(reported: str) -> None:
    with pytest.raises(AdaptError, match="record 1: "):
        ours({"resource": reported, "zone": "a.example"})


def test_own_format_says_with_zones_that_these_are_all() -> None:
    found = ours({"resource": IP, "zones": ["a.example", "A.example.", "b.example"]}, {"resource": IP, "zones": []})
    assert [(each.type, each.zone, each.zones) for each in found] == [
        ("listed", "a.example", ()),
        ("listed", "b.example", ()),
        ("complete", "*", ("a.example", "b.example")),
        ("complete", "*", ()),
    ]
    assert {each.monitor for each in found} == {"outside"}


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        ({"resource": IP}, "either `zone` or `zones` is needed"),
        ({"resource": IP, "zone": "a.example", "zones": []}, "either `zone` or `zones` is needed"),
        (
            {"resource": IP, "zones": ["a.example"], "status": "delisted"},
            "`status`, `codes` and `weight` need `zone`, not `zones`",
        ),
        ({"resource": IP, "zone": "a.example", "state": "on"}, "unknown field `state`"),
        ({"resource": IP, "zone": "a.example", "status": "on"}, "'on'"),
        ({"resource": IP, "zone": "a.example", "weight": "heavy"}, "'heavy'"),
        ({"resource": IP, "zone": "a.example", "monitor": " "}, "field `monitor`: must be a name"),
        ({"resource": IP, "zone": "*"}, "field `zone`: '*' is no list"),
        ({"resource": IP, "zone": "a.example", "time": "noon"}, "noon"),
    ],
)
def test_bad_record_of_our_own_is_an_error_too(record: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError) as caught:
        ours(record)
    assert complaint in str(caught.value)


texts = st.sampled_from(["", "a.example", IP, "listed", "\0", "é.example", "zone"]) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "resource",
    "zone",
    "zones",
    "status",
    "time",
    "codes",
    "weight",
    "monitor",
    "blacklisted_now",
    "blacklisted_on",
)


@pytest.mark.parametrize("format_name", LISTING_FORMATS)
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=6) | values)
def test_any_json_gives_events_or_the_one_error(format_name: str, value: Any) -> None:
    try:
        found = listing_adapter(format_name)(json.dumps(value).encode(), CONTEXT)
    except AdaptError as error:
        assert 0 < len(str(error)) < 2_000
    else:
        for each in found:
            assert msgspec.json.decode(msgspec.json.encode(each), type=BlocklistEvent) == each


# What of it changes what is known


def event(kind: str, zone: str = "a.example", monitor: str = "hetrixtools", **more: Any) -> BlocklistEvent:
    fields = {"id": f"{kind}{zone}{monitor}", "time": NOW_MS, "kind": "ip", "resource": IP, "weight": "minor", **more}
    return BlocklistEvent(type=kind, zone=zone, monitor=monitor, **fields)  # type: ignore[arg-type]


def fit(known: OpenListings, *events: BlocklistEvent) -> list[tuple[str, str, Weight]]:
    return [(each.type, each.zone, each.weight) for _, each in reconciled([(7, each) for each in events], known)]


def known(**monitors: tuple[str, ...]) -> OpenListings:
    """Listings in force on `a.example`, ... by who reported them."""
    return {(IP, f"{name}.example"): OpenListing("major", ("127.0.0.2",), set(who)) for name, who in monitors.items()}


def test_listing_begins_once_and_goes_on_with_the_weight_it_has() -> None:
    assert fit({}, event("listed"), event("listed"), event("still_listed")) == [
        ("listed", "a.example", "minor"),
        ("still_listed", "a.example", "minor"),
        ("still_listed", "a.example", "minor"),
    ]
    assert fit(known(a=("",)), event("listed")) == [("still_listed", "a.example", "major")]
    assert fit({}, event("still_listed")) == [("listed", "a.example", "minor")]


def test_what_is_not_among_all_has_ended_where_only_outsiders_reported_it() -> None:
    seen = known(a=("hetrixtools",), b=("", "hetrixtools"), c=("probe",), d=("",))
    found = fit(seen, event("complete", "*", zones=("a.example",)))
    assert found == [("delisted", "c.example", "major")]
    assert fit(seen, event("complete", "*", zones=())) == [("delisted", "a.example", "major")]
    assert fit(seen, event("complete", "*", zones=())) == []


def test_other_resources_stay_as_they_are() -> None:
    assert fit(known(a=("hetrixtools",)), event("complete", "*", resource="192.0.2.18")) == []


def test_what_our_own_scan_saw_is_not_ended_by_others() -> None:
    (found,) = reconciled([(7, event("delisted"))], known(a=("", "hetrixtools")))
    assert (found[1].type, found[1].reason) == (
        "check_failed",
        "hetrixtools sees it no longer; our own scan has yet to say so",
    )
    assert fit(known(a=("hetrixtools",)), event("delisted"))[0][0] == "delisted"


def test_events_of_our_own_scan_are_stored_as_they_are() -> None:
    own = [event(kind, monitor="") for kind in ("listed", "still_listed", "check_failed", "delisted")]
    assert [each for _, each in reconciled([(7, each) for each in own], known(a=("",)))] == own


def test_what_was_fitted_is_fitted_again_to_the_same() -> None:
    events = [(7, event("listed")), (7, event("complete", "*", zones=("a.example",)))]
    once = reconciled(events, known(b=("hetrixtools",)))
    assert reconciled(once, known(b=("hetrixtools",))) == once


# Its ways in


def test_settings_say_what_outside_lists_weigh() -> None:
    settings = Settings(blocklists=Blocklists(outside_weights={"Bl.NsZones.com.": "minor"}, outside_weight="refuse"))
    lists = adapt_context(settings).lists
    assert (lists.weights, lists.unknown) == ({"bl.nszones.com": "minor"}, None)
    assert adapt_context(Settings()).lists.unknown == "informational"
    assert "zen.spamhaus.org" in lists.zones


def test_file_of_bodies_is_sent_by_resource_and_a_bad_record_costs_only_itself() -> None:
    lines = [json.dumps([changed("a.example"), changed(counted=3)]), "{}", json.dumps(changed(resource="x.example"))]
    sent: list[tuple[bytes, bytes]] = []
    found = send_file(
        read_events(io.BytesIO("\n".join(lines).encode()), "hetrixtools", CONTEXT), lambda *pair: sent.append(pair)
    )
    assert (found.events, dict(found.by_type), found.bad.count) == (3, {"listed": 1, "complete": 2}, 2)
    assert [each.first.place for each in found.bad.reasons] == ["line 1, record 2", "line 2"]
    assert [key for key, _ in sent] == [IP.encode()] * 2 + [b"x.example"]
    assert msgspec.json.decode(sent[0][1], type=BlocklistEvent).zone == "a.example"


def test_normalize_prints_blocklist_events() -> None:
    out, problems = io.BytesIO(), io.StringIO()
    raw = io.BytesIO(json.dumps([changed("a.example")]).encode())
    assert normalize(raw, out, problems, "hetrixtools", CONTEXT)
    assert [json.loads(each)["type"] for each in out.getvalue().splitlines()] == ["listed", "complete"]
    assert not normalize(io.BytesIO(b"[{}]"), out, problems, "hetrixtools", CONTEXT)
    assert "field `monitor` is missing" in problems.getvalue()


WATCHED: dict[str, str] = {
    "REPMON_COLLECT__SOURCES": '{"watch": {"format": "hetrixtools", "token": "t"}}',
    "REPMON_BLOCKLISTS__OUTSIDE_WEIGHT": "refuse",
}
TOPIC = "mail.webhooks.hetrixtools"


def test_topic_of_a_source_is_read_as_listings_without_further_settings(tmp_path: Path) -> None:
    settings = load_settings(_empty(tmp_path), WATCHED)
    batch = Batch(SourcePartition(f"{TOPIC}:id:0", TOPIC, 0, SeenIds(1_000_000)), 0, 0)
    payloads = [json.dumps(changed(name)).encode() for name in ("b.barracudacentral.org", "bl.nszones.com")]
    batch_readers(settings)[TOPIC](batch, payloads, [0, 1], utc_now_ms())
    assert [(offset, event.type) for offset, event in batch.listings] == [(0, "listed"), (0, "complete")]
    assert ["'bl.nszones.com' is not in the table" in letter.reason for letter in batch.dead] == [True]


def test_dead_letter_is_read_again_by_the_settings_then_in_force(tmp_path: Path) -> None:
    """It is sent with its resource as the key."""
    body, now_ms = json.dumps(changed("bl.nszones.com")).encode(), utc_now_ms()
    strict = load_settings(_empty(tmp_path), WATCHED)
    with pytest.raises(AdaptError, match="not in the table of zones"):
        Reader(strict.ingest, adapt_context(strict)).key(TOPIC, body, now_ms)
    own = {"REPMON_BLOCKLISTS__OUTSIDE_WEIGHTS": '{"bl.nszones.com": "minor"}'}
    mended = load_settings(_empty(tmp_path), WATCHED | own)
    assert Reader(mended.ingest, adapt_context(mended)).key(TOPIC, body, now_ms) == IP.encode()


def _empty(folder: Path) -> Path:
    file = folder / "repmon.toml"
    file.write_text("")
    return file
