"""Judging after an operator released a held alert: its rule counts mail sent since, as if windows began then. Pure.

So what was released cannot open again by the outcomes that it was released from, however late they come or however the
windows slide; what is sent from then on is judged as ever, and with the rule's longest window the release is over. A
number of listings is no part of any mail: it must exceed what it was.
"""

from collections.abc import Mapping

import msgspec

from schemas.counts import SubjectCounts
from schemas.policy import Policy
from schemas.policy_metric import Metric, window_ms
from schemas.policy_rule import Rule
from schemas.times import HOUR_S, MINUTE_S
from streams.alerts.lifecycle import AlertState, Release
from streams.judge.verdict import Judgement, Verdict, judge, with_verdicts
from streams.subjects.arrays import is_long

#: Numbers of listings that are in force: those of before the release still are.
IN_FORCE: frozenset[Metric] = frozenset({"critical_listing", "listing_count", "attributed_listing"})


def in_force(release: Release | None, rule: Rule, now_ms: int) -> bool:
    """Whether a release still matters to a rule: its longest window reaches back beyond it."""
    return release is not None and now_ms < release.time_ms + window_ms(rule.longest)


def since(length_ms: int, release_ms: int, now_ms: int) -> int:
    """The length in ms of a window that ends now, where it must not reach back beyond a release (epoch ms).

    Windows begin at a full minute, or hour where they are long: so up to a minute (hour) after the release is left out.
    """
    now_s, release_s = now_ms // 1000, -(-release_ms // 1000)
    grain = HOUR_S if is_long(length_ms) else MINUTE_S
    if (now_s - length_ms // 1000) // grain * grain >= release_s:
        return length_ms
    found = now_s - -(-release_s // MINUTE_S) * MINUTE_S
    if is_long(found * 1000):
        found = now_s - -(-release_s // HOUR_S) * HOUR_S
    return found * 1000


def judged_since(
    subject: SubjectCounts,
    judgement: Judgement,
    fresh: SubjectCounts,
    states: Mapping[str, AlertState],
    policy: Policy,
) -> Judgement:
    """The judgement with those rules judged by `fresh`, what was counted of mail since the release, whose release is in
    force. `states` are the subject's alerts by rule, all released at the same time."""
    rules = policy.rules_for(subject.customer, subject.scope, judgement.now_ms)
    verdicts = list(judgement.verdicts)
    for place, rule in enumerate(rules):
        state = states.get(rule.name)
        if state is None or state.released is None or not in_force(state.released, rule, judgement.now_ms):
            continue
        if rule.metric in IN_FORCE:
            verdicts[place] = beyond_release(verdicts[place], state, rule, judgement.now_ms)
        else:
            verdicts[place] = judge(_merged(subject, fresh, rule), policy, judgement.now_ms).verdicts[place]
    return with_verdicts(judgement, tuple(verdicts), policy)


def beyond_release(verdict: Verdict, state: AlertState, rule: Rule, now_ms: int) -> Verdict:
    """The verdict of a rule about what is in force: good, unless it counts more than when its alert was released."""
    release = state.released
    if rule.metric not in IN_FORCE or release is None or not in_force(release, rule, now_ms):
        return verdict
    return _good(verdict) if verdict.numerator <= release.number else verdict


def _good(verdict: Verdict) -> Verdict:
    return msgspec.structs.replace(verdict, level="good", holding_level="good")


def _merged(subject: SubjectCounts, fresh: SubjectCounts, rule: Rule) -> SubjectCounts:
    """The rule's windows of fresh mail; what it is compared with, such as a burn's period, stays as it is."""
    windows = {name: counts for name, counts in subject.windows.items() if name not in rule.windows}
    windows |= {name: counts for name, counts in fresh.windows.items() if name in rule.windows}
    return msgspec.structs.replace(subject, windows=windows, by_provider=fresh.by_provider)
