"""What windows hold at each look, as the product reads them: short ones begin at a minute, long ones at an hour."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdicts.mail import BLOCK, COMPLAINED, DELIVERED, EXPIRED, HARD, KINDS, LATE_HARD, LOOPED, Ints, Mail
from streams.subjects.arrays import is_long


@dataclass(frozen=True, slots=True)
class Looks:
    """`counts` has the axes kind, window and step: what each window of `windows` (names, lengths in ms) holds when it
    is looked at at the end of a step. With `on_arrival` outcomes were counted when they were known."""

    mail: Mail
    windows: Mapping[str, int]
    counts: Ints
    on_arrival: bool

    def of(self, kind: int, window: str) -> Ints:
        """One kind in one window, by step."""
        found: Ints = self.counts[kind, list(self.windows).index(window)]
        return found

    def rate(self, metric: str, window: str) -> tuple[Ints, Ints]:
        """Numerator and denominator of a metric by step, before anything is spread."""
        if metric == "complaint":
            return self.of(COMPLAINED, window), self.of(LOOPED, window)
        finished = self.of(DELIVERED, window) + self.of(HARD, window) + self.of(BLOCK, window)
        if self.mail.dated or self.on_arrival:
            finished = finished + self.of(EXPIRED, window)
        if metric == "block":
            return self.of(BLOCK, window), finished
        return self.of(HARD, window) + self.of(LATE_HARD, window) + self.of(EXPIRED, window), finished


def looked(mail: Mail, windows: Mapping[str, int], *, on_arrival: bool = False) -> Looks:
    """All looks at one sender's mail. What is not dated is counted when it is known in any case."""
    steps, step_ms = mail.steps, mail.step_min * 60_000
    summed = np.zeros((KINDS, steps + 1), np.int64)
    np.cumsum(mail.prompt, axis=1, out=summed[:, 1:])
    late = mail.late
    sent = late.seen if on_arrival or not mail.dated else late.sent
    counts = np.empty((KINDS, len(windows), steps), np.int64)
    ends = np.arange(1, steps + 1)
    for place, length in enumerate(windows.values()):
        width = length // step_ms
        grain = max(1, 3_600_000 // step_ms) if is_long(length) else 1
        begins = np.maximum((ends - width) // grain * grain, 0)
        counts[:, place] = summed[:, 1:] - summed[:, begins]
        # The first look at which a step has left the window.
        left = (sent // grain + 1) * grain + width - 1
        for kind in np.unique(late.kind):
            chosen = (late.kind == kind) & (left > late.seen)
            change = np.bincount(late.seen[chosen], late.n[chosen], steps + 1)[: steps + 1]
            change -= np.bincount(np.minimum(left[chosen], steps), late.n[chosen], steps + 1)
            counts[kind, place] += np.cumsum(change)[:steps].astype(np.int64)
    return Looks(mail, windows, counts, on_arrival)


def hourly(values: Ints, step_min: int) -> Ints:
    """Sums by the hour of what is given by step."""
    per_hour = 60 // step_min
    whole = len(values) // per_hour * per_hour
    found: NDArray[np.int64] = values[:whole].reshape(-1, per_hour).sum(axis=1)
    return found
