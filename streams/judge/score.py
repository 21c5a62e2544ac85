"""A score from 0 to 100 for each component of a reputation, and overall: the worst of them. Pure.

100 is best. The formula is in docs/score.md: along the thresholds of the policy's rules, by the lower bound of the
rate's interval, as `judge` opens levels; so a score says a level. Overrides excuse from levels and change no score.
"""

from math import isnan

import numpy as np
from numpy.typing import NDArray

from schemas.counts import SubjectCounts
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import COUNTED
from schemas.policy_rule import Rule
from schemas.scope import CLASS_PREFIX
from streams.judge.certainty import about_lower, bar_of, reach
from streams.judge.screen import measured, screen
from streams.subjects.arrays import FIELDS, Subjects

#: The score at the threshold of each level, and the best.
AT_THRESHOLD: dict[Level, float] = {"watch": 85.0, "warning": 70.0, "excessive": 40.0, "critical": 15.0}
BEST, WORST = 100.0, 0.0

#: What each metric is a part of; a metric that is in none is no part of a reputation.
COMPONENT_OF: dict[str, str] = {
    "complaint": "complaints",
    "failure": "failures",
    "block": "blocks",
    "exposure": "blacklisting",
    "critical_listing": "blacklisting",
    "listing_count": "blacklisting",
    "listed_hours": "blacklisting",
    "attributed_listing": "blacklisting",
}
COMPONENTS = ("complaints", "failures", "blocks", "blacklisting")
#: The columns of what `scores` gives.
SCORES = ("overall", *COMPONENTS)

#: So much above a mark is rounded up to the next whole score.
JUST_ABOVE = 1e-6

Scores = NDArray[np.float64]


def scores(subjects: Subjects, policy: Policy) -> Scores:
    """Whole numbers from 0 to 100, a row a subject and a column for each of `SCORES`; nan where there is none.

    There is none where no rule of a component has enough mail in any window. That nothing is listed counts only where
    any rate has enough, and is not known of bulk and transactional mail by themselves.
    """
    found = np.full((len(subjects), len(SCORES)), np.nan)
    place_of = {name: place for place, name in enumerate(subjects.windows)}
    insufficient_volume = screen(subjects, policy).insufficient_volume
    for rule in policy.rules:
        if rule.metric in COMPONENT_OF and not rule.mail_to:
            column = SCORES.index(COMPONENT_OF[rule.metric])
            found[:, column] = np.fmin(
                found[:, column], _by_rule(rule, subjects, policy, place_of, insufficient_volume)
            )
    classes = [row for row, scope in enumerate(subjects.scopes) if scope.startswith(CLASS_PREFIX)]
    found[classes, SCORES.index("blacklisting")] = np.nan
    np.fmin.reduce(found[:, 1:], axis=1, out=found[:, 0])
    # Rounded up, so that the number says the level as well: above 40 is above 40. Marks are hit but for rounding.
    return np.ceil(found - 1e-9)


def score_of(subject: SubjectCounts, policy: Policy) -> dict[str, int | None]:
    """The scores of one subject, by the names in `SCORES`."""
    windows = tuple(subject.windows)
    counts = np.array(
        [[[getattr(subject.windows[window], field) for field in FIELDS] for window in windows]], np.int64
    ).reshape(1, len(windows), len(FIELDS))
    (row,) = scores(Subjects([subject.customer], [subject.scope], windows, counts), policy).tolist()
    return {name: None if isnan(value) else int(value) for name, value in zip(SCORES, row, strict=True)}


def ladder(rule: Rule) -> tuple[list[float], list[float]]:
    """Between which rates (or numbers) and scores a rule's score runs, in straight lines; level beyond the last.

    From the worst threshold on it falls on to the score of the next worse level, which it reaches at twice the
    threshold: a rule that only warns takes nobody's score to where only worse rules lead.
    """
    rates, marks = [0.0], [BEST]
    for rung in rule.ladder:
        rates.append(rung.threshold)
        marks.append(AT_THRESHOLD[rung.level])
    worse = [mark for mark in AT_THRESHOLD.values() if mark < marks[-1]]
    rates.append(2 * rates[-1])
    marks.append(max(worse, default=WORST))
    return rates, marks


def _by_rule(
    rule: Rule, subjects: Subjects, policy: Policy, place_of: dict[str, int], insufficient_volume: NDArray[np.bool_]
) -> Scores:
    """What one rule says: of its windows with enough mail the worst."""
    rates, marks = ladder(rule)
    worst, nothing = np.full(len(subjects), np.nan), np.zeros(len(subjects), np.int64)
    top, bottom = measured(rule.metric, subjects.counts, policy.expired_is_failure, rule.counted_weights)
    for window, least in rule.checks:
        # A window that is not there is empty.
        place = place_of.get(window)
        n, d = (nothing, nothing) if place is None else (top[:, place], bottom[:, place])
        if rule.metric in COUNTED:
            said = np.interp(n, rates, marks)
            said[insufficient_volume & (n == 0)] = np.nan
        else:
            said = _of_rate(n, d, rates, marks, bar_of(window, policy.confidence))
            said[d < least] = np.nan
        worst = np.fmin(worst, said)
    return worst


def _of_rate(
    top: NDArray[np.int64], bottom: NDArray[np.int64], rates: list[float], marks: list[float], bar: float
) -> Scores:
    """By about the lower bound, but on that side of each mark on which the level is: so a score says a level."""
    said = np.interp(about_lower(top, bottom, bar), rates, marks)
    for rate, mark in zip(rates[1:-1], marks[1:-1], strict=True):
        surely = reach(top, bottom, rate, bar)
        said = np.where(surely, np.minimum(said, mark), np.maximum(said, mark + JUST_ABOVE))
    return said
