"""Holds as a monitor keeps them: who rises is counted in the store, so that several monitors count together.

The store is asked only when somebody newly reaches `excessive` or worse, and for holds that other monitors began every
few seconds. Who rose is stored before the state of its alert is, so a batch that fails halfway counts the same customer
again and not another; operators are told before the hold is stored, so they may be told twice, under the same id.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from schemas.alert import Evidence, Held, Witnesses
from schemas.hold import Hold, HoldEvent, hold_event
from schemas.incident import Incident
from schemas.policy import Brake
from schemas.policy_metric import LISTED_METRICS, Metric, window_ms
from schemas.times import DAY_MS, DAY_S, HOUR_MS, HOUR_S, MINUTE_MS, utc_time
from schemas.wording import rfc3339
from streams.alerts.brake import (
    as_held,
    covers,
    limit_of,
    newly_risen,
    next_hold,
    rises,
    told_by_others,
    with_held,
)
from streams.alerts.lifecycle import AlertState, SubjectRule
from streams.alerts.not_held import with_witnesses
from streams.alerts.outcome import SubjectOutcome
from streams.decisions.holds import read_holds, store_hold
from streams.incidents.stored import read_incidents
from streams.incidents.witnessed import Telling, Witnessed
from streams.io.store import Store, portions

RISEN = """
SELECT uniqExact(customer) FROM newly_excessive
WHERE time > fromUnixTimestamp64Milli({since:Int64}) AND time <= fromUnixTimestamp64Milli({until:Int64})
"""
WHO_ROSE = RISEN.replace("uniqExact(customer)", "DISTINCT customer")
#: Customers with mail since then.
ACTIVE = """
SELECT uniqExact(customer) FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
"""
#: Of some customers those who sent through a pool (or an address), and had the outcome at a provider, in some hours.
STRUCK = """
SELECT customer FROM counts
WHERE dimension IN ('pool', 'ip', 'provider') AND customer IN {customers:Array(String)}
    AND toStartOfHour(bucket) IN {hours:Array(DateTime('UTC'))}
GROUP BY customer
HAVING countIf(dimension IN ('pool', 'ip') AND value = {pool:String}) > 0
    AND sumIf(block + expired, dimension = 'provider' AND value = {provider:String}) > 0
