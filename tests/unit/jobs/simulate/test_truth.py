"""The ground truth of the simulator: it equals a recount, and its verdicts have clear margins."""

from collections import defaultdict
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.simulate.fleet import build_fleet
from jobs.simulate.ledger import Ledger
from jobs.simulate.profiles import SimulationError
from jobs.simulate.timed import TimedMessage
from jobs.simulate.traffic import Traffic, generate
from jobs.simulate.truth import Counts, DomainTruth, StreamTruth, TrueVerdict, Truth, lower_bound, read_truth, verdict
from schemas.counts import WindowCounts
from schemas.event import COMPLAINT_FEEDBACK, MailEvent
from schemas.times import HOUR_MS
from schemas.topics import MAIL_EVENTS

START_MS = 1_790_000_000_000
EVENT = msgspec.json.Decoder(MailEvent)
#: What the reply codes of the simulated servers mean; written by hand, not taken from the code under test.
MEANING = {
    (550, "5.1.1"): "hard",
    (550, "5.1.2"): "hard",
    (550, "5.2.1"): "hard",
    (452, "4.2.2"): "soft",
    (552, "5.2.2"): "soft",
    (550, "5.7.1"): "block",
    (554, "5.7.1"): "block",
}

Sums = dict[str, int]


def recount(sent: list[TimedMessage], fbl_domains: frozenset[str]) -> dict[tuple[str, str], tuple[Sums, Sums]]:
    """By customer and stream, from the bytes alone: counts of events and of their repeats."""
    found: dict[tuple[str, str], tuple[Sums, Sums]] = defaultdict(lambda: (defaultdict(int), defaultdict(int)))
    seen: set[str] = set()
    for each in sent:
        if each.topic != MAIL_EVENTS:
            continue
        event = EVENT.decode(each.value)
        sums = found[event.customer, event.stream][event.id in seen]
        seen.add(event.id)
        if event.type == "bounced":
            kind = MEANING[event.smtp_code, event.enhanced_status]
            sums[kind] += 1
            if event.asynchronous:
                sums[f"late_{kind}"] += 1
        elif event.type == "complained" and event.feedback_type not in COMPLAINT_FEEDBACK:
            sums["reported"] += 1
        else:
            sums[event.type] += 1
            if event.type in ("delivered", "complained") and event.recipient_domain in fbl_domains:
                sums[f"fbl_{event.type}"] += 1
    return found


def reported(counts: Counts) -> Sums:
    return {name: number for name, number in msgspec.to_builtins(counts).items() if number}


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    customers=st.integers(1, 40),
    messages=st.integers(0, 3_000),
    hours=st.integers(1, 72),
    fbl_domains=st.none() | st.frozensets(st.sampled_from(["gmail.com", "yahoo.com", "web.de", "x.example"])),
)
def test_truth_equals_a_recount_of_the_bytes_sent(
    seed: int, customers: int, messages: int, hours: int, fbl_domains: frozenset[str] | None
) -> None:
    fleet = build_fleet(seed, customers, fbl_domains)
    sent = list(generate(fleet, START_MS, START_MS + hours * HOUR_MS, messages, seed))
    ledger = Ledger(fleet)
    for each in sent:
        ledger.record(each)
    truth = ledger.truth()
    counted = recount(sent, fleet.fbl_domains)
    for customer in truth.customers:
        for stream in customer.streams:
            once, again = counted.pop((customer.name, stream.stream), ({}, {}))
            assert reported(stream.counts) == once
            assert reported(stream.duplicates) == again
        assert customer.counts == sum((each.counts for each in customer.streams), Counts())
    assert not counted
    mail = [each for each in sent if each.topic == MAIL_EVENTS]
    assert truth.events == len(mail)
    assert truth.events - truth.duplicates == len({EVENT.decode(each.value).id for each in mail})
    assert truth.listing_events == len(sent) - len(mail)


def test_domain_split_adds_up_and_names_only_domains_with_a_feedback_loop() -> None:
    fleet = build_fleet(1, 10)
    ledger = Ledger(fleet)
    for each in generate(fleet, START_MS, START_MS + 24 * HOUR_MS, 20_000, 1):
        ledger.record(each)
    streams = [stream for customer in ledger.truth().customers for stream in customer.streams]
    assert sum(each.counts.fbl_complained for each in streams) > 0
    for stream in streams:
        assert set(stream.domains) == fleet.fbl_domains
        total = DomainTruth(
            fbl_delivered=sum(each.fbl_delivered for each in stream.domains.values()),
            fbl_complained=sum(each.fbl_complained for each in stream.domains.values()),
        )
        assert total == DomainTruth(
            fbl_delivered=stream.counts.fbl_delivered, fbl_complained=stream.counts.fbl_complained
        )


