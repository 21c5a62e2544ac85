"""Which of many subjects need judging one by one: hardly any. Pure.

Most subjects are below every threshold. For these it is known without judging each that every verdict is good; what is
left to say is whether there was enough mail to say so. `judge` says the same of each of them, only slower.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.counts import FAILURES, FINISHED, RATIOS, SEEN_OF
from schemas.listing import Weight
from schemas.policy import Policy
from schemas.policy_metric import BURNS, COUNTED, DEFAULT_WEIGHTS, REPORTED_SPAM, SPIKE, Metric
from schemas.policy_rule import Rule
from schemas.times import HOUR_S
from streams.judge.certainty import bar_of, reach
from streams.judge.spikes import exceeds, score
from streams.subjects.arrays import FIELD_INDEX, LISTED_S_OF, LISTINGS_OF, Counts, Subjects


class Screened(NamedTuple):
    """One entry a subject: whether a rate reaches a threshold, and whether every rate had too little mail.

    `unobservable` are by the names of rules those of whom too little is seen, where there are any.
    """

    remarkable: NDArray[np.bool_]
    insufficient_volume: NDArray[np.bool_]
    unobservable: Mapping[str, NDArray[np.bool_]]


def screen(subjects: Subjects, policy: Policy) -> Screened:
    """What the policy's rules say of each subject, overrides aside: a subject that has one is to be judged by itself.

    A subject that is not remarkable has good verdicts only.
    """
    remarkable = np.zeros(len(subjects), np.bool_)
    insufficient_volume = np.ones(len(subjects), np.bool_)
    place_of = {name: place for place, name in enumerate(subjects.windows)}
    ended: dict[tuple[str, ...], Counts] = {}
    for rule in policy.rules:
        if rule.metric == SPIKE:
            remarkable[_spiking(rule, subjects)] = True
            continue
        # A window that is not there is empty, so it has too little mail.
        checks = [(window, place_of[window], least) for window, least in rule.checks if window in place_of]
        counts = subjects.mail_to(rule.mail_to)
        if rule.mail_to not in ended:
            ended[rule.mail_to] = finished(counts)
        top, bottom = measured(
            rule.metric, counts, policy.expired_is_failure, rule.counted_weights, ended[rule.mail_to]
        )
        if rule.metric in BURNS:
            burning, enough = _burning(rule, place_of, top, bottom)
            remarkable |= burning
            if rule.telling:
                insufficient_volume &= ~enough
            continue
        for window, place, least in checks:
            if rule.metric in COUNTED:
                remarkable |= top[:, place] >= rule.thresholds[0]
                continue
            n, d = top[:, place], bottom[:, place]
            enough = d >= least
            surely = (
                np.minimum(n, d) / np.maximum(d, 1) >= rule.thresholds[0]
                if rule.metric == REPORTED_SPAM
                else reach(n, d, rule.thresholds[0], bar_of(window, policy.confidence))
            )
            remarkable |= enough & surely
            if rule.telling:
                insufficient_volume &= ~enough
    if not any(rule.telling for rule in policy.rules):
        insufficient_volume[:] = False
    return Screened(remarkable, insufficient_volume, unobservable(subjects, policy))


def unobservable(subjects: Subjects, policy: Policy) -> dict[str, NDArray[np.bool_]]:
    """By the names of rules, of whom too little is seen; rules of which that is nobody are left out."""
    place_of = {name: place for place, name in enumerate(subjects.windows)}
    found = {
        rule.name: _unseen(rule, place_of, subjects.mail_to(rule.mail_to), policy.least_observable)
        for rule in policy.rules
        if rule.metric in SEEN_OF
    }
    return {name: rows for name, rows in found.items() if rows.any()}


def _unseen(rule: Rule, place_of: Mapping[str, int], counts: Counts, least_share: float) -> NDArray[np.bool_]:
    """`judge.unseen` of many subjects at once."""
    asks, sees = np.zeros((2, len(counts)), np.bool_)
    seen, mail = (FIELD_INDEX[name] for name in SEEN_OF[rule.metric])
    for window, least in rule.checks:
        if window in place_of:
            at = counts[:, place_of[window]]
            asks |= at[:, mail] >= least
            sees |= (at[:, seen] >= least) & (at[:, seen] >= least_share * at[:, mail])
    return asks & ~sees


def _spiking(rule: Rule, subjects: Subjects) -> list[int]:
    """The places of those whose hour is unusual, among the few of whom it is known what is usual."""
    ((window, least),) = rule.checks
    if not subjects.baselines or window not in subjects.windows:
        return []
    volumes = finished(subjects.counts[:, subjects.windows.index(window)])
    return [
        place
        for place, usual in subjects.baselines.items()
        if (volume := int(volumes[place])) >= least
        and exceeds(volume, usual, rule)
        and score(volume, usual) >= rule.thresholds[0]
    ]


def _burning(
    rule: Rule, place_of: Mapping[str, int], top: Counts, bottom: Counts
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whose burn may reach a threshold in every window, and who has enough mail in every one."""
    reached, enough = np.ones((2, len(top)), np.bool_)
    period = bottom[:, place_of[rule.reads[-1]]] if rule.reads[-1] in place_of else np.zeros(len(top), np.int64)
    for window, least in rule.checks:
        if window not in place_of:
            return np.zeros_like(reached), np.zeros_like(enough)
        n, d = top[:, place_of[window]], bottom[:, place_of[window]]
        enough &= d >= least
        reached &= np.minimum(n, d) / np.maximum(d, 1) >= rule.allowed
        # The same arithmetic as in `verdict.spending`.
        reached &= np.minimum(n, d) / np.maximum(np.maximum(period, d), 1) * rule.paces[window] >= rule.thresholds[0]
    return reached & enough, enough


