"""The mail of a fleet to several providers, and who of it was accused."""

import random
from collections.abc import Iterator

from tests.support.api_client import HOUR, NOW, Row
from tests.support.judging import Ground

#: The hour of the outage is the whole one before `NOW` (12:34:56): its first minute, epoch s.
HOUR_11 = NOW // HOUR * HOUR - HOUR
SHARES = {"gmail": 0.46, "yahoo": 0.16, "outlook": 0.16, "icloud": 0.07, "other": 0.15}


def mail(customer: str, at: int, count: int, hard: float, chance: random.Random, failing: str = "") -> Iterator[Row]:
    """So much mail of one minute, of which a share is hard; all of it at a provider that is failing."""
    for provider, share in SHARES.items():
        sent = round(count * share)
        if sent:
            bad = sent if provider == failing else sum(chance.random() < hard for _ in range(sent))
            yield Row(at, delivered=sent - bad, hard=bad, provider=provider, customer=customer, stream="news")


def accused(ground: Ground) -> set[str]:
    """Who was ever told to be excessive or worse."""
    return {each.data.customer for each in ground.sent if each.data.level in ("excessive", "critical")}


def suspended(ground: Ground) -> set[str]:
    """Who was told to be excessive or worse by an alert that is not held."""
    every = [each.data for each in ground.sent if each.data.level in ("excessive", "critical")]
    return {each.customer for each in every if each.held is None}


def held(ground: Ground) -> set[str]:
    """Whose alerts are held."""
    return {each.data.customer for each in ground.sent if each.data.held is not None}
