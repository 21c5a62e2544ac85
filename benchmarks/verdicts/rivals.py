"""What else one could judge by, for comparison: each gives the first look at which it flags a sender."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdicts.looks import Looks, looked
from benchmarks.verdicts.mail import BLOCK, COMPLAINED, DELIVERED, EXPIRED, HARD, LATE_HARD, LOOPED, Ints, Mail
from schemas.policy import load_policy
from schemas.policy_metric import window_ms
from streams.judge.certainty import bar_of, reach

WINDOWS = {name: window_ms(name) for name in ("5m", "1h", "24h", "7d", "30d")}
Bools = NDArray[np.bool_]
CONFIDENCE = load_policy().confidence
#: 95 %, two-sided.
Z = 1.959963984540054
#: The default policy's thresholds of a warning and of suspension, at commit 1006786 and now, by metric.
THRESHOLDS = {"complaint": (0.001, 0.003), "failure": (0.03, 0.05), "block": (0.10, 0.25)}
#: The windows of the rules, with their minimum volumes at that commit, and now.
FORMER = {
    "complaint": {"24h": 1000, "7d": 1000, "30d": 1000},
    "failure": {"1h": 500, "24h": 200, "7d": 200, "30d": 200},
    "block": {"1h": 500, "24h": 200, "7d": 200},
}
PRESENT = {metric: dict.fromkeys(windows, 500 if metric == "complaint" else 100) for metric, windows in FORMER.items()}
#: `failure_burn`: allowance, minimum volumes, and the burns of a warning and of suspension.
ALLOWED, BURN_LEAST, BURNS = 0.05, {"5m": 100, "1h": 200}, (14.4, 72.0)
MONTH_H = 720.0


def wilson_reaches(n: Ints, d: Ints, rate: float) -> Bools:
    """Whether Wilson's lower bound (95 %) reaches a rate: as commit 1006786 opened a level. Source: E. B. Wilson,
    "Probable inference, the law of succession, and statistical inference", JASA 22 (1927)."""
    found: Bools = (d > 0) & (np.minimum(n, d) >= rate * d)
    share = np.minimum(n[found], d[found]) / d[found]
    z2 = Z * Z / d[found]
    margin = Z * np.sqrt(share * (1 - share) / d[found] + z2 / (4 * d[found]))
    found[found] = (share + z2 / 2 - margin) / (1 + z2) >= rate
    return found


@dataclass(frozen=True)
class Rules:
    """The default policy's rates with another bound, other floors, and outcomes counted when they were known, or where
    their mail is (`on_arrival`)."""

    name: str
    wilson: bool
    former_floors: bool
    on_arrival: bool

    def flagged(self, mail: Mail, place: int) -> Bools:
        """At which looks; `place` is 0 for a warning, 1 for suspension."""
        looks = looked(mail, WINDOWS, on_arrival=self.on_arrival)
        found = np.zeros(mail.steps, np.bool_)
        for metric, windows in (FORMER if self.former_floors else PRESENT).items():
            for window, least in windows.items():
                n, d = looks.rate(metric, window)
                found |= (d >= least) & self._surely(n, d, THRESHOLDS[metric][place], window)
        return found | self._burning(looks, place)

    def _surely(self, n: Ints, d: Ints, rate: float, window: str) -> Bools:
        return wilson_reaches(n, d, rate) if self.wilson else reach(n, d, rate, bar_of(window, CONFIDENCE))

    def _burning(self, looks: Looks, place: int) -> Bools:
        _, month = looks.rate("failure", "30d")
        burning = np.ones(len(month), np.bool_)
        for window, least in BURN_LEAST.items():
            n, d = looks.rate("failure", window)
            pace = MONTH_H / (WINDOWS[window] / 3_600_000) / ALLOWED
            burning &= (d >= least) & (np.minimum(n, d) / np.maximum(month, 1) * pace >= BURNS[place])
            burning &= self._surely(n, d, ALLOWED, window)
        return burning


FORMERLY = Rules("as at 1006786", wilson=True, former_floors=True, on_arrival=True)
#: One step of Part 7 each.
STEPS = (
    FORMERLY,
    Rules("outcomes with their mail", wilson=True, former_floors=True, on_arrival=False),
    Rules("bound for all looks", wilson=False, former_floors=False, on_arrival=True),
    Rules("both", wilson=False, former_floors=False, on_arrival=False),
)


@dataclass(frozen=True)
class Ses:
    """The thresholds that Amazon SES documents: review at 5 % bounces or 0.1 % complaints, pause at 10 % or 0.5 %,
    over a *representative volume* that differs by account. How large it is they do not say; here it is what was sent in
    the last 7 days, but at least the last 1,000 recipients, and nobody is judged before that. Bounces are hard ones."""

    name: str = "thresholds of SES"
    least: int = 1_000
    days: int = 7

    def flagged(self, mail: Mail, place: int) -> Bools:
        """At which looks; `place` is 0 for a review, 1 for a pause."""
        arrived = _counted(mail, mail.late.seen)
        sent = _summed(arrived[[DELIVERED, HARD, BLOCK, EXPIRED]].sum(axis=0))
        looped = _summed(arrived[LOOPED])
        found = np.zeros(mail.steps, np.bool_)
        for failed, of, threshold in (
            (arrived[HARD] + arrived[LATE_HARD], sent, (0.05, 0.10)[place]),
            (arrived[COMPLAINED], looped, (0.001, 0.005)[place]),
        ):
            total = _summed(failed)
            ends = np.arange(1, mail.steps + 1)
            begins = np.maximum(ends - self.days * 1440 // mail.step_min, 0)
            enough = np.searchsorted(of, of[1:] - self.least, side="right") - 1
            begins = np.minimum(begins, np.maximum(enough, 0))
            d, n = of[1:] - of[begins], total[1:] - total[begins]
            found |= (d >= self.least) & (n >= threshold * d)
        return found


#: The likelihood ratios of the CUSUM: from an acceptable rate to one that is not, for suspension.
CUSUM_RATES: Mapping[str, tuple[float, float]] = {
    "failure": (0.03, 0.10),
    "complaint": (0.001, 0.005),
    "block": (0.10, 0.40),
}


@dataclass(frozen=True)
class Cusum:
    """Page's cumulative sum of log likelihood ratios for each rate (E. S. Page, "Continuous inspection schemes",
    Biometrika 41, 1954). `limits` are tuned to a rate of false alarms. It is told every outcome when the mail is sent,
    which nobody can know: over outcomes as they come, every large mailing's expiries drown it."""

    limits: Mapping[str, float]
    name: str = "CUSUM"

    def flagged(self, mail: Mail, _place: int) -> Bools:
        """At which looks."""
        found = np.zeros(mail.steps, np.bool_)
        for metric, values in cusums(mail).items():
            found |= values >= self.limits[metric]
        return found


def cusums(mail: Mail) -> dict[str, NDArray[np.float64]]:
    """The sums of each rate by step."""
    return dict(_cusums(mail))


def _cusums(mail: Mail) -> Iterator[tuple[str, NDArray[np.float64]]]:
    known = _counted(mail, mail.late.sent)
    finished = known[[DELIVERED, HARD, BLOCK, EXPIRED]].sum(axis=0)
    failed = {
        "failure": (known[[HARD, LATE_HARD, EXPIRED]].sum(axis=0), finished),
        "complaint": (known[COMPLAINED], known[LOOPED]),
        "block": (known[BLOCK], finished),
    }
    for metric, (n, d) in failed.items():
        low, high = CUSUM_RATES[metric]
        steps = np.cumsum(n * log(high / low) + (d - n) * log((1 - high) / (1 - low)))
        yield metric, steps - np.minimum(np.minimum.accumulate(steps), 0)


def _counted(mail: Mail, at: Ints) -> Ints:
    """Outcomes by step, late ones at the given."""
    found = mail.prompt.copy()
    np.add.at(found, (mail.late.kind, at), mail.late.n)
    return found


def _summed(values: Ints) -> Ints:
    return np.concatenate(([0], np.cumsum(values)))
