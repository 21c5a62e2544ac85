"""How many clearly good senders are flagged, by size and kind of sending."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from zlib import crc32

import numpy as np

from benchmarks.verdicts import parameters as p
from benchmarks.verdicts.mail import Mail, good_rates, outcomes, sent_by, volume_of
from benchmarks.verdicts.product import Flag, Product
from benchmarks.verdicts.rivals import FORMERLY, STEPS, Rules, Ses, cusums

DAYS, STEP_MIN = 60, 5
MONTH = DAYS // 2 * 1440 // STEP_MIN


@dataclass
class Tally:
    """Of some senders, each looked at for two months: in how many of these months it was suspended, or flagged."""

    months: int = 0
    suspended: int = 0
    flagged: int = 0

    def add(self, *, suspended: bool, flagged: bool) -> None:
        """One month more."""
        self.months += 1
        self.suspended += suspended
        self.flagged += flagged


@dataclass
class Found:
    """By size and sending the product's; of all together what others say, and the product's first flags."""

    ours: dict[tuple[str, str], Tally] = field(default_factory=dict)
    others: dict[str, Tally] = field(default_factory=dict)
    others_large: dict[str, Tally] = field(default_factory=dict)
    flags: list[tuple[str, str, bool, Flag]] = field(default_factory=list)
    highest: dict[str, list[float]] = field(default_factory=dict)

    def of(self, sizes: tuple[str, ...] = ()) -> Tally:
        """All of these sizes together; all of all without any."""
        some = [each for (size, _), each in self.ours.items() if not sizes or size in sizes]
        return Tally(sum(t.months for t in some), sum(t.suspended for t in some), sum(t.flagged for t in some))


def measure(ours: Product, each: int, seed: int, jitter: float, rivals_of: int) -> Found:
    """`each` senders of each size and kind; every second one's late outcomes are undated. The others are asked about
    the first `rivals_of` of them."""
    found = Found()
    for size, sending in product(p.SIZES, p.SENDINGS):
        tally = found.ours.setdefault((size.name, sending), Tally())
        for number in range(each):
            rng = np.random.default_rng([seed, crc32(f"{size.name} {sending}".encode()), number])
            sent = sent_by(rng, sending, volume_of(rng, size), DAYS, STEP_MIN)
            mail = outcomes(rng, sent, good_rates(rng, jitter), STEP_MIN, dated=number % 2 == 0)
            looks = ours.looked(mail)
            for month in (0, 1):
                span = (month * MONTH, (month + 1) * MONTH)
                flag = ours.first(looks, "watch", *span)
                suspended = flag and ours.first(looks, "excessive", *span)
                tally.add(suspended=suspended is not None, flagged=flag is not None)
                if flag:
                    found.flags.append((size.name, sending, mail.dated, suspended or flag))
            if number < rivals_of:
                for name, days in _others(mail):
                    found.others.setdefault(name, Tally()).add(suspended=days[1], flagged=days[0])
                    if size.name in p.LARGE:
                        found.others_large.setdefault(name, Tally()).add(suspended=days[1], flagged=days[0])
                for metric, values in cusums(mail).items():
                    found.highest.setdefault(metric, []).append(float(values.max()))
    return found


def cusum_limits(found: Found) -> dict[str, float]:
    """For each rate the limit that no more of the good senders pass than we suspended: of as many, the next higher."""
    several = found.of().suspended * len(next(iter(found.highest.values()))) * 2 // max(found.of().months, 1)
    return {metric: sorted(values)[-1 - several] * 1.0001 + 1e-6 for metric, values in found.highest.items()}


def _others(mail: Mail) -> Iterator[tuple[str, tuple[bool, bool]]]:
    judges: list[Rules | Ses] = [FORMERLY, Ses()]
    if mail.dated:
        judges += STEPS[1:]
    for each in judges:
        for month in (0, 1):
            span = slice(month * MONTH, (month + 1) * MONTH)
            yield each.name, (bool(each.flagged(mail, 0)[span].any()), bool(each.flagged(mail, 1)[span].any()))