def test_complaint_that_comes_after_the_end_is_not_in_the_truth() -> None:
    fleet = build_fleet(1, 20)
    ledger = Ledger(fleet)
    traffic = Traffic(fleet, 1, START_MS, START_MS + HOUR_MS)
    for each in traffic.generate(START_MS, START_MS + HOUR_MS, 20_000):
        ledger.record(each)
    before = sum(each.counts.complained for each in ledger.truth().customers)
    for each in traffic.generate(START_MS + HOUR_MS, START_MS + 48 * HOUR_MS, 0):
        ledger.record(each)
    assert sum(each.counts.complained for each in ledger.truth().customers) > before


counts = st.builds(Counts, **{name: st.integers(0, 10**6) for name in Counts.__struct_fields__})


@given(counts)
def test_finished_follows_the_rule_of_the_product(some: Counts) -> None:
    assert some.finished == WindowCounts(**reported(some)).finished


@given(counts, counts)
def test_counts_add_measure_by_measure(one: Counts, other: Counts) -> None:
    for name in Counts.__struct_fields__:
        assert getattr(one + other, name) == getattr(one, name) + getattr(other, name)


@pytest.mark.parametrize(
    ("profile", "counts", "listings", "expected"),
    [
        ("bad_list", Counts(delivered=460, hard=40), 0, "flag"),
        ("bad_list", Counts(delivered=461, hard=38), 0, "either"),
        ("bad_list", Counts(delivered=930, hard=70), 0, "either"),
        ("complainer", Counts(delivered=4000, fbl_delivered=1500, fbl_complained=9), 0, "flag"),
        ("complainer", Counts(delivered=4000, fbl_delivered=1500, fbl_complained=8), 0, "either"),
        ("complainer", Counts(delivered=4000, fbl_delivered=1499, fbl_complained=90), 0, "either"),
        ("snowshoe", Counts(delivered=200), 1, "flag"),
        ("snowshoe", Counts(delivered=200), 0, "either"),
        ("good", Counts(delivered=1000, hard=6, fbl_delivered=400, fbl_complained=1), 0, "clean"),
        ("good", Counts(), 0, "clean"),
        ("good", Counts(delivered=18, hard=2, fbl_delivered=9, fbl_complained=1), 0, "clean"),
        ("sloppy", Counts(delivered=9780, hard=220, fbl_delivered=4000, fbl_complained=4), 0, "clean"),
        ("sloppy", Counts(delivered=4700, hard=300), 0, "either"),
        ("sloppy", Counts(delivered=4000, fbl_delivered=4000, fbl_complained=20), 0, "either"),
        ("good", Counts(delivered=800, block=200), 0, "either"),
        ("good", Counts(delivered=1000, hard=100), 0, "flag"),
    ],
)
def test_verdict_has_clear_margins(profile: str, counts: Counts, listings: int, expected: TrueVerdict) -> None:
    assert verdict(profile, counts, listings)[0] == expected


@pytest.mark.parametrize(
    ("hits", "total", "expected"),
    [(0, 100, 0.0), (0, 0, 0.0), (10, 100, 0.05523), (1, 20, 0.00888), (100, 100, 0.96301)],
)
def test_lower_bound_is_wilsons(hits: int, total: int, expected: float) -> None:
    """Expected values worked out by hand from the formula of the score interval with z = 1.96."""
    assert lower_bound(hits, total) == pytest.approx(expected, abs=1e-5)


# ---- the file


def a_truth() -> Truth:
    fleet = build_fleet(1, 8)
    ledger = Ledger(fleet)
    for each in generate(fleet, START_MS, START_MS + 24 * HOUR_MS, 500, 1):
        ledger.record(each)
    return ledger.truth()


def test_truth_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    truth = a_truth()
    file = tmp_path / "truth.json"
    truth.write(file)
    assert read_truth(file) == truth
    assert list(tmp_path.iterdir()) == [file]


def test_writing_again_replaces_the_file(tmp_path: Path) -> None:
    file = tmp_path / "truth.json"
    file.write_text("older")
    a_truth().write(file)
    assert read_truth(file).events > 0


def test_truth_that_cannot_be_written_or_read_names_the_file(tmp_path: Path) -> None:
    missing = tmp_path / "no-such-folder" / "truth.json"
    with pytest.raises(SimulationError, match=r"no-such-folder.*cannot be written"):
        a_truth().write(missing)
    with pytest.raises(SimulationError, match=r"no-such-folder.*cannot be read"):
        read_truth(missing)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(SimulationError, match=r"folder: cannot be written"):
        a_truth().write(folder)
    assert list(tmp_path.iterdir()) == [folder], "no half of it stays"
    other = tmp_path / "other.json"
    other.write_text('{"seed": "one"}')
    with pytest.raises(SimulationError, match=r"other\.json: not a truth file: .*seed"):
        read_truth(other)


def test_stream_truth_keeps_duplicates_apart() -> None:
    stream = StreamTruth(
        stream="news",
        stream_class="bulk",
        counts=Counts(delivered=10),
        duplicates=Counts(delivered=1),
        domains={},
    )
    assert (stream.counts + stream.duplicates).delivered == 11
