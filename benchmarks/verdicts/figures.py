"""What was found, as the report keeps it: a name that begins with its table's, a value, in words what is behind it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import exp, isfinite, isnan, lgamma, log
from statistics import median

from benchmarks.results import Figure
from benchmarks.verdicts import parameters as p
from benchmarks.verdicts.bad import ANY_LEVEL, Seen, Table
from benchmarks.verdicts.chance.trial import BadOne, TrialResult
from benchmarks.verdicts.fleet import HOUR
from benchmarks.verdicts.good import Found, Tally
from benchmarks.verdicts.incidents import Compared, MassListing, Snowshoe
from benchmarks.verdicts.steady import Flagged, Until

PER = 10_000
MONTHS = "a month, per 10,000"


def of_good(found: Found) -> Iterator[Figure]:
    """Good senders who were flagged, by size and sending, and by what."""
    yield from _tallied("good senders", "all", found.of())
    yield from _tallied("good senders", "those above 100,000 recipients", found.of(p.LARGE))
    for (size, sending), tally in found.ours.items():
        yield from _tallied("good senders by size and sending", f"{size}, {sending}", tally, both=False)
    for (rule, window, level), number in Counter(
        (flag.rule, flag.window, flag.level) for *_, flag in found.flags
    ).most_common():
        yield Figure(name=f"good senders: flagged by {rule} ({window})", value=number, unit=f"months, {level}")
    for name, tally in found.others.items():
        yield from _tallied("good senders, others", name, tally)
        yield from _tallied("good senders, others", f"{name}, above 100,000", found.others_large[name])


def of_bad(table: Table, snowshoe: Seen) -> Iterator[Figure]:
    """How many were found within the hour, and what was sent until then."""
    for kind, by_judge in table.items():
        ours = by_judge["ours"]
        others = "; ".join(
            f"{name} {_said(seen)}" for name, seen in by_judge.items() if name not in ("ours", ANY_LEVEL)
        )
        warned = by_judge[ANY_LEVEL]
        note = f"{_said(ours)}; at any level {warned.within_hour} within the hour, median {warned.volume:,.0f}"
        yield Figure(name=f"bad senders: {kind}", value=ours.volume, unit="recipients until", note=note)
        yield Figure(name=f"bad senders, others: {kind}", value=ours.of, unit="each", note=others)
    yield Figure(
        name="bad senders: snowshoe, 30 accounts of 45 a day on one pool or From domain, 12 % unknown",
        value=snowshoe.volume,
        unit="recipients until",
        note=_said(snowshoe),
    )


def of_steady(flagged: Iterable[Flagged], until: Iterable[Until]) -> Iterator[Figure]:
    """Who is flagged near a threshold, and how soon above it."""
    for each in flagged:
        yield Figure(
            name=f"steady senders below a threshold: {each.threshold.metric} {each.threshold.rate:.1%}, "
            f"{each.a_day:,} a day, at {each.times:g} of it",
            value=100 * each.ours / each.senders,
            unit="% flagged in 30 days",
            note=f"of {each.senders}; as at 1006786 {each.formerly / each.senders:.0%}",
        )
    for one in until:
        compared = one.ours / one.formerly if isfinite(one.ours) and isfinite(one.formerly) else float("nan")
        yield Figure(
            name=f"steady senders above a threshold: {one.threshold.metric} {one.threshold.rate:.1%}, "
            f"{one.a_day:,} a day, at {one.times:g} times, {'after a good month' if one.turned else 'from the start'}",
            value=one.ours if isfinite(one.ours) else -1,
            unit="recipients until" if isfinite(one.ours) else "(most not within 30 days)",
            note=f"as at 1006786 {one.formerly:,.0f}" + ("" if isnan(compared) else f": {compared:.1f} times"),
        )


def of_incidents(
    compared: Iterable[Compared], listings: Iterable[MassListing], snowshoes: Iterable[Snowshoe]
) -> Iterator[Figure]:
    """What hit many customers together, through the product with its store."""
    for each in compared:
        ours, guard, without = each.ours, each.guard, each.without
        yield Figure(
            name=f"incidents: {each.name}",
            value=ours.suspended,
            unit=f"of {ours.good} good ones suspended",
            note=(f"{ours.held} held; " if ours.held else "")
            + f"bad ones found {ours.found} of {ours.bad}, {ours.within_hour} within the hour; "
            f"guard of twelve lines: {guard.suspended} suspended, {guard.found} found; without either: "
            f"{without.suspended} suspended",
        )
    for mass in listings:
        yield Figure(
            name=f"incidents: a critical list names {mass.listed} of {mass.good} addresses at once",
            value=mass.suspended,
            unit=f"of {mass.good} good ones suspended",
            note=f"one that another list names alone is {'' if mass.alone_found else 'not '}found; "
            f"by the rule alone all {mass.listed} would be",
        )
    for one in snowshoes:
        yield Figure(
            name="incidents: snowshoe, 30 accounts of 45 a day on one pool, "
            + ("one From domain" if one.one_domain else "From domains of their own"),
            value=one.suspended,
            unit=f"of {one.good} good ones suspended",
            note=f"what they share is excessive after {one.hours:.1f} h",
        )


def of_random(found: Iterable[tuple[str, Sequence[TrialResult]]], *, whole: bool = True) -> Iterator[Figure]:
    """Fleets from chance alone, by direction: what happened to the good ones; and of all directions, if it is the
    `whole`, that and when the bad ones were found."""
    every: list[TrialResult] = []
    for direction, some in found:
        every += some
        yield from _of_fleets(direction, some)
    if not whole:
        return
    yield from _of_fleets("all", every)
    kinds = sorted({each.kind for result in every for each in result.bad})
    for kind in kinds:
        yield _bad_ones(kind, [each for result in every for each in result.bad if each.kind == kind])


def _of_fleets(what: str, some: Sequence[TrialResult]) -> Iterator[Figure]:
    good, suspended = sum(each.good for each in some), sum(len(each.suspended) for each in some)
    held, told = sum(len(each.held) for each in some), sum(len(each.told) for each in some)
    bad = [each for result in some for each in result.bad]
    least, most = clopper_pearson(suspended, good)
    yield Figure(
        name=f"random fleets: {what}",
        value=suspended,
        unit=f"of {good:,} good ones suspended",
        note=f"{len(some)} fleets; {100 * least:.2f} to {100 * most:.2f} % (Clopper and Pearson, 95 %); "
        f"{held} held, {told} told anything "
        f"milder; of {len(bad)} bad ones {sum(each.seconds is not None for each in bad)} found",
    )


def _bad_ones(kind: str, some: Sequence[BadOne]) -> Figure:
    found = [each for each in some if each.seconds is not None]
    delays = [each.seconds / 60 for each in found if each.seconds is not None]
    held = [each for each in found if each.held]
    let_go = sum(each.acted is not None and each.acted <= HOUR for each in held)
    of_these = f", {let_go} of these not any more within the hour" if held else ""
    note = f"{len(found)} of {len(some)} found ({len(held)} held{of_these}), "
    note += f"{sum(each <= 60 for each in delays)} within the hour"
    note += f", median {median(delays):,.0f} min, longest {max(delays):,.0f}" if delays else ""
    volume = median(each.volume for each in found) if found else -1
    return Figure(name=f"random fleets, bad ones: {kind}", value=volume, unit="recipients until", note=note)


def clopper_pearson(seen: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a rate (ratios), by halving: C. Clopper, E. Pearson, Biometrika 26 (1934)."""
    tail = (1 - confidence) / 2
    least = 0.0 if seen == 0 else _halved(lambda rate: 1 - _at_most_of(seen - 1, of, rate) < tail)
    most = 1.0 if seen == of else _halved(lambda rate: _at_most_of(seen, of, rate) > tail)
    return least, most