"""
#: What an incident of a pool, which is only suspected, may have caused.
OF_A_POOL: frozenset[Metric] = frozenset({"block", "failure", "failure_burn"})
#: What a batch of complaints may have caused.
OF_COMPLAINTS: frozenset[Metric] = frozenset({"complaint", "complaint_burn"})
#: Holds that ended longer ago cover nothing that is not held yet.
REMEMBERED_MS = DAY_MS
#: How many are active is counted so often at most.
ACTIVE_EVERY_MS = 300_000
#: Whether others tell of a customer that is held is asked again after so long, then each time after as long again as it
#: is held, up to so long after it rose: what was sent in those minutes is counted by then. So many are asked about at
#: once, those first of whom it was not asked, or longest ago.
TOLD_AFTER_MS, TOLD_FOR_MS, MOST_TOLD = MINUTE_MS, 2 * HOUR_MS, 200
#: Clocks of monitors may differ by so much.
AHEAD_MS = 60_000


NOBODY: Mapping[str, Incident] = MappingProxyType({})


class Suspects(NamedTuple):
    """By customer the incidents of which nobody can tell whether it is those or the customer: of a provider, of what
    was complained of at once, and of what was listed together."""

    mail: Mapping[str, Incident] = NOBODY
    complained: Mapping[str, Incident] = NOBODY
    listed: Mapping[str, Incident] = NOBODY

    def cause_of(self, customer: str, metric: Metric) -> Incident | None:
        """What a rise of this metric may be owed to."""
        if metric in OF_COMPLAINTS:
            return self.complained.get(customer)
        if metric in LISTED_METRICS:
            return self.listed.get(customer)
        return self.mail.get(customer) if metric in OF_A_POOL else None


def nobody_tells(_alarmed: Mapping[str, int], _now_ms: int) -> Mapping[str, Witnessed]:
    """Who is held stays so until an operator decides."""
    return {}


class Applied(NamedTuple):
    """The outcomes with what is held, and who else belongs to a hold that began: judge these again."""

    outcomes: list[SubjectOutcome]
    again: set[str]


class HoldWatch:
    """Holds alerts. One thread at a time; all times are passed in. `announce` is given the event of a hold that begins,
    before that is stored; `telling` is asked of those who are held, or would be."""

    def __init__(
        self, store: Store, announce: Callable[[Sequence[HoldEvent]], None], telling: Telling = nobody_tells
    ) -> None:
        self._store = store
        self._announce = announce
        self._telling = telling
        #: When it was last asked of a customer who is held (epoch ms).
        self._asked_ms: dict[str, int] = {}
        #: Those who tell of alerts of the last batch, which are not held, or no longer.
        self.told: dict[SubjectRule, Witnesses] = {}
        #: Of late, by id: what rose meanwhile may be held.
        self.known: dict[str, Hold] = {}
        self._number, self._counted_ms = 0, -ACTIVE_EVERY_MS

    def refresh(self, now_ms: int) -> set[str]:
        """Learn of holds that others began or continued. Returns who rose meanwhile, to be judged again.

        Raises:
            StoreError: the store failed; ask again later.
        """
        found = {each.id: each for each in read_holds(self._store, now_ms - REMEMBERED_MS)}
        again: set[str] = set()
        for hold in found.values():
            again |= self._who_rose(self.known.get(hold.id), hold)
        self.known = found
        return again

    def apply(
        self,
        outcomes: Sequence[SubjectOutcome],
        states: Mapping[str, Sequence[AlertState]],
        brake: Brake,
        now_ms: int,
        suspects: "Suspects | None" = None,
    ) -> Applied:
        """Hold what is to be held of a batch; `states` are all alerts of its customers before, by customer, `suspects`
        are those of whom nobody can tell.

        Raises:
            StoreError, BrokerError: what is stored by then may be repeated.
        """
        self.told = {}
        suspected = self._suspected(outcomes, suspects or Suspects(), now_ms)
        newly = newly_risen(outcomes, states, suspected.keys(), now_ms)
        again = self._counted(newly, brake, now_ms) if newly else set()
        if not suspected and not self.known and not any(each.held for some in states.values() for each in some):
            return Applied(list(outcomes), again)
        known = {each.key: each for some in states.values() for each in some}
        after = {**known, **{each.key: each for outcome in outcomes for each in outcome.states}}
        together: dict[str, list[AlertState]] = {}
        for each in after.values():
            together.setdefault(each.customer, []).append(each)

        def held_for(state: AlertState, metric: Metric) -> Held | None:
            mine = [each for each in together[state.customer] if each.key != state.key]
            for each in mine:
                # What rises of a customer that is held waits for the same decision.
                if each.held and each.held.reason == "brake" and each.excessive_ms < state.excessive_ms:
                    return each.held
            covering = (as_held(hold) for hold in self.known.values() if covers(hold, state, mine))
            return suspected.get(state.key) or next(covering, None)

        held = [with_held(each, known, held_for, now_ms) if each.subject.customer else each for each in outcomes]
        if (asked := self._to_be_told(outcomes, held, known, now_ms)) and (told := self._telling(asked, now_ms)):
            held = [
                self._with_told(before, each, known, held_for, told[each.subject.customer], now_ms)
                if each.subject.customer in told
                else each
                for before, each in zip(outcomes, held, strict=True)
            ]
        return Applied(held, again)

    def with_witnesses(self, evidence: dict[SubjectRule, Evidence]) -> dict[SubjectRule, Evidence]:
        """The evidence of the alerts of the last batch, with those who tell."""
        return with_witnesses(evidence, self.told)

    def _to_be_told(
        self,
        outcomes: Sequence[SubjectOutcome],
        held: Sequence[SubjectOutcome],
        known: Mapping[SubjectRule, AlertState],
        now_ms: int,
    ) -> dict[str, int]:
        """The customers with an alert on failures that is held, and the shortest window (ms) of these."""
        found: dict[str, int] = {}
        for before, after in zip(outcomes, held, strict=True):
            states = {each.key: each for each in after.states}
            earlier = {each.key: each for each in before.states}
            for verdict in after.judgement.verdicts:
                key = (*after.key, verdict.rule)
                state = states.get(key) or known.get(key)
                if verdict.metric not in OF_A_POOL or state is None or state.held is None:
                    continue
                was = earlier.get(key) or known.get(key)
                if was is not None and was.held is not None and not self._is_due(state, now_ms):
                    continue
                length_ms = window_ms(verdict.window)
                found[after.subject.customer] = min(found.get(after.subject.customer, length_ms), length_ms)
        first = sorted(found, key=lambda each: (self._asked_ms.get(each, 0), each))[:MOST_TOLD]
        self._asked_ms = {each: at_ms for each, at_ms in self._asked_ms.items() if 0 <= now_ms - at_ms < TOLD_FOR_MS}
        self._asked_ms |= dict.fromkeys(first, now_ms)
        return {each: found[each] for each in first}

    def _is_due(self, state: AlertState, now_ms: int) -> bool:
        """Whether it is asked again of an alert that was held before."""
        if state.held is None or now_ms - state.excessive_ms >= TOLD_FOR_MS:
            return False
        if (asked_ms := self._asked_ms.get(state.customer)) is None:
            return True
        return now_ms - asked_ms >= max(TOLD_AFTER_MS, asked_ms - state.excessive_ms)

    def _with_told(
        self,
        before: SubjectOutcome,
        held: SubjectOutcome,
        known: Mapping[SubjectRule, AlertState],
        held_for: Callable[[AlertState, Metric], Held | None],
        told: Witnessed,
        now_ms: int,
    ) -> SubjectOutcome:
        """An outcome `before` anything of it is held, where others tell that it is the customer."""
        free, keys = told_by_others(before, known, held_for, OF_A_POOL, now_ms)
        if not keys:
            return held
        witnesses = Witnesses(
            providers=told.providers, customers=told.customers, count=told.others.failed, volume=told.others.total
        )
        self.told |= dict.fromkeys(keys, witnesses)
        return with_held(
            free, known, lambda each, metric: None if metric in OF_A_POOL else held_for(each, metric), now_ms
        )

    def _counted(self, newly: set[str], brake: Brake, now_ms: int) -> set[str]:
        """Count who rose; who else belongs to the hold that this makes."""
        who = sorted(newly)
        self._store.insert("newly_excessive", {"customer": who, "time": [utc_time(now_ms)] * len(who)})
        asked = {"since": now_ms - brake.period_ms, "until": now_ms + AHEAD_MS}
        ((risen,),) = self._store.rows(RISEN, asked)
        if int(risen) <= brake.customers:
            return set()
        before = dict(self.known)
        again = self.refresh(now_ms)
        last = max((each for each in self.known.values() if each.reason == "brake"), key=_until, default=None)
        hold = next_hold(last, int(risen), limit_of(brake, self._active(now_ms)), brake, now_ms)
        if hold is None:
            return again
        if hold.id not in self.known:
            self._announce([hold_event(hold, "began", rfc3339(now_ms))])
        store_hold(self._store, hold, now_ms)
        self.known[hold.id] = hold
        return (again | self._who_rose(before.get(hold.id), hold)) - newly

    def _active(self, now_ms: int) -> int:
        """How many customers sent in the last 24 hours, as it was a few minutes ago."""
        if not 0 <= now_ms - self._counted_ms < ACTIVE_EVERY_MS:
            ((found,),) = self._store.rows(ACTIVE, {"since": max(0, now_ms // 1000 - DAY_S)})
            self._number, self._counted_ms = int(found), now_ms
        return self._number

    def _who_rose(self, before: Hold | None, hold: Hold) -> set[str]:
        since_ms = hold.from_ms if before is None else before.until_ms
        if hold.reason != "brake" or hold.until_ms <= since_ms:
            return set()
        asked = {"since": since_ms, "until": hold.until_ms}
        return {str(customer) for (customer,) in self._store.rows(WHO_ROSE, asked)}

    def _suspected(
        self, outcomes: Sequence[SubjectOutcome], suspects: "Suspects", now_ms: int
    ) -> dict[SubjectRule, Held]:
        """The alerts that rise now and may be owed to an incident of a pool that is suspected and goes on, or to one
        of which nobody can tell."""
        metrics = {
            (each.customer, each.scope, each.rule): verdict.metric
            for outcome in outcomes
            for each, verdict in rises(outcome)
        }
        rising = {key for key, metric in metrics.items() if metric in OF_A_POOL}
        causes = {
            key: incident
            for key, metric in metrics.items()
            if (incident := suspects.cause_of(key[0], metric)) is not None
        }
        holds = {each.id: as_held(self._hold_of(each, now_ms)) for each in causes.values()}
        found = {key: holds[each.id] for key, each in causes.items()}
        if not rising:
            return found
        for incident in read_incidents(self._store, now_ms // 1000 - DAY_S).in_force():
            if incident.state != "suspected" or not incident.open or incident.dimension != "pool":
                continue
            struck = self._struck(incident, sorted({customer for customer, _, _ in rising}))
            keys = {key for key in rising if key[0] in struck}
            if keys:
                held = as_held(self._hold_of(incident, now_ms))
                found |= dict.fromkeys(keys, held)
        return found

    def _struck(self, incident: Incident, customers: Sequence[str]) -> set[str]:
        pool, _, provider = incident.value.rpartition("@")
        hours = [utc_time(hour * 1000) for hour in (*incident.hours, incident.until_s, incident.until_s + HOUR_S)]
        asked = {"hours": hours, "pool": pool, "provider": provider}
        return {
            str(customer)
            for part in portions(self._store, customers)
            for (customer,) in self._store.rows(STRUCK, {"customers": part, **asked})
        }

    def _hold_of(self, incident: Incident, now_ms: int) -> Hold:
        """The hold under the incident's id. Operators were told of that by its own event."""
        hold = self.known.get(incident.id) or Hold(
            id=incident.id,
            reason="incident",
            began_ms=now_ms,
            from_ms=incident.from_s * 1000,
            until_ms=now_ms,
            customers=incident.struck,
        )
        hold = msgspec.structs.replace(hold, until_ms=max(hold.until_ms, now_ms), customers=incident.struck)
        store_hold(self._store, hold, now_ms)
        self.known[hold.id] = hold
        return hold


def released_now(outcomes: Sequence[SubjectOutcome]) -> set[str]:
    """The customers of whom something that was held is resolved now, as an operator decided."""
    return {
        each.customer
        for outcome in outcomes
        for each, _ in outcome.transitions
        if each.decided is not None and each.kind == "resolved"
    }


def _until(hold: Hold) -> int:
    return hold.until_ms
