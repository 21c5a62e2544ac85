"""Fleets that something hits together, or that somebody abuses: who of them is good, and who is bad.

Each is made from chance alone. The hour of it begins at `BEGIN` of the first day; most have bought lists in that hour.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.verdicts.fleet import DAY, HOUR, PROVIDERS, Fleet, Rates, evenly, history
from benchmarks.verdicts.mail import Ints, Numbers

HISTORY_DAYS = 14
#: The hour of it begins at 10:00 of the first day.
BEGIN = 10 * HOUR


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fleet and who of it is good, and bad; bad ones begin to send in the hour that begins at `BEGIN`. `late` says
    that much is given up together, three days later."""

    fleet: Fleet
    good: Ints
    bad: Ints
    late: bool = False


def _good(rng: np.random.Generator, number: int) -> tuple[Fleet, Ints, Numbers]:
    """A fleet with two weeks of history, of 300 to 20,000 a day each."""
    fleet = Fleet(rng)
    good = fleet.add("good", number)
    a_day = np.exp(rng.uniform(np.log(300), np.log(20_000), number))
    history(fleet, good, a_day, HISTORY_DAYS)
    return fleet, good, a_day


def _bought(fleet: Fleet, number: int, rates: Rates | None = None) -> Ints:
    """Bought lists in the hour: 2,000 recipients within 45 minutes, 12 % unknown."""
    bad = fleet.add("bought", number)
    begin = BEGIN + int(fleet.rng.integers(0, 10)) * 60
    evenly(fleet, bad, np.full(number, 2_000 * 60 / 45), begin, begin + 45 * 60, rates or Rates(hard=0.12, block=0.03))
    return bad


def _day(fleet: Fleet, good: Ints, a_day: Numbers, hours: int, struck: Rates, *, usual: Rates | None = None) -> None:
    """The day of it: so many hours are struck; a quarter sends a day's mail as a mailing in the first. The next days
    are as before."""
    usual = usual or Rates()
    evenly(fleet, good, a_day / 12, 8 * HOUR, BEGIN, usual)
    mailing = np.where(fleet.rng.random(len(good)) < 0.25, a_day, 0.0)
    evenly(fleet, good, a_day / 12 + mailing, BEGIN, BEGIN + HOUR, struck)
    if hours > 1:
        evenly(fleet, good, a_day / 12, BEGIN + HOUR, BEGIN + hours * HOUR, struck)
    evenly(fleet, good, a_day / 12, BEGIN + hours * HOUR, BEGIN + (hours + 3) * HOUR, usual)
    history(fleet, good, a_day, 7, until=8 * DAY)


def at_provider(provider: str | tuple[str, ...], rate: float, usual: float) -> Numbers:
    """A rate at one provider or some, and the usual one elsewhere."""
    return np.where(np.isin(np.array(PROVIDERS), provider), rate, usual)


def _refused(rate: float, good: int, bought: int, rng: np.random.Generator) -> Scenario:
    fleet, who, a_day = _good(rng, good)
    _day(fleet, who, a_day, 1, Rates(hard=at_provider("gmail", rate, 0.004)))
    return Scenario(fleet, who, _bought(fleet, bought, Rates(hard=at_provider("gmail", max(rate, 0.12), 0.12))))


def _slow(rng: np.random.Generator) -> Scenario:
    """For six hours half of what is sent to one provider is deferred, and given up together three days later."""
    fleet, who, a_day = _good(rng, 60)
    _day(fleet, who, a_day, 6, Rates(expired=at_provider("gmail", 0.5, 0.001)))
    return Scenario(fleet, who, _bought(fleet, 20), late=True)


def _blocks(rng: np.random.Generator) -> Scenario:
    """For two hours one provider refuses everybody's mail as spam."""
    fleet, who, a_day = _good(rng, 60)
    _day(fleet, who, a_day, 2, Rates(block=at_provider("gmail", 1.0, 0.002)))
    return Scenario(fleet, who, _bought(fleet, 20))


def _complaints(rng: np.random.Generator) -> Scenario:
    """One provider reports the complaints about three days, with old ones again, within a moment: 1 % of them."""
    fleet, who, a_day = _good(rng, 60)
    _day(fleet, who, a_day, 1, Rates())
    share = np.array([fleet.mixes[each][PROVIDERS.index("yahoo")] for each in who.tolist()])
    for day in range(1, 4):
        at = np.full(len(who), -day * DAY + 14 * HOUR + 600)
        fleet.complain(who, at, "yahoo", rng.poisson(a_day * share * 0.01), BEGIN + 30 * 60)
    return Scenario(fleet, who, _bought(fleet, 20))


