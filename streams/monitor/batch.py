"""Judging a batch of customers: windows in, alerts and standings out.

The state of an alert is stored before the alert is sent, and the standings are written last (`streams.alerts.record`).
A crash in between makes the next run send alerts again under the same ids, which consumers drop; no alert is lost.

A batch costs a few queries, however many customers it has, and little Python: who is below every threshold and has no
open alert, hence nearly everybody, is not judged one by one (`streams.judge.screen`).
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from schemas.alert import AlertEvent, Evidence
from schemas.deployment import UNKNOWN, Deployment
from schemas.policy import Policy
from schemas.policy_metric import REPORTED_SPAM, window_ms
from schemas.providers import Providers
from schemas.settings import MonitorSettings
from schemas.standing import stored_standing
from streams.alerts.alarmed import alarmed_by_complaints, alarmed_by_listings, alarmed_by_mail
from streams.alerts.describe import alert_events
from streams.alerts.evidence import EvidenceReader, alert_evidence
from streams.alerts.late import LateReopen, reopened_late
from streams.alerts.lifecycle import SubjectRule
from streams.alerts.outcome import (
    BatchContext,
    SubjectOutcome,
    alarms,
    may_be_released,
    subject_outcome,
    with_open_alerts,
)
from streams.alerts.record import AlertRecorder, Lives, last_shown, read_lives
from streams.alerts.removed_rules import Ended, end_alerts
from streams.alerts.standings import NOTHING_SHOWN, SHOWN_WINDOW, Standings, rows_of
from streams.incidents.alone import NOTHING_FAILED, Alone, failed_at
from streams.incidents.settling import Settling
from streams.incidents.watch import IncidentWatch
from streams.io.store import Store
from streams.judge.screen import screen
from streams.judge.verdict import RANK, Judgement, judge
from streams.monitor.ahead import ReadAhead
from streams.monitor.decided import DecidedBatch
from streams.monitor.half_counted import NOBODY_WAITS, HalfCounted, LateTopic, with_uncounted
from streams.monitor.holds import HoldWatch, Suspects, released_now
from streams.monitor.outgoing import OutgoingSender
from streams.monitor.pooled import PoolJudge
from streams.monitor.released import judged_since_releases
from streams.monitor.totals import JudgingTotals
from streams.monitor.unjudged import with_unjudged
from streams.subjects.arrays import Subjects
from streams.subjects.fresh_starts import among
from streams.subjects.stored_fresh_starts import FreshStartWatch, read_since
from streams.subjects.totals import may_leave_out
from streams.windows.current import Windows
from streams.windows.pools import NOBODY
from streams.windows.reported import customers_reported

#: Who must be judged again although nothing new came: windows slide, and what was excessive may be over.
NOT_GOOD = f"""
SELECT DISTINCT customer FROM standings FINAL
WHERE {stored_standing("standing")} NOT IN ('good', 'insufficient_volume')
"""  # noqa: S608 - made of texts of this project only

#: Everybody with mail in the longest window, and who has an alert that an override holds at good: it ends with that,
#: although the customer stands well and may send nothing any more.
EVERYBODY = """
SELECT DISTINCT customer FROM counts WHERE dimension = 'provider' AND bucket >= toDateTime({since:UInt32})
UNION DISTINCT
SELECT customer
FROM (SELECT customer, argMax(state, updated) AS last FROM alert_states GROUP BY customer, scope, rule)
WHERE customer != '' AND JSONExtractBool(last, 'lifted')
"""

#: Whose times are passed in, is not waited for.
DEFAULTS = MonitorSettings(alone_wait_s=0.0)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What came of a batch: the alerts sent, and which customers are to be judged again, each at a time (epoch ms).

    Those were judged by long windows that were read a while ago, or their numbers are not shown yet.
    """

    alerts: list[AlertEvent] = field(default_factory=list)
    again: list[tuple[str, int]] = field(default_factory=list)


