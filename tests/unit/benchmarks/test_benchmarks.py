"""What the benchmarks stand on: mail that counts as they say, a check that finds what is wrong, a report of it all."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from api.stack.adapting import adapt_context
from benchmarks import report, results
from benchmarks.intake_pairs import Side, figures
from benchmarks.log_pairs import KINDS, seconds, write_log
from benchmarks.others import closing
from benchmarks.results import Figure, Machine, Result, Run
from benchmarks.traffic import FORMS, Expected, Message, hour, steady
from benchmarks.verify import ADDRESSED, DEAD, NEGATIVE, ROWS, differences
from jobs.resend.ingest_file import read_events
from schemas.counts import MEASURES
from schemas.event import COMPLAINT_FEEDBACK, NEGATIVE_TYPES, MailEvent
from schemas.settings import Settings
from schemas.times import epoch_ms, utc_now_ms
from streams.adapt import adapter
from streams.bounces.classify import load_bounce_classifier

EVENTS = 5_000
NOW_MS = utc_now_ms()
MACHINE = Machine(processor="some", cores=2, memory_gib=8.0, system="Linux", python="3.11.0", packages={"chdb": "4.4"})


def produced(form: str, *, repeats: bool = True) -> tuple[list[Message], Expected]:
    expected = Expected()
    return list(hour(EVENTS, form, NOW_MS, expected, repeats=repeats)), expected


@pytest.mark.parametrize("form", FORMS)
def test_mail_counts_as_the_benchmark_expects(form: str) -> None:
    messages, expected = produced(form)
    context, adapt, classify = adapt_context(Settings()), adapter(form), load_bounce_classifier()
    events = {each.id: each for message in messages for each in adapt(message.value, context)}
    assert (expected.events, len(events)) == (EVENTS, EVENTS - expected.repeated)
    assert 0 < expected.repeated < EVENTS / 100
    assert expected.bytes == sum(len(message.value) for message in messages)
    assert expected.negative == sum(each.type in NEGATIVE_TYPES for each in events.values())
    assert expected.addressed == sum(bool(each.sending_ip) for each in events.values())

    delivered = {
        e.message_id: e.sent or e.time
        for e in events.values()
        if e.type == "delivered" and e.provider in context.providers.with_feedback_loop()
    }

    def sent(event: MailEvent) -> int:
        is_late = event.asynchronous or event.type in ("complained", "unsubscribed")
        return epoch_ms(event.sent or (delivered.get(event.message_id, 0) if is_late else 0))

    def measures(event: MailEvent) -> Iterator[str]:
        if not sent(event):
            if event.type in ("expired", "unsubscribed"):
                yield f"undated_{event.type}"
            if event.type == "complained" and event.feedback_type in COMPLAINT_FEEDBACK:
                yield "undated_complained"
            if event.asynchronous and (kind := classify(event).kind) != "soft":
                yield f"undated_{kind}"
        if event.type == "bounced":
            yield (kind := classify(event).kind)
            if event.asynchronous:
                yield f"late_{kind}"
        elif event.type == "complained" and event.feedback_type not in COMPLAINT_FEEDBACK:
            yield "reported"
        else:
            yield event.type

    counted = Counter(
        (e.customer, (sent(e) or e.time_ms) // 60_000, name) for e in events.values() for name in measures(e)
    )
    stated = {
        (customer, minute, name): count
        for customer, minute, counts in expected.rows
        for name, count in zip(MEASURES, counts, strict=True)
        if count
    }
    assert counted == stated


def test_closing_adds_one_later_message_for_each_customer() -> None:
    messages, _ = produced("canonical", repeats=False)
    added = list(closing(iter(messages)))[len(messages) :]
    assert {each.key for each in added} == {each.key for each in messages}
    assert all(each.time_ms > messages[-1].time_ms + 60_000 for each in added)


class Answers:
    """In the store's place: what each query answers."""

    def __init__(self, expected: Expected) -> None:
        self.found: dict[str, list[tuple[object, ...]]] = {
            ROWS: [(customer, minute, *counts) for customer, minute, counts in expected.rows],
            ADDRESSED: [(expected.addressed,)],
            NEGATIVE: [(expected.negative,)],
            DEAD: [(0,)],
        }

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return self.found[sql]


def test_a_store_that_is_right_has_no_differences() -> None:
    _, expected = produced("canonical")
    assert list(differences(Answers(expected), expected)) == []


def test_one_event_too_many_or_too_few_is_found() -> None:
    _, expected = produced("canonical")
    answers = Answers(expected)
    customer, minute, delivered, *others = answers.found[ROWS][0]
    assert isinstance(delivered, int)
    answers.found[ROWS] = [(customer, minute, delivered + 1, *others), *answers.found[ROWS][2:]]
    answers.found[NEGATIVE] = [(expected.negative - 1,)]
    found = list(differences(answers, expected))
    assert len(found) == 3
    assert found[0].startswith(f"{customer}, minute {minute}: stored ({delivered + 1}, ")
    assert "stored None" in found[1]
    assert found[2].startswith("negative events: stored ")


