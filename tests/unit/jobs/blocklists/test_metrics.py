"""What the scan says of itself while zones take their turns, one after the other."""

from dataclasses import replace

from jobs.blocklists.answer import Clear, Failed, Listed, Look
from jobs.blocklists.listing_life import ReportedListing, State
from jobs.blocklists.metrics import ScanMetrics
from jobs.blocklists.result import ScanResult, scan_result
from jobs.blocklists.trusted_lookups import TrustedLookups
from jobs.blocklists.zone_trust import ZoneFamily
from schemas.blocklists import Zone

NOW = 1_764_576_000_000
MINUTE = 60_000
ONE = Zone(zone="one.example", kind="ip", weight="major", any_code=True)
OTHER = Zone(zone="other.example", kind="ip", weight="minor", any_code=True)
SPAM = Listed("major", "spam", ("127.0.0.2",))
LOST = Failed("SERVFAIL")


def state(zone: Zone, looked_ms: int) -> State:
    listing = ReportedListing(
        kind="ip",
        resource="192.0.2.1",
        zone=zone.zone,
        weight=zone.weight,
        codes=("127.0.0.2",),
        confirmed=True,
        said_ms=NOW,
    )
    return State(listing=listing, looked_ms=looked_ms)


def turn(
    zone: Zone, outcome: Listed | Clear | Failed, minute: int, one_ms: int, other_ms: int, reason: str = ""
) -> ScanResult:
    """A turn of one zone at that minute; both list 192.0.2.1, and were last answered at those times."""
    states = {("192.0.2.1", each.zone): state(each, at) for each, at in ((ONE, one_ms), (OTHER, other_ms))}
    held = ZoneFamily(zone.zone, "ipv4")
    found = TrustedLookups([Look("192.0.2.1", zone, outcome)], (held,), {held: reason} if reason else {})
    return scan_result(found, [], states, NOW + minute * MINUTE)


def test_listing_is_unchecked_from_a_look_without_an_answer_until_one_with() -> None:
    numbers = ScanMetrics()
    numbers.note(turn(ONE, SPAM, 0, NOW, NOW), second_looks=False)
    assert (numbers.open_listings, numbers.unchecked_listings) == (2, 0)
    numbers.note(turn(OTHER, LOST, 10, NOW, NOW), second_looks=False)
    assert numbers.unchecked_listings == 1
    numbers.note(turn(ONE, SPAM, 20, NOW + 20 * MINUTE, NOW), second_looks=False)
    assert numbers.unchecked_listings == 1
    numbers.note(turn(OTHER, SPAM, 30, NOW, NOW + 30 * MINUTE), second_looks=True)
    assert numbers.unchecked_listings == 0


def test_oldest_answer_is_that_of_the_listing_longest_without_one() -> None:
    numbers = ScanMetrics()
    numbers.note(turn(ONE, SPAM, 20, NOW + 20 * MINUTE, NOW), second_looks=False)
    assert numbers.oldest_answer_seconds == 20 * 60


def test_listing_that_only_an_outside_monitor_reported_is_no_missing_answer() -> None:
    """It is no failure of ours to get an answer."""
    found = turn(ONE, SPAM, 20, NOW + 20 * MINUTE, NOW)
    reported = found.states["192.0.2.1", OTHER.zone].listing
    assert reported is not None
    outside = State(listing=replace(reported, monitor="hetrixtools"), looked_ms=NOW)
    numbers = ScanMetrics()
    numbers.note(replace(found, states={**found.states, ("192.0.2.1", OTHER.zone): outside}), second_looks=False)
    assert (numbers.open_listings, numbers.oldest_answer_seconds) == (2, 0)


def test_zone_is_not_trusted_until_its_next_test_says_otherwise() -> None:
    numbers = ScanMetrics()
    numbers.note(turn(ONE, LOST, 0, NOW, NOW, "refuses"), second_looks=False)
    numbers.note(turn(OTHER, SPAM, 1, NOW, NOW), second_looks=False)
    assert numbers.distrusted_zones == 1
    numbers.note(turn(ONE, SPAM, 10, NOW, NOW), second_looks=False)
    assert numbers.distrusted_zones == 0


def test_second_looks_are_no_turn() -> None:
    numbers = ScanMetrics()
    numbers.note(turn(ONE, SPAM, 0, NOW, NOW), second_looks=True)
    assert (numbers.scans, numbers.last_scan_ms, numbers.looks) == (0, 0, 1)
    numbers.note(turn(ONE, SPAM, 1, NOW, NOW), second_looks=False)
    assert (numbers.scans, numbers.last_scan_ms, numbers.looks) == (1, NOW + MINUTE, 2)