class BatchJudge:
    """Judges customers and records it. `publish` and `acknowledged` are those of `AlertRecorder`. One thread at a
    time, and with a connection of its own, `reader`, another one for `read_ahead`."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        providers: Providers,
        publish: Callable[[str, bytes, bytes], None],
        acknowledged: Callable[[], None],
        settings: MonitorSettings = DEFAULTS,
        deployment: Deployment = UNKNOWN,
        reader: Store | None = None,
        late_topics: Callable[[int], Sequence[LateTopic]] | None = None,
    ) -> None:
        """`late_topics` says, given the time (epoch ms), of which topics something older is not counted yet."""
        self._store = store
        self.reads_ahead = reader is not None
        self._reader = reader or store
        #: Held while windows are read or changed.
        self._windows_lock = threading.Lock()
        #: Which of the ways to read windows is in force. It changes with all that what is read depends on.
        self._reading = 0
        self._settings = settings
        self._fbl = providers.with_feedback_loop()
        self._recorder = AlertRecorder(store, publish, acknowledged, deployment)
        #: What people decided, and what is found of incidents and holds: to be sent now and then.
        self.outgoing = OutgoingSender(store, publish, acknowledged, deployment)
        self._incidents = IncidentWatch(store, self.outgoing.tell)
        #: The mail and the listings that are left out, as far as is known.
        self._left_out = self._incidents.known, self._incidents.listings
        self._settling = Settling(store)
        self._alone = Alone(store, int(settings.alone_wait_s * 1000))
        waits = int(settings.behind_wait_s * 1000), int(settings.stopped_wait_s * 1000)
        self._half_counted = HalfCounted(store, late_topics or (lambda _: ()), *waits)
        self._fresh_starts = FreshStartWatch(store)
        #: What is held of alerts; to be refreshed now and then.
        self.holds = HoldWatch(store, self.outgoing.tell, self._half_counted.asking(self._incidents.witnesses.of))
        self.metrics = JudgingTotals()
        self.set_policy(policy)

    def set_policy(self, policy: Policy) -> None:
        """Judge by this policy from now on. What was kept of windows and standings is read again."""
        self.policy = policy
        self._incidents.set_policy(policy)
        settings = self._settings
        self._lengths = {name: window_ms(name) for name in policy.windows}
        self._with_overrides = {each.customer for each in policy.overrides}
        used = {SHOWN_WINDOW, policy.inactive_window, *(window for rule in policy.rules for window in rule.reads)}
        self._counted = {name: length for name, length in self._lengths.items() if name in used}
        windows = Windows.for_policy(
            self._reader,
            policy,
            self._counted,
            self._fbl,
            int(settings.long_windows_every_s * 1000),
            settings.customers_kept,
        )
        windows.leave_out(*self._left_out)
        with self._windows_lock:
            self._windows = windows
            self._reading += 1
        self._everything = Windows.for_policy(self._store, policy, self._counted, self._fbl, 0, 0, left_out=())
        self._pools = PoolJudge(self._store, policy, self._fbl, self._counted)
        self._standings = Standings(
            self._store, policy, int(settings.standings_every_s * 1000), 2 * settings.customers_kept
        )

    def read_ahead(self, customers: Iterable[str], now_ms: int) -> ReadAhead:
        """Read what customers are to be judged by next. Another thread may judge others meanwhile.

        Raises:
            StoreError: the store failed; it is read again when they are judged.
        """
        wanted = sorted(set(customers))
        with self._windows_lock:
            since = among(read_since(self._reader, now_ms), wanted)
            return ReadAhead(wanted, now_ms, since, *self._windows.read(wanted, now_ms, since), self._reading)

    def judge_customers(self, customers: Iterable[str], now_ms: int, ahead: ReadAhead | None = None) -> BatchResult:
        """Judge, alert, store. What was read `ahead` for these customers at `now_ms` is not read again.

        Raises:
            StoreError, BrokerError: nothing is lost; judge the same customers again.
        """
        began = time.monotonic()
        wanted = sorted(set(customers))
        if not wanted:
            return BatchResult()
        found = self._decided(wanted, now_ms, ahead)
        changed: set[str] = set()
        later: dict[str, int] = {}
        suspects = Suspects()
        half_counted = NOBODY_WAITS
        if alarmed := {each.subject.customer for each in found.outcomes if alarms(each)}:
            # Is it they, or does it hit everybody? Then nobody is told.
            changed = self.refresh_incidents(now_ms, alarmed)
            if changed:
                found = self._decided(wanted, now_ms)
            by_mail = alarmed_by_mail(found.outcomes)
            failed = failed_at(self._store, by_mail, now_ms, self._left_out[0]) if by_mail else NOTHING_FAILED
            later = self._alone.waiting(failed, now_ms)
            half_counted = self._half_counted.waiting(by_mail, now_ms)
            later |= half_counted.until
            by_listings = alarmed_by_listings(found.outcomes)
            later |= self._settling.waiting(by_listings, now_ms)
            if later:
                found = found.without(later)
            suspects = Suspects(
                self._incidents.untold(failed.without(later), now_ms),
                self._incidents.complained_together(alarmed_by_complaints(found.outcomes), now_ms),
                self._incidents.listed_together(by_listings - later.keys(), now_ms),
            )
        outcomes, lives = found.outcomes, found.lives
        if self.holds.known or any(map(alarms, outcomes)):
            # Are there so many that a person looks first?
            braking = self.policy.braking
            outcomes, others = self.holds.apply(outcomes, lives.by_customer, braking, now_ms, suspects)
            changed |= others
        reader = EvidenceReader(self._store, self._fbl, self.policy, now_ms, lives.since, self._left_out[0])
        evidence = alert_evidence(reader, outcomes)
        if self._incidents.excluded or lives.since:
            evidence = with_unjudged(evidence, reader, outcomes)
        if half_counted.uncounted:
            evidence = with_uncounted(evidence, half_counted.uncounted)
        if self.holds.told:
            evidence = self.holds.with_witnesses(evidence)
        sent = self._record(outcomes, evidence, lives, now_ms)
        rows = rows_of(found.subjects, found.screened, found.closely, outcomes, self.policy)
        again = [*found.again, *later.items(), *((customer, now_ms) for customer in sorted(changed.difference(wanted)))]
        again += self._standings.show(rows, now_ms, found.shown, found.asked)
        if lives.decisions:
            # What was released stands by mail sent since, which the next judgement counts.
            again += [(customer, now_ms) for customer in released_now(outcomes)]
        self.metrics.judged += len(wanted)
        self.metrics.batches += 1
        self.metrics.alerts += len(sent)
        self.metrics.last_batch_seconds = time.monotonic() - began
        return BatchResult(sent, again)

    def refresh_incidents(self, now_ms: int, alarmed: Collection[str] = ()) -> set[str]:
        """Look for incidents, in any case where customers are `alarmed`. Returns who is to be judged again: customers
        with mail that is left out since, or not any more.

        Raises:
            StoreError: the store failed; look again later.
        """
        if not alarmed:
            self.metrics.waiting_customers = self._half_counted.look(now_ms)
        changed = self._incidents.refresh(now_ms, alarmed)
        left_out = self._incidents.known, self._incidents.listings
        if changed or left_out != self._left_out:
            with self._windows_lock:
                self._windows.leave_out(*left_out)
                if changed:
                    self._windows.forget()
                self._left_out = left_out
                self._reading += 1
        if not changed:
            return set()
        self._pools.forget()
        return self._incidents.affected(changed, now_ms)

    def refresh_fresh_starts(self, now_ms: int) -> set[str]:
        """Look for fresh starts. Returns who is to be judged again. What is kept of them is forgotten at once, however
        long it takes until they are judged: their counts may be about to be erased (jobs/data/erasure.py).

        Raises:
            StoreError: the store failed; look again later.
        """
        found = self._fresh_starts.refresh(now_ms)
        if found:
            with self._windows_lock:
                self._windows.forget_some(found)
            self._pools.forget()
        return found

    def _decided(self, wanted: Sequence[str], now_ms: int, ahead: ReadAhead | None = None) -> DecidedBatch:
        """What judging makes of customers (sorted); nothing is stored."""
        lives = read_lives(self._store, wanted, now_ms)
        if ahead is not None and ahead.is_of(wanted, now_ms, lives.since, self._reading):
            counted, again = ahead.subjects, ahead.again
        else:
            with self._windows_lock:
                counted, again = self._windows.read(wanted, now_ms, lives.since)
        subjects = counted.of_scopes(self.policy.scopes)
        screened = screen(subjects, self.policy)
        closely = self._with_overrides | {state.customer for state in lives.states.values() if state.watched}
        singly = screened.remarkable | np.array(list(map(closely.__contains__, subjects.customers)), np.bool_)
        places = singly.nonzero()[0].tolist()
        judged = [
            (subject, judge(subject, self.policy, now_ms))
            for subject in with_open_alerts(subjects.each(places), lives.states)
        ]
        if any(state.released for state in lives.states.values()):
            judged = judged_since_releases(
                self._store, self.policy, self._counted, self._fbl, judged, lives.states, now_ms
            )
        context = self._context(subjects, [judgement for _, judgement in judged], lives, now_ms)
        outcomes = [
            subject_outcome(subject, judgement, lives.states, context, self.policy, self._counted)
            for subject, judgement in judged
        ]
        return DecidedBatch(subjects, screened, places, outcomes, lives, again, context.shown, context.asked)

    def judge_pools(self, now_ms: int) -> list[AlertEvent]:
        """Judge the small customers of each pool, From domain or plan together, alert, store; they have no standing.

        Where the policy does not judge those (any more), what is open ends as if they had no mail.

        Raises:
            StoreError, BrokerError: nothing is lost; judge them again.
        """
        lives = read_lives(self._store, [NOBODY], now_ms)
        outcomes = self._pools.decided(lives, now_ms, everything=not may_leave_out(self._left_out[0]))
        evidence = self._pools.evidence(outcomes, now_ms, left_out=bool(self._incidents.excluded))
        sent = self._record(outcomes, evidence, lives, now_ms)
        self.metrics.alerts += len(sent)
        return sent

    def forget(self) -> None:
        """Keep nothing that another monitor may have changed, or that is no longer asked for."""
        with self._windows_lock:
            self._windows.forget()
            self._reading += 1
        self._pools.forget()
        self._standings.forget()

    def not_good(self) -> set[str]:
        """Customers whose standing is other than good."""
        return {str(customer) for (customer,) in self._store.rows(NOT_GOOD)}

    def everybody(self, now_ms: int) -> set[str]:
        """Customers with mail in the longest window, or of whom something was reported, or with an open alert that an
        override holds at good. Who is no more among them, and does not stand as silent, does so from now on."""
        self._standings.age(now_ms)
        since = max(0, (now_ms - max(self._lengths.values())) // 1000)
        reported = customers_reported(self._store, since, now_ms // 1000) if REPORTED_SPAM in self.policy.used else ()
        return {str(customer) for (customer,) in self._store.rows(EVERYBODY, {"since": since})}.union(reported)

    def _context(self, subjects: Subjects, judgements: Sequence[Judgement], lives: Lives, now_ms: int) -> BatchContext:
        """What else the store is asked for those whose alerts may open; mostly there is nothing to ask."""
        opening: set[str] = set()
        reopening: list[LateReopen] = []
        for judgement in judgements:
            customer, scope = judgement.customer, judgement.scope
            for verdict in judgement.verdicts:
                state = lives.states.get((customer, scope, verdict.rule))
                if verdict.level == "good" or (state is not None and state.is_open):
                    continue
                opening.add(customer)
                if state is not None:
                    rules = {rule.name: rule for rule in self.policy.rules_for(customer, scope, now_ms)}
                    reopening.append(LateReopen(state, verdict, rules[verdict.rule]))
        late = reopened_late(self._store, reopening, self.policy, self._fbl, now_ms, lives.since) if reopening else ()
        if opening:
            # Of the others too of whom it is asked anyway, when they are shown.
            known = self._standings.known
            whose = zip(subjects.customers, subjects.scopes, strict=True)
            opening |= {key[0] for key in whose if key not in known}
        return BatchContext(
            last_shown(self._store, sorted(opening)) if opening else NOTHING_SHOWN,
            lives.acknowledgements,
            frozenset(late),
            self._incidents.name,
            self._released(judgements, lives, now_ms),
            lives.fresh_starts,
            lives.decisions,
            opening,
        )

    def _released(self, judgements: Sequence[Judgement], lives: Lives, now_ms: int) -> frozenset[SubjectRule]:
        """The alerts whose level would hold with the mail that is left out since they were last judged."""
        sinking = {
            (each.customer, each.scope, verdict.rule): state
            for each in judgements
            for verdict in each.verdicts
            if (state := lives.states.get((each.customer, each.scope, verdict.rule))) is not None
            and may_be_released(state, verdict, self._incidents.name)
        }
        if not sinking:
            return frozenset()
        found, _ = self._everything.read({customer for customer, _, _ in sinking}, now_ms, lives.since)
        subjects = found.of_scopes(self.policy.scopes)
        return frozenset(
            key
            for judgement in (judge(each, self.policy, now_ms) for each in subjects.each(range(len(subjects))))
            for verdict in judgement.verdicts
            if (state := sinking.get(key := (judgement.customer, judgement.scope, verdict.rule))) is not None
            and RANK[verdict.holding_level] >= RANK[state.level]
        )

    def _record(
        self,
        outcomes: Sequence[SubjectOutcome],
        evidence: Mapping[SubjectRule, Evidence],
        lives: Lives,
        now_ms: int,
    ) -> list[AlertEvent]:
        """Store and send what came of judgements, and the end of alerts whose rule the policy does not have."""
        rules = {rule.name for rule in self.policy.rules}
        removed = [state for state in lives.states.values() if state.is_open and state.rule not in rules]
        done = end_alerts(self._store, removed, self.policy, now_ms) if removed else Ended([], [])
        changed = [state for outcome in outcomes for state in outcome.states]
        alerts = alert_events(outcomes, evidence, self.policy, lives.since)
        return self._recorder.record([*done.states, *changed], [*done.alerts, *alerts], lives, now_ms)