def _reported(
    rng: np.random.Generator, *, days: int, good: int = 60, share: float | None = None, steadily: bool = False
) -> Scenario:
    """One provider (of `share` of the mail) reports the complaints about some days within a moment, 1 % of the mail in
    all of its hours. Two customers are complained of everywhere since three days, and a bought list begins. `steadily`
    it reports those of the day before at usual rates, every day."""
    fleet, who, a_day = _good(rng, good)
    place = PROVIDERS.index("yahoo")
    for each in who.tolist() if share is not None else ():
        mix = fleet.mixes[each]
        mix[0] += mix[place] - share
        mix[place] = share
    _day(fleet, who, a_day, 1, Rates())
    hours = np.arange(8, 20)
    shares = np.array([fleet.mixes[each][place] for each in who.tolist()])
    mail = a_day * shares / len(hours)
    for day in range(-7, HISTORY_DAYS) if steadily else range(1, days + 1):
        at = np.tile(-day * DAY + hours * HOUR + 600, len(who))
        complaints = rng.poisson(np.repeat(mail * (0.0004 if steadily else 0.01), len(hours)))
        known = (1 - day) * DAY + BEGIN if steadily else BEGIN
        fleet.complain(np.repeat(who, len(hours)), at, "yahoo", complaints, known + 30 * 60)
    bad = fleet.add("complained", 2)
    history(fleet, bad, np.full(2, 15_000.0), HISTORY_DAYS - 3, until=-3 * DAY)
    for day in (1, 2, 3):
        evenly(fleet, bad, np.full(2, 1_250.0), -day * DAY + 8 * HOUR, -day * DAY + 20 * HOUR, Rates(complained=0.012))
    return Scenario(fleet, who, np.append(bad, _bought(fleet, 1)))


def _abuser(
    provider: str, rng: np.random.Generator, *, aged: bool = False, domain: str = "", good: int = 20
) -> Scenario:
    """60 accounts of one abuser in a smaller fleet, to all providers or to one; with a history or without; on a pool of
    their own, or on everybody's under one From domain, or each under its own (`-`)."""
    fleet, who, a_day = _good(rng, good)
    _day(fleet, who, a_day, 1, Rates())
    bad = fleet.add("abuser", 60, pool="shared" if domain else "theirs", domain=domain.strip("-"))
    if provider:
        fleet.only(bad, provider)
    if aged:
        history(fleet, bad, np.full(60, 100.0), HISTORY_DAYS)
    evenly(fleet, bad, np.full(60, 1_500.0), BEGIN, BEGIN + 40 * 60, Rates(hard=0.25, block=0.05))
    return Scenario(fleet, who, bad)


def _giant(rng: np.random.Generator) -> Scenario:
    """One customer sends most of all mail, and has bought a list of one provider's addresses."""
    fleet, who, a_day = _good(rng, 20)
    _day(fleet, who, a_day, 1, Rates())
    giant = fleet.add("giant", 1)
    history(fleet, giant, np.array([500_000.0]), HISTORY_DAYS)
    rates = Rates(hard=at_provider("gmail", 0.4, 0.004))
    evenly(fleet, giant, np.array([500_000.0]), BEGIN, BEGIN + HOUR, rates)
    return Scenario(fleet, who, giant)


def _partly(rng: np.random.Generator, rate: float, hours: int, *, outcome: str = "hard", good: int = 60) -> Scenario:
    """For some hours a part of one provider's mail is refused: one of its hosts is out of order, say."""
    fleet, who, a_day = _good(rng, good)
    struck = Rates(**{outcome: at_provider("gmail", rate, 0.004)})
    _day(fleet, who, a_day, hours, struck)
    return Scenario(fleet, who, _bought(fleet, 10), late=outcome == "expired")


def _first_mailing(rng: np.random.Generator, *, known: int, new: int, only: str = "") -> Scenario:
    """A provider refuses everybody for an hour, which begins a third into the very first mailing of some customers."""
    fleet, who, a_day = _good(rng, known)
    refused = Rates(hard=at_provider("gmail", 1.0, 0.004))
    _day(fleet, who, a_day, 1, refused)
    first = fleet.add("new", new)
    if only:
        fleet.only(first, only)
    begin = BEGIN - 20 * 60
    evenly(fleet, first, np.full(new, 5_000.0), begin, BEGIN, Rates())
    evenly(fleet, first, np.full(new, 5_000.0), BEGIN, BEGIN + 40 * 60, refused)
    return Scenario(fleet, np.append(who, first), _bought(fleet, 5))