def _halved(is_below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        rate = (low + high) / 2
        low, high = (rate, high) if is_below(rate) else (low, rate)
    return high


def _at_most_of(seen: int, of: int, rate: float) -> float:
    """The chance of at most so many of some (binomial)."""
    if rate <= 0 or rate >= 1:
        return 1.0 if rate <= 0 else 0.0
    ways = (lgamma(of + 1) - lgamma(n + 1) - lgamma(of - n + 1) for n in range(seen + 1))
    return sum(exp(each + n * log(rate) + (of - n) * log(1 - rate)) for n, each in enumerate(ways))


def highest_rate(seen: int, of: int, confidence: float = 0.95) -> float:
    """The highest rate (a ratio) that goes with so few, with this confidence: 3 / n for none (the rule of three)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        if _at_most(seen, of * rate) > 1 - confidence:
            low = rate
        else:
            high = rate
    return high


def _at_most(seen: int, expected: float) -> float:
    """The chance of at most so many where so many are expected (Poisson)."""
    return sum(exp(n * log(expected) - expected - lgamma(n + 1)) for n in range(seen + 1)) if expected > 0 else 1.0


def _tallied(table: str, what: str, tally: Tally, *, both: bool = True) -> Iterator[Figure]:
    for name, number in (("suspended", tally.suspended), ("any level", tally.flagged)):
        if number or both:
            note = f"{number} of {tally.months:,} months; at most {PER * highest_rate(number, tally.months):.1f} (95 %)"
            yield Figure(
                name=f"{table}: {what}, {name}", value=PER * number / max(tally.months, 1), unit=MONTHS, note=note
            )


def _said(seen: Seen) -> str:
    if not seen.found:
        return f"0 of {seen.of}"
    after = f"{seen.minutes:,.0f} min" if seen.minutes < 600 else f"{seen.minutes / 1440:.1f} days"
    return f"{seen.found} of {seen.of}, {seen.within_hour} within the hour, median {seen.volume:,.0f} in {after}"
