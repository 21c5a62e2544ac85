"""A provider reports complaints at once on a platform's first day, of two customers: nobody can tell, so a person looks
first. Who is complained of everywhere, or where others are spared, is told as ever."""

from collections.abc import Iterator

import pytest

from jobs.operator.incidents import declare_incident
from streams.incidents.stored import read_incidents
from tests.support.api_client import HOUR, MINUTE, Row
from tests.support.fleet import HOUR_11, held, suspended
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

NOW_MS = (HOUR_11 + 30 * MINUTE) * 1000
SHARES = {"gmail": 0.4, "yahoo": 0.3, "comcast": 0.3}


def morning(customer: str, count: int, complained: dict[str, float] | None = None) -> Iterator[Row]:
    """Four hours of mail, of which such shares are complained of."""
    for hour in range(7, 11):
        for provider, share in SHARES.items():
            sent = round(count * share)
            bad = round(sent * (complained or {}).get(provider, 0.0))
            yield Row(HOUR_11 - hour * HOUR, sent, complained=bad, provider=provider, customer=customer)


def test_two_who_are_complained_of_at_one_provider_are_held(ground: Ground) -> None:
    ground.put(*morning("large", 6_000, {"yahoo": 0.01}), *morning("small", 3_000, {"yahoo": 0.012}))
    ground.put(*morning("bad", 6_000, {"yahoo": 0.01, "comcast": 0.008}), *morning("few", 30))
    ground.judge().judge_customers(["large", "small", "bad", "few"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({"large", "small"}, {"bad"})
    (incident,) = read_incidents(ground.store).in_force()
    assert (incident.value, incident.outcome, incident.state) == ("yahoo", "complained", "suspected")
    assert incident.why == "too few sent there to tell whether the complaints are a batch of the provider's"


def test_one_who_is_spared_there_is_enough_to_tell(ground: Ground) -> None:
    ground.put(*morning("large", 6_000, {"yahoo": 0.01}), *morning("small", 3_000, {"yahoo": 0.012}))
    ground.put(*morning("spared", 2_000))
    ground.judge().judge_customers(["large", "small", "spared"], NOW_MS)
    assert (held(ground), suspended(ground)) == (set(), {"large", "small"})


def test_who_was_struck_by_what_is_left_out_already_was_not_spared(ground: Ground) -> None:
    """Complaints without a date count in the hour in which they came, which is an incident; others' count earlier."""
    ground.put(*morning("large", 6_000, {"yahoo": 0.01}), *morning("small", 3_000, {"yahoo": 0.012}))
    ground.put(*morning("undated", 2_000), Row(HOUR_11 + MINUTE, complained=30, provider="yahoo", customer="undated"))
    who, at_ms = {"by": "Ida", "why": "a batch"}, HOUR_11 * 1000
    declare_incident(ground.store, "yahoo", at_ms, at_ms + 1, providers=["yahoo"], now_ms=at_ms, **who)
    judge = ground.judge()
    judge.refresh_incidents(NOW_MS)
    judge.judge_customers(["large", "small", "undated"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({"large", "small"}, set())


def test_mail_of_the_last_hours_does_not_say_that_anybody_was_spared(ground: Ground) -> None:
    """Nobody complained of it yet: it may be of an abuser who began a moment ago."""
    ground.put(*morning("large", 6_000, {"yahoo": 0.01}), *morning("small", 3_000, {"yahoo": 0.012}))
    ground.put(Row(HOUR_11, delivered=9_000, provider="yahoo", customer="began"))
    ground.judge().judge_customers(["large", "small", "began"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({"large", "small"}, set())