def _several(rng: np.random.Generator, places: tuple[str, ...], rate: float, good: int) -> Scenario:
    """Several providers refuse in the same hour."""
    fleet, who, a_day = _good(rng, good)
    _day(fleet, who, a_day, 1, Rates(hard=at_provider(places, rate, 0.004)))
    return Scenario(fleet, who, _bought(fleet, max(2, good // 6)))


def _night(rng: np.random.Generator) -> Scenario:
    """A provider refuses everybody while only four of a fleet of forty send, 100 recipients an hour each."""
    fleet, who, a_day = _good(rng, 40)
    awake = who[:4]
    evenly(fleet, awake, np.full(4, 100.0), BEGIN, BEGIN + HOUR, Rates(hard=at_provider("gmail", 1.0, 0.004)))
    evenly(fleet, awake, np.full(4, 100.0), BEGIN + HOUR, BEGIN + 4 * HOUR, Rates())
    history(fleet, who, a_day, 7, until=8 * DAY)
    return Scenario(fleet, who, _bought(fleet, 2))


def _good_giant(rng: np.random.Generator, rate: float) -> Scenario:
    """A provider refuses for an hour; one good customer sends two thirds of all mail."""
    fleet, who, a_day = _good(rng, 20)
    giant = fleet.add("giant", 1)
    large = np.array([2 * a_day.sum()])
    history(fleet, giant, large, HISTORY_DAYS)
    who, a_day = np.append(who, giant), np.append(a_day, large)
    _day(fleet, who, a_day, 1, Rates(hard=at_provider("gmail", rate, 0.004)))
    return Scenario(fleet, who, _bought(fleet, 4))


Make = Callable[[np.random.Generator], Scenario]
SCENARIOS: dict[str, Make] = {
    "a provider refuses everybody for an hour, 5.1.1": lambda rng: _refused(1.0, 60, 20, rng),
    "half an outage: a third is refused": lambda rng: _refused(0.35, 60, 20, rng),
    "a slow one of six hours, given up after three days": _slow,
    "a provider blocks everybody for two hours": _blocks,
    "complaints of three days at once": _complaints,
    "complaints of one day at once": lambda rng: _reported(rng, days=1),
    "complaints of five days at once": lambda rng: _reported(rng, days=5),
    "complaints of seven days at once": lambda rng: _reported(rng, days=7),
    "complaints of seven days at once, of a provider of 3 %": lambda rng: _reported(rng, days=7, share=0.03),
    "complaints of three days at once, in a fleet of six": lambda rng: _reported(rng, days=3, good=6),
    "complaints of the day before, every day": lambda rng: _reported(rng, days=0, steadily=True),
    "a fleet of six, one hour refused": lambda rng: _refused(1.0, 6, 2, rng),
    "an abuser of 60 new accounts in a fleet of 20": lambda rng: _abuser("", rng),
    "the same, to one provider alone": lambda rng: _abuser("gmail", rng),
    "the same, aged, on a pool of their own": lambda rng: _abuser("gmail", rng, aged=True),
    "the same, aged, under one From domain": lambda rng: _abuser("gmail", rng, aged=True, domain="abuser.example"),
    "the same, aged, on everybody's pool, each with a domain": lambda rng: _abuser("gmail", rng, aged=True, domain="-"),
    "the same, to all providers": lambda rng: _abuser("", rng, aged=True, domain="-"),
    "the same, aged, in a fleet of 40": lambda rng: _abuser("", rng, aged=True, good=40),
    "one giant with a list of one provider": _giant,
    "a third is refused for three hours": lambda rng: _partly(rng, 0.30, 3),
    "a third is blocked for three hours": lambda rng: _partly(rng, 0.30, 3, outcome="block"),
    "one of five hosts of a provider refuses for two hours": lambda rng: _partly(rng, 0.20, 2),
    "the same, in a fleet of twelve": lambda rng: _partly(rng, 0.20, 2, good=12),
    "a third is given up, of twelve hours": lambda rng: _partly(rng, 0.30, 12, outcome="expired"),
    "it begins within the first mailing of ten of fifty": lambda rng: _first_mailing(rng, known=40, new=10),
    "the same of one in seven, to that provider alone": lambda rng: _first_mailing(rng, known=6, new=1, only="gmail"),
    "two providers refuse everybody at once": lambda rng: _several(rng, ("gmail", "microsoft"), 1.0, 40),
    "half of the mail to three of them": lambda rng: _several(rng, ("gmail", "microsoft", "yahoo"), 0.5, 40),
    "two at once, in a fleet of six": lambda rng: _several(rng, ("gmail", "yahoo"), 1.0, 6),
    "by night, when four send": _night,
    "a good giant of two thirds of the mail, all refused": lambda rng: _good_giant(rng, 1.0),
    "the same, a third refused": lambda rng: _good_giant(rng, 0.35),
}
