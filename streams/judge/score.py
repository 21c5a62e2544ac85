"""A score from 0 to 100 for each component of a reputation, and overall: the worst of them. Pure.

100 is best. The formula is in docs/score.md: along the thresholds of the policy's rules, by the lower bound of the
rate's interval, as `judge` opens levels; so a score says a level. Overrides excuse from levels and change no score.

Who is not surely bad is not good by that: it must be shown by mail. So the rate of the longest window is taken together
with one more event in as much mail as has one at the mildest threshold (the posterior mean under a gamma prior of that
weight). Without mail it is at the threshold, and with more of the same it goes to the true rate: up for who is better
than the threshold, and never up for who is worse. What is not seen at all counts so in the overall score, else nobody
would be better than who sends where nothing is reported.
"""

from math import isnan

import numpy as np
from numpy.typing import NDArray

from schemas.counts import SEEN_OF, SubjectCounts
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import COUNTED, Metric, window_ms
from schemas.policy_rule import Rule
from schemas.scope import CLASS_PREFIX
from streams.judge.certainty import about_lower, bar_of, reach
from streams.judge.screen import Screened, finished, measured, screen
from streams.subjects.arrays import FIELD_INDEX, FIELDS, Counts, Subjects

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
#: The rates that must be shown to be good by enough mail.
SHOWN_BY_MAIL: frozenset[Metric] = frozenset({"complaint", "failure", "block"})
COMPONENTS = ("complaints", "failures", "blocks", "blacklisting")
#: The columns of what `scores` gives.
SCORES = ("overall", *COMPONENTS)

#: So much above a mark is rounded up to the next whole score.
JUST_ABOVE = 1e-6

Scores = NDArray[np.float64]


def scores(subjects: Subjects, policy: Policy, screened: Screened | None = None) -> Scores:
    """Whole numbers from 0 to 100, a row a subject and a column for each of `SCORES`; nan where there is none.
    `screened` is what `screen` says of them, where that is known already.

    There is none where no rule of a component has enough mail in any window, or where too little of it is observable;
    in the overall score of who has any that counts as little as is shown. That nothing is listed counts only where
    any rate has enough, and is not known of bulk and transactional mail by themselves.
    """
    found = np.full((len(subjects), len(SCORES)), np.nan)
    unproven = np.full(len(subjects), np.nan)
    place_of = {name: place for place, name in enumerate(subjects.windows)}
    screened = screened or screen(subjects, policy)
    ended = finished(subjects.counts)
    for rule in policy.rules:
        if rule.metric in COMPONENT_OF and not rule.mail_to:
            column = SCORES.index(COMPONENT_OF[rule.metric])
            said = _by_rule(rule, subjects, policy, place_of, screened.insufficient_volume, ended)
            if rule.metric in SHOWN_BY_MAIL:
                hidden = screened.unobservable.get(rule.name, np.zeros(len(subjects), np.bool_))
                # What is bad enough for a level is told however little of the mail is seen, as the judge does.
                hidden = hidden & ~(said <= ladder(rule)[1][1])
                said[hidden] = np.nan
                missing = np.isnan(said)
                if missing.any():
                    least = _shown(rule, subjects, policy, place_of, ended)
                    unproven = np.where(missing, np.fmin(unproven, least), unproven)
            found[:, column] = np.fmin(found[:, column], said)
    of_class = {scope for scope in set(subjects.scopes) if scope.startswith(CLASS_PREFIX)}
    if of_class:
        classes = [row for row, scope in enumerate(subjects.scopes) if scope in of_class]
        found[classes, SCORES.index("blacklisting")] = np.nan
    np.fmin.reduce(found[:, 1:], axis=1, out=found[:, 0])
    found[:, 0] = np.where(np.isnan(found[:, 0]), np.nan, np.fmin(found[:, 0], unproven))
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
    rule: Rule,
    subjects: Subjects,
    policy: Policy,
    place_of: dict[str, int],
    insufficient_volume: NDArray[np.bool_],
    ended: Counts,
) -> Scores:
    """What one rule says: of its windows with enough mail the worst, and what the longest of them shows."""
    rates, marks = ladder(rule)
    worst, nothing = np.full(len(subjects), np.nan), np.zeros(len(subjects), np.int64)
    shown = np.full(len(subjects), np.nan)
    top, bottom = measured(rule.metric, subjects.counts, policy.expired_is_failure, rule.counted_weights, ended)
    for window, least in sorted(rule.checks, key=lambda check: window_ms(check[0])):
        # A window that is not there is empty.
        place = place_of.get(window)
        n, d = (nothing, nothing) if place is None else (top[:, place], bottom[:, place])
        if rule.metric in COUNTED:
            said = np.interp(n, rates, marks)
            said[insufficient_volume & (n == 0)] = np.nan
        else:
            said = _of_rate(n, d, rates, marks, bar_of(window, policy.confidence))
            said[d < least] = np.nan
            shown = np.where(d < least, shown, _of_mail(n, d, rates, marks))
        worst = np.fmin(worst, said)
    found: Scores = np.fmin(worst, shown)
    return found


def _shown(rule: Rule, subjects: Subjects, policy: Policy, place_of: dict[str, int], ended: Counts) -> Scores:
    """What the mail of a rule's longest window shows, however little it is. Where it is too small a part of all, a
    sender could choose who sees it: then none counts."""
    rates, marks = ladder(rule)
    place = place_of.get(rule.longest)
    n = d = np.zeros(len(subjects), np.int64)
    if place is not None:
        top, bottom = measured(rule.metric, subjects.counts, policy.expired_is_failure, rule.counted_weights, ended)
        n, d = top[:, place], np.maximum(bottom[:, place], 0)
        if rule.metric in SEEN_OF:
            seen, mail = (subjects.counts[:, place, FIELD_INDEX[name]] for name in SEEN_OF[rule.metric])
            told = seen >= policy.least_observable * mail
            n, d = np.where(told, n, 0), np.where(told, d, 0)
    return _of_mail(n, d, rates, marks)


def _of_mail(top: NDArray[np.int64], bottom: NDArray[np.int64], rates: list[float], marks: list[float]) -> Scores:
    """How good the mail shows a rate to be, above the mildest threshold's score."""
    mildest = rates[1]
    likely = (np.clip(top, 0, bottom) + 1.0) / (bottom + 1.0 / mildest)
    found: Scores = np.maximum(np.interp(likely, rates, marks), marks[1] + JUST_ABOVE)
    return found


def _of_rate(
    top: NDArray[np.int64], bottom: NDArray[np.int64], rates: list[float], marks: list[float], bar: float
) -> Scores:
    """By about the lower bound, but on that side of each mark on which the level is: so a score says a level."""
    said = np.interp(about_lower(top, bottom, bar), rates, marks)
    for rate, mark in zip(rates[1:-1], marks[1:-1], strict=True):
        surely = reach(top, bottom, rate, bar)
        said = np.where(surely, np.minimum(said, mark), np.maximum(said, mark + JUST_ABOVE))
    return said