def run(contender: str, seconds: float) -> Run:
    return Run(contender=contender, events=1_000_000, seconds=seconds, cpu_seconds=2 * seconds, peak_bytes=10**8)


def test_steady_mail_is_in_order_of_time_and_counted_as_expected() -> None:
    expected, now_ms = Expected(), utc_now_ms()
    messages = list(steady(50, 2_000, 100, now_ms, expected))
    times = [each.time_ms for each in messages]
    assert times == sorted(times)
    assert times[-1] - now_ms == 19_990
    assert expected.events == len({each.value for each in messages}) == 2_000
    sums = [sum(counts[place] for _, _, counts in expected.rows) for place in range(len(MEASURES))]
    assert {MEASURES[at]: total for at, total in enumerate(sums) if total} == {"delivered": 1_960, "hard": 40}


def test_pairs_are_compared_one_by_one() -> None:
    def side(seconds: float, rows: int) -> Side:
        run = Run(contender="x", events=1_000, seconds=seconds, cpu_seconds=seconds, peak_bytes=0)
        return Side(run, rows, 1)

    pairs = [(side(4, 900), side(2, 300)), (side(9, 900), side(3, 300)), (side(2, 900), side(2, 300))]
    found = {each.name: each for each in figures("canonical", "abc", pairs)}
    assert found["canonical: events/s"].value == 2.0
    assert found["canonical: events/s"].note == "median of 3 pairs, 1.00 to 3.00"
    assert found["canonical: rows of counts"].value == 0.3
    assert "offered: events/s" not in {each.name for each in figures("offered", "abc", pairs)}


def test_report_tells_median_spread_and_ratios(tmp_path: Path) -> None:
    runs = [run("raw", 1.0), *(run("ours", seconds) for seconds in (4.0, 5.0, 10.0))]
    kept = Result(name="throughput", command="c", date="2026-01-01", commit="abc", machine=MACHINE, runs=runs)
    (tmp_path / "throughput.json").write_bytes(msgspec.json.encode(kept))
    text = report.report(results.load(tmp_path), tmp_path)
    assert "| repmon ingest, canonical | 1,000,000 | **200,000** | 100,000 to 250,000 | 10.0 |  | 100 |" in text
    assert "| repmon ingest, canonical / raw client, canonical | **0.20** | 0.20 |" in text
    assert "results/throughput.svg" in text
    assert "1,000,000" in (tmp_path / "throughput.svg").read_text()


def test_results_are_what_the_report_writes(tmp_path: Path) -> None:
    """`python -m benchmarks.report` writes them; a chart belongs to them, and is the same again."""
    for file in results.FOLDER.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert report.report(results.load(tmp_path), tmp_path) == report.REPORT.read_text(encoding="utf-8")
    charts = {each.name: each.read_text(encoding="utf-8") for each in tmp_path.glob("*.svg")}
    assert charts == {name: (results.FOLDER / name).read_text(encoding="utf-8") for name in charts}


def test_report_has_a_section_for_a_benchmark_it_does_not_know(tmp_path: Path) -> None:
    figures = [Figure(name="delay", value=0.25, unit="s", note="of all")]
    kept = Result(name="some_delay", command="c", date="2026-01-01", commit="abc", machine=MACHINE, figures=figures)
    (tmp_path / "some_delay.json").write_bytes(msgspec.json.encode(kept))
    text = report.report(results.load(tmp_path), tmp_path)
    assert "## Some delay" in text
    assert "| delay | **0.25** s | of all |" in text


@pytest.mark.parametrize("kind", KINDS)
def test_log_of_a_benchmark_has_an_event_for_each_mail(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "log"
    records = write_log(kind, file, 200, NOW_MS)
    with file.open("rb") as log:
        found = list(read_events(log, kind, adapt_context(Settings())))
    assert records == len(file.read_bytes().splitlines())
    assert len({each.id for each in found if isinstance(each, MailEvent)}) == len(found) == 200


def test_earlier_commit_reads_logs_with_its_own_reader(tmp_path: Path) -> None:
    """The present files are installed, so that they are found for whatever an earlier commit has not."""
    modules = {
        "schemas/providers.py": "def load(): return None",
        "streams/adapt.py": "def Context(*args, **kwargs): return None",
        "jobs/ingest_file.py": "def read_events(*args): return [b'own'] * 3\n"
        "def send_file(events, publish): [publish(b'', event) for event in events]",
    }
    for name, text in modules.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        (file.parent / "__init__.py").touch()
        file.write_text(text)
    log = tmp_path / "log"
    log.touch()
    assert seconds(tmp_path, "kumomta", log, 3, 0) >= 0
