"""What was counted of mail since operators released alerts, read for those few whose rules judge only that."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from schemas.counts import SubjectCounts
from schemas.policy import Policy
from streams.alerts.lifecycle import AlertState, SubjectRule
from streams.alerts.outcome import empty
from streams.alerts.release import in_force, judged_since, since
from streams.io.store import Store
from streams.judge.verdict import Judgement
from streams.subjects.arrays import StreamKey
from streams.windows.current import Windows

Judged = tuple[SubjectCounts, Judgement]


def judged_since_releases(
    store: Store,
    policy: Policy,
    windows: Mapping[str, int],
    feedback_loop: Sequence[str],
    judged: Sequence[Judged],
    states: Mapping[SubjectRule, AlertState],
    now_ms: int,
) -> list[Judged]:
    """Judgements (each with its subject) in which rules that operators released count mail since then alone. `windows`
    are the lengths of those that are judged, in ms.

    Those who were released at the same time are read together.

    Raises:
        StoreError: the store failed.
    """
    asked = {(subject.customer, subject.scope) for subject, _ in judged}
    releases: dict[int, dict[StreamKey, dict[str, AlertState]]] = defaultdict(lambda: defaultdict(dict))
    rules = {rule.name: rule for rule in policy.rules}
    for (customer, scope, name), state in states.items():
        rule = rules.get(name)
        if rule is None or (customer, scope) not in asked or not in_force(state.released, rule, now_ms):
            continue
        if state.released is not None:
            releases[state.released.time_ms][customer, scope][name] = state
    found = list(judged)
    for time_ms, released in sorted(releases.items()):
        lengths = {name: since(length, time_ms, now_ms) for name, length in windows.items()}
        reader = Windows.for_policy(store, policy, lengths, feedback_loop, 0, 0)
        read, _ = reader.read({customer for customer, _ in released}, now_ms)
        subjects = read.of_scopes(policy.scopes)
        fresh = {(each.customer, each.scope): each for each in map(subjects.one, range(len(subjects)))}
        for place, (subject, judgement) in enumerate(found):
            key = (subject.customer, subject.scope)
            if key in released:
                since_then = fresh.get(key, empty(*key))
                found[place] = (subject, judged_since(subject, judgement, since_then, released[key], policy))
    return found
