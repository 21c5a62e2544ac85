"""A leap day tells the year of the lines before it too, in logs that have none."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.resend.inputs import find_inputs
from jobs.resend.read_inputs import InputsReader
from jobs.resend.years import Years, years_of
from schemas.event import MailEvent
from schemas.providers import load_providers
from schemas.times import utc_time
from streams.adapt import Context, FormatOptions

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
POSTFIX = (
    "{} mx1 postfix/smtp[8]: AA22CC33D{}: to=<a@b.example>, relay=mx[192.0.2.1]:25, dsn=2.0.0, status=sent (250 ok)"
)
#: Exim's, through the system log.
EXIM = "{} mx1 exim[8]: 1uAAA{}-000000-AA => a@b.example F=<a@acme.example> R=dns T=smtp H=mx [192.0.2.1]"


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def dates(words: list[Path], format_name: str = "postfix", now: datetime = NOW) -> list[str]:
    context = Context(
        hash_key=b"a key",
        providers=load_providers(),
        mapping={format_name: FormatOptions(default_customer="house")},
        clock=lambda: ms(now),
    )
    inputs = find_inputs([str(each) for each in words], format_name, context)
    found = InputsReader(inputs, format_name, context, lambda *_: None, lambda _: None).events()
    return [f"{utc_time(each.time_ms):%Y-%m-%d}" for each in found if isinstance(each, MailEvent)]


def log(path: Path, days: list[str], shape: str = POSTFIX, begin: str = "") -> Path:
    lines = [shape.format(f"{day} 10:11:12", number) for number, day in enumerate(days)]
    path.write_text(begin + "".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize("begin", ["", "<22>", "\ufeff"], ids=["bare", "priority", "mark"])
@pytest.mark.parametrize(("format_name", "shape"), [("postfix", POSTFIX), ("exim", EXIM)], ids=["postfix", "exim"])
def test_lines_before_a_leap_day_are_of_its_year(tmp_path: Path, format_name: str, shape: str, begin: str) -> None:
    days = {
        "Dec 31": "2023-12-31",
        "Jan  1": "2024-01-01",
        "Feb 28": "2024-02-28",
        "Feb 29": "2024-02-29",
        "Mar  1": "2024-03-01",
        "Aug 31": "2024-08-31",
        "Dec 30": "2024-12-30",
        "Feb  1": "2025-02-01",
    }
    assert dates([log(tmp_path / "log", [*days], shape, begin)], format_name) == [*days.values()]


def test_leap_day_of_a_later_file_tells_of_earlier_ones(tmp_path: Path) -> None:
    first = log(tmp_path / "mail.log.3", ["Feb 10"])
    packed = tmp_path / "mail.log.2.gz"
    packed.write_bytes(gzip.compress(log(tmp_path / "text", ["Feb 28", "Feb 29"]).read_bytes()))
    last = log(tmp_path / "mail.log", ["Mar  1"])
    assert dates([last, packed, first]) == ["2024-02-10", "2024-02-28", "2024-02-29", "2024-03-01"]


def test_leap_day_is_the_latest_that_is_not_of_the_future(tmp_path: Path) -> None:
    days = log(tmp_path / "log", ["Feb 28", "Feb 29"])
    assert dates([days], now=datetime(2028, 2, 29, 11, tzinfo=UTC)) == ["2028-02-28", "2028-02-29"]
    assert dates([days], now=datetime(2028, 2, 25, tzinfo=UTC)) == ["2024-02-28", "2024-02-29"]


def test_log_goes_on_over_the_end_of_a_year_though_lines_cross(tmp_path: Path) -> None:
    days = ["Feb 28", "Feb 29", "Mar  1", "Feb 29", "Aug  1", "Dec 31", "Jan  1", "Dec 31", "Jan  2", "Jun  1"]
    assert dates([log(tmp_path / "log", days)]) == [
        "2024-02-28", "2024-02-29", "2024-03-01", "2024-02-29", "2024-08-01", "2024-12-31", "2025-01-01", "2024-12-31",
        "2025-01-02", "2025-06-01",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "Feb 29 2024 10:11:12 mx1 a[1]: x",
        "2024-02-29T10:11:12Z mx1 a[1]: x",
        "Feb 28 10:11:12 mx1 a[1]: on Feb 29 10:1",
    ],
)
def test_file_without_such_a_day_is_read_as_ever(tmp_path: Path, line: str) -> None:
    path = tmp_path / "log"
    path.write_text(f"Feb 28 10:11:12 mx1 a[1]: x\n{line}\n")
    assert years_of([path, tmp_path / "none"], ms(NOW)) is None
    path.write_text("Feb 28 10:11:12 mx1 a[1]: x\n" + "y" * 200_000 + "\nFeb 29 10:11:12 mx1 a[1]: x\n")
    assert years_of([path], ms(NOW)) is not None
    assert years_of([path], None) is None


def test_line_of_the_future_and_what_is_no_time_stay_as_they_are() -> None:
    years = Years(ms(NOW))
    assert years.told(b"Feb 29 10:11:12 x") == b"Feb 29 2024 10:11:12 x"
    for each in (b"Xyz 29 10:11:12 x", b"Feb 29 2020 10:11:12 x", b"", b"\n"):
        assert years.told(each) == each
    for _ in range(2):
        for month in (b"Jul", b"Dec", b"Jan"):
            years.told(month + b"  1 10:11:12 x")
    assert years.told(b"Jul  1 10:11:12 x") == b"Jul  1 2026 10:11:12 x"
    assert years.told(b"Dec  2 10:11:12 x") == b"Dec  2 10:11:12 x"
