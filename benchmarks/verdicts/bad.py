"""Bad senders: whether they are found, after how long and how much mail, by us and by others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from statistics import median
from zlib import crc32

import numpy as np

from benchmarks.verdicts.mail import DAY_MIN, Ints, Mail, Rates, joined, outcomes, steadily
from benchmarks.verdicts.product import Product
from benchmarks.verdicts.rivals import FORMERLY, Cusum, Ses
from schemas.levels import Level
from streams.judge.certainty import bar_of, reach

#: Each bad sender is looked at every minute, those that last for weeks every five.
FAST_MIN, SLOW_MIN = 1, 5
#: A good history lasts so long.
BEFORE_DAYS = 30
A_DAY = 3_000
NIGHT_MIN = 3 * 60
#: Ours, at whatever level.
ANY_LEVEL = "at any level"


@dataclass(frozen=True, slots=True)
class Sender:
    """All mail of somebody, and the bad part of it, which begins at a step; and what level must be reached."""

    mail: Mail
    bad: Ints
    begin: int
    level: Level = "excessive"


@dataclass(frozen=True, slots=True)
class Bad:
    """A kind of bad sender: made from chance alone."""

    name: str
    make: Callable[[np.random.Generator], Sender]


@dataclass(frozen=True, slots=True)
class Seen:
    """By one judge: how many of those it was asked about were found, and the medians of bad recipients sent and of
    minutes until then, over those found; `within_hour` were found within an hour of the first bad mail."""

    found: int
    of: int
    within_hour: int
    volume: float
    minutes: float


def measure(ours: Product, kinds: Sequence[Bad], each: int, seed: int, limits: Mapping[str, float]) -> "Table":
    """Every kind of bad sender, `each` times, by every judge."""
    table: Table = {}
    for kind in kinds:
        steps: dict[str, list[tuple[float, float] | None]] = {}
        for number in range(each):
            rng = np.random.default_rng([seed, crc32(kind.name.encode()), number])
            sender = kind.make(rng)
            sent = np.cumsum(sender.bad[sender.begin :])
            looks = ours.looked(sender.mail)
            flag = ours.first(looks, sender.level, sender.begin)
            _put(steps, "ours", sender, sent, flag.step if flag else None)
            seen = flag and ours.first(looks, "watch", sender.begin)
            _put(steps, ANY_LEVEL, sender, sent, seen.step if seen else None)
            for other in (FORMERLY, Ses(), Cusum(limits)):
                place = 0 if sender.level == "warning" else 1
                at = np.flatnonzero(other.flagged(sender.mail, place)[sender.begin :])
                _put(steps, other.name, sender, sent, int(at[0]) + sender.begin if len(at) else None)
        table[kind.name] = {name: _seen(found) for name, found in steps.items()}
    return table


Table = dict[str, dict[str, Seen]]


def snowshoe(ours: Product, runs: int, seed: int, accounts: int = 30, a_day: float = 45.0) -> Seen:
    """Small accounts that share a pool or From domain, each with 12 % of unknown recipients: as the scopes `pool` and
    `from` judge those together who are too small in a window (`streams.windows.pools`), or any account by itself."""
    found: list[tuple[float, float] | None] = []
    for number in range(runs):
        rng = np.random.default_rng([seed, crc32(b"snowshoe"), number])
        rates = Rates(hard=0.12, expired=0.01, block=0.05, complained=0.003, looped=0.3)
        mails = [
            outcomes(rng, steadily(rng, a_day, BEFORE_DAYS, SLOW_MIN), rates, SLOW_MIN, dated=True)
            for _ in range(accounts)
        ]
        looks = [ours.looked(mail) for mail in mails]
        reached = np.zeros(mails[0].steps, np.bool_)
        for rule in ours.policy.rules:
            if rule.metric not in ("failure", "complaint", "block"):
                continue
            for window, least in rule.checks:
                small_n, small_d = np.zeros((2, mails[0].steps), np.int64)
                for each in looks:
                    n, d = each.rate(rule.metric, window)
                    small_n += np.where(d < least, n, 0)
                    small_d += np.where(d < least, d, 0)
                excessive = dict(rule.levels.given()).get("excessive")
                if excessive is not None:
                    bar = bar_of(window, ours.policy.confidence)
                    reached |= (small_d >= least) & reach(small_n, small_d, excessive, bar)
        alone = [flag.step for each in looks if (flag := ours.first(each, "excessive"))]
        first = min([*np.flatnonzero(reached)[:1].tolist(), *alone], default=None)
        sent = np.cumsum(sum(mail.sent for mail in mails))
        found.append(None if first is None else (float(sent[first]), float((first + 1) * SLOW_MIN)))
    return _seen(found)


def kinds() -> list[Bad]:
    """All of them."""
    found = [Bad("190 recipients, 20 % unknown", partial(_list, 190, 0.20, 10, aged=False))]
    for share in (0.08, 0.12, 0.20):
        for recipients in (1_000, 20_000):
            name = f"bought list of {recipients:,}, {share:.0%} unknown"
            found.append(Bad(name, partial(_list, recipients, share, 20 if recipients == 1_000 else 60, aged=False)))
    found += [
        Bad("the same of 20,000, 12 %, by a customer of long standing", partial(_list, 20_000, 0.12, 60, aged=True)),
        Bad("stolen account at 3 am, 20,000, 15 %", partial(_stolen, 20_000)),
        Bad("stolen account at 3 am, 2,000, 15 %", partial(_stolen, 2_000)),
        Bad("one provider only, 2,000, 12 % unknown, 20 % refused", _one_provider),
        Bad("complaints 0.5 %, from the first day", partial(_complained, 0.005, "excessive", aged=False)),
        Bad("complaints 0.5 %, after a good month", partial(_complained, 0.005, "excessive", aged=True)),
        Bad("complaints 0.2 %, from the first day (to warn)", partial(_complained, 0.002, "warning", aged=False)),
        Bad("complaints 0.2 %, after a good month (to warn)", partial(_complained, 0.002, "warning", aged=True)),
        Bad("slow poisoning: 0.5 to 8 % within 30 days, from 5 % on", _poisoned),
    ]
    return found


def _put(
    steps: dict[str, list[tuple[float, float] | None]], name: str, sender: Sender, sent: Ints, step: int | None
) -> None:
    at = None
    if step is not None:
        at = (float(sent[step - sender.begin]), float((step + 1 - sender.begin) * sender.mail.step_min))
    steps.setdefault(name, []).append(at)


def _seen(found: Sequence[tuple[float, float] | None]) -> Seen:
    some = [each for each in found if each is not None]
    return Seen(
        found=len(some),
        of=len(found),
        within_hour=sum(minutes <= 60 for _, minutes in some),
        volume=median(volume for volume, _ in some) if some else float("nan"),
        minutes=median(minutes for _, minutes in some) if some else float("nan"),
    )


def _history(rng: np.random.Generator, days: int, behind: int, step_min: int, *, aged: bool) -> Mail:
    """A good customer's mail, and behind it as many more days of it."""
    sent = steadily(rng, A_DAY if aged else 0, days + behind, step_min)
    rates = Rates(hard=0.005, expired=0.002, block=0.002, complained=0.0002, looped=0.32, jitter=0.3)
    return outcomes(rng, sent, rates, step_min, dated=True)