def measured(
    metric: Metric,
    counts: Counts,
    expired_is_failure: bool,
    weights: Sequence[Weight] = DEFAULT_WEIGHTS,
    ended: Counts | None = None,
) -> tuple[Counts, Counts]:
    """Numerators and denominators of a metric, as in `judge.measured`, with the axes of `counts` but the last. `ended`
    is what `finished` says of them, where that is known already: it takes most of the time."""
    if metric in FAILURES:
        hard = _field(counts, "hard")
        failed = hard + _field(counts, "expired") if expired_is_failure else hard
        return failed, finished(counts) if ended is None else ended
    if metric in RATIOS:
        top, bottom = (
            ended if name == "finished" and ended is not None else _named(counts, name) for name in RATIOS[metric]
        )
        return top, bottom
    number = _number(metric, counts, weights)
    return number, np.ones_like(number)


def finished(counts: Counts) -> Counts:
    """Recipients whose fate is known: see `schemas.counts.FINISHED`."""
    total = np.zeros_like(_field(counts, "delivered"))
    for name, sign in FINISHED.items():
        if sign > 0:
            total += _field(counts, name)
        else:
            total -= _field(counts, name)
    return total


def _number(metric: Metric, counts: Counts, weights: Sequence[Weight]) -> Counts:
    match metric:
        case "listing_count":
            return _summed(counts, LISTINGS_OF, weights)
        case "listed_hours":
            return _summed(counts, LISTED_S_OF, weights) // HOUR_S
        case "attributed_listing":
            return _field(counts, "attributed_listings")
        case "new_from_domain":
            return _field(counts, "new_from_domains")
        case _:
            return _field(counts, "critical_listings")


def _summed(counts: Counts, places: Mapping[Weight, int], weights: Sequence[Weight]) -> Counts:
    total: Counts = counts[..., [places[weight] for weight in weights]].sum(axis=-1)
    return total


def _named(counts: Counts, name: str) -> Counts:
    return finished(counts) if name == "finished" else _field(counts, name)


def _field(counts: Counts, name: str) -> Counts:
    found: Counts = counts[..., FIELD_INDEX[name]]
    return found
