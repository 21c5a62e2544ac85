"""What mailbox providers report, as lines."""

from collections.abc import Iterator, Sequence

from jobs.poll.reading import ProviderReading
from jobs.poll.stored import StoredReading
from schemas.wording import percent

NAMES = {"postmaster": "Gmail", "snds": "Microsoft"}


def lines(readings: Sequence[StoredReading]) -> Iterator[str]:
    """A line for each reading: `2026-11-28  Gmail  news.acme.com  spam_rate  0.12 %  (acme)`."""
    for each in readings:
        about = f" {each.about}" if each.about else ""
        whose = f"  ({each.customer})" if each.customer else ""
        yield (f"{each.day}  {NAMES[each.source]:9}  {each.resource}  {each.measure}{about}  {figure(each)}{whose}")


def figure(reading: ProviderReading) -> str:
    """What was reported: `0.12 %`, `below 0.1 %`, `1,894`, `GREEN`."""
    if reading.rate is not None:
        return f"{'below ' if reading.below else ''}{percent(reading.rate)}"
    return f"{reading.number:,}" if reading.number is not None else reading.said