def _with(rng: np.random.Generator, history: Mail, sent: Ints, rates: Rates, level: Level = "excessive") -> Sender:
    mail = outcomes(rng, sent, rates, history.step_min, dated=True)
    return Sender(joined(history, mail), mail.sent, int(np.flatnonzero(sent)[0]), level)


def _burst(rng: np.random.Generator, steps: int, begin: int, recipients: int, length: int) -> Ints:
    sent = np.zeros(steps, np.int64)
    sent[begin : begin + length] = rng.multinomial(recipients, np.full(length, 1 / length))
    return sent


def _list(recipients: int, share: float, minutes: int, rng: np.random.Generator, *, aged: bool) -> Sender:
    days = BEFORE_DAYS if aged else 1
    history = _history(rng, days, 5, FAST_MIN, aged=aged)
    begin = (days - 1) * DAY_MIN + 600
    rates = Rates(hard=share, expired=0.01, block=0.03, complained=0.003, looped=0.32)
    return _with(rng, history, _burst(rng, history.steps, begin, recipients, minutes), rates)


def _stolen(recipients: int, rng: np.random.Generator) -> Sender:
    history = _history(rng, BEFORE_DAYS, 1, FAST_MIN, aged=True)
    begin = BEFORE_DAYS * DAY_MIN + NIGHT_MIN
    rates = Rates(hard=0.15, expired=0.02, block=0.08, complained=0.005, looped=0.32)
    return _with(rng, history, _burst(rng, history.steps, begin, recipients, 60), rates)


def _one_provider(rng: np.random.Generator) -> Sender:
    history = _history(rng, 1, 5, FAST_MIN, aged=False)
    rates = Rates(hard=0.12, expired=0.0, block=0.2, complained=0.0, looped=0.0)
    return _with(rng, history, _burst(rng, history.steps, 600, 2_000, 30), rates)


def _complained(rate: float, level: Level, rng: np.random.Generator, *, aged: bool) -> Sender:
    """A mailing of 10,000 every day."""
    before = BEFORE_DAYS if aged else 0
    history = _history(rng, before, BEFORE_DAYS, SLOW_MIN, aged=False)
    per_day = DAY_MIN // SLOW_MIN
    daily = np.zeros(history.steps, np.int64)
    for day in range(before + BEFORE_DAYS):
        daily += _burst(rng, history.steps, day * per_day + 120, 10_000, 8)
    good = Rates(hard=0.005, expired=0.002, block=0.002, complained=0.0002, looped=0.32)
    turned, kept = daily.copy(), daily.copy()
    turned[: before * per_day] = 0
    kept[before * per_day :] = 0
    history = joined(history, outcomes(rng, kept, good, SLOW_MIN, dated=True))
    bad = Rates(hard=0.005, expired=0.002, block=0.002, complained=rate, looped=0.32)
    return _with(rng, history, turned, bad, level)


def _poisoned(rng: np.random.Generator) -> Sender:
    """The list goes bad by and by: what counts is from the day on which more than 5 % of it fail."""
    days = 2 * BEFORE_DAYS
    sent = steadily(rng, A_DAY, days, SLOW_MIN)
    per_day = DAY_MIN // SLOW_MIN
    parts: list[Mail] = []
    begin = 0
    for day in range(days):
        rate = 0.005 if day < BEFORE_DAYS else 0.005 + (day - BEFORE_DAYS + 1) / BEFORE_DAYS * 0.075
        begin = begin or (day * per_day if rate > 0.05 else 0)
        today = np.zeros_like(sent)
        today[day * per_day : (day + 1) * per_day] = sent[day * per_day : (day + 1) * per_day]
        rates = Rates(hard=rate, expired=0.002, block=0.002, complained=0.0002, looped=0.32)
        parts.append(outcomes(rng, today, rates, SLOW_MIN, dated=True))
    mail = reduce(joined, parts)
    return Sender(mail, mail.sent, begin)
