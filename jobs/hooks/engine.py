"""The hook itself: an alert is a hint to look; what is done follows from what the store says at that moment.

Each look at a customer compares what is wanted now (`ladder`) with what was done (`outbox`), and takes the steps
between them (`steps`). A dry run walks the same way; only the targets are not asked.
"""

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b

import msgspec

from jobs.hooks.context import ACTION_WAITS, ACTION_WITHDRAWN, ALERT_REFUSED, HOOK, HookContext
from jobs.hooks.doing import Doer
from jobs.hooks.doubts import DoubtfulAlerts
from jobs.hooks.gate import why_wait
from jobs.hooks.hints import fault_of_hint
from jobs.hooks.ladder import WantedMeasure, is_never, reaches, wanted
from jobs.hooks.latest import Latest
from jobs.hooks.lines import (
    LONGEST_TEXT,
    Note,
    cut,
    held_line,
    refused_line,
    said_of_hint,
    shared_line,
    stream_line,
    verdict_of,
)
from jobs.hooks.measure import Measure, Waits, cycle_id
from jobs.hooks.outbox import measures
from jobs.hooks.steps import HookStep, steps, waits_for_others
from jobs.hooks.stored import account_of, episodes_of, last_alerts, recorded
from schemas.alert import AlertEvent
from schemas.scope import CUSTOMER, shared_by
from schemas.times import HOUR_MS
from schemas.wording import on_one_line
from streams.alerts.forged import fault_against_stored
from streams.alerts.known import stored_alerts
from streams.decisions.hook import read_breaker

#: What was done may make more to do, such as telling of it.
ROUNDS = 5
#: So many refused alerts are recorded at a time.
REFUSED_AT_ONCE = 10_000
Known = dict[tuple[str, str, str], Measure]


class Engine:
    """A hook of one mode; one thread at a time."""

    def __init__(self, context: HookContext) -> None:
        self._context = context
        self._doer = Doer(context)
        self._heard_of: Latest[bytes, None] = Latest()
        #: Whose alerts the store may know a little later.
        self.doubts = DoubtfulAlerts()
        self._refused: list[Note] = []
        self._concerned: set[str] | None = None
        self._swept = False

    def hear(self, events: Sequence[AlertEvent]) -> None:
        """Take alerts for hints, and look at their customers if they are some. They are compared with what was sent all
        at once, so that a flood of forged ones costs little.

        Raises:
            StoreError: the store failed; the same alerts may be heard again.
            LeaseLostError: another hook acts by now.
        """
        # By all of it: a forged alert with the id of a true one is no reason to pass over that.
        new: dict[bytes, AlertEvent] = {}
        sizes: dict[bytes, int] = {}
        for each in events:
            text = msgspec.json.encode(each)
            digest = blake2b(text, digest_size=16).digest()
            if digest not in self._heard_of and digest not in self.doubts:
                new[digest], sizes[digest] = each, len(text)
        self._compare(new, sizes)

    def ask_again(self) -> None:
        """Compare once more those that the store did not know, and refuse those that it had the time to know.

        Raises:
            StoreError: the store failed.
            LeaseLostError: another hook acts by now.
        """
        if self.doubts:
            self._compare(self.doubts.events(), {})

    def _compare(self, new: Mapping[bytes, AlertEvent], sizes: Mapping[bytes, int]) -> None:
        now_ms = self._context.clock()
        faults = {digest: self._fault(each) for digest, each in new.items()}
        hints = [each for digest, each in new.items() if not faults[digest] and self._concerns(each)]
        known = stored_alerts(self._context.store, hints)
        for digest, each in new.items():
            stored = known.get((each.data.customer, each.id))
            unknown = stored is None and not faults[digest] and self._concerns(each)
            if unknown and self.doubts.keeps(digest, each, sizes.get(digest, 0), now_ms):
                continue
            self._heard(each, faults[digest], stored)
            self.doubts.settle([digest])
            self._heard_of.put(digest, None)

    def look(self, customer: str, hint: AlertEvent | None = None) -> bool:
        """Do what is to be done about a customer now. True if anything was, or waits now.

        Raises:
            StoreError: the store failed.
            LeaseLostError: another hook acts by now.
        """
        context, store, did = self._context, self._context.store, False
        for _ in range(ROUNDS):
            person, lifted_ms = _lifted_by_a_person(context, customer)
            known = measures(store, context.mode, [customer], over=True)
            plan = account_of(store, customer).plan
            wants = wanted(context.hook, episodes_of(store, [customer]), customer, plan, lifted_ms)
            now: Known = {each.key: each for each in known}
            todo = steps(customer, context.clock(), known, wants, (person, lifted_ms))
            took = [self._take(each, wants, now, hint) for each in todo]
            if True not in took:
                break
            did = True
            effects = {each.effect for each in known} | {each.effect for each in wants}
            if "notify" not in effects and all(each.kind != "lift" for each in todo):
                break  # nothing waits for what was done
        if did:
            self._concern().add(customer)
        return did

    def look_again(self, customers: Collection[str]) -> None:
        """Look at those of some customers about whom something was done or is to be done: a person decided of them.

        Raises:
            StoreError: the store failed.
            LeaseLostError: another hook acts by now.
        """
        for customer in sorted(self._concern().intersection(customers)):
            self.look(customer)

    def sweep(self) -> None:
        """Look at everybody about whom something was done or is to be done: what failed is tried again, what waits may
        go on, and what is wanted no more is lifted though no alert said so.

        Raises:
            StoreError: the store failed.
            LeaseLostError: another hook acts by now.
        """
        context = self._context
        owed = measures(context.store, context.mode)
        self._concerned = {each.customer for each in owed}
        stuck = read_breaker(context.store, context.mode).is_open
        # At first everybody: the ladder may be another one than before.
        changed = self._changed(owed, stuck=stuck) if self._swept else self._concerned
        for customer in sorted(changed):
            self.look(customer)
        self._swept = True

    def renew(self) -> None:
        """Ask targets that forget whether they still have what they were given, and nothing else.

        Raises:
            StoreError: the store failed.
            LeaseLostError: another hook acts by now.
        """
        context = self._context
        forgetful = {name: each for name, each in context.targets.items() if each.forgets}
        if not forgetful:
            return
        for measure in measures(context.store, context.mode):
            if measure.action in forgetful and measure.state == "applied":
                self._doer.renew(measure)
        for name, target in forgetful.items():
            self._doer.clear(name, target)

    def record_refused(self) -> None:
        """Record which alerts were not followed.

        Raises:
            StoreError: the store failed.
        """
        while self._refused:
            if self._context.acts:
                self._context.records.note(self._refused[:REFUSED_AT_ONCE])
            del self._refused[:REFUSED_AT_ONCE]

    def _concerns(self, event: AlertEvent) -> bool:
        """Whether something might follow from an alert."""
        data, hook = event.data, self._context.hook
        return not shared_by(data.scope) and (
            reaches(hook, data.level, data.scope)
            or reaches(hook, data.level, CUSTOMER)
            or data.customer in self._concern()
        )

    def _fault(self, event: AlertEvent) -> str:
        max_age_ms = round(self._context.hook.max_alert_age_h * HOUR_MS)
        return fault_of_hint(event, self._context.deployment, max_age_ms, self._context.clock())

    def _heard(self, event: AlertEvent, fault: str, stored: AlertEvent | None) -> None:
        context, data, now_ms = self._context, event.data, self._context.clock()
        mode, hook = context.mode, context.hook
        if shared_by(data.scope):
            if reaches(hook, data.level, CUSTOMER) and data.kind != "resolved":
                context.say(said_of_hint(mode, "shared only", event, now_ms, shared_line(event)))
            return
        if not self._concerns(event):
            return
        acts = reaches(hook, data.level, data.scope)
        part = not acts and data.scope != CUSTOMER and reaches(hook, data.level, CUSTOMER)
        if fault := fault or fault_against_stored(event, stored):
            self._refuse(event, fault, now_ms)
        elif data.held is not None and (acts or part):
            context.say(said_of_hint(mode, "held", event, now_ms, held_line(event)))
            self.look(data.customer)
        elif part:
            context.say(said_of_hint(mode, "stream only", event, now_ms, stream_line(event)))
        elif acts and is_never(hook, data.customer):
            text = f"never acting on {data.customer} (hook.never): {verdict_of(event)}"
            context.say(said_of_hint(mode, "never", event, now_ms, text))
        elif not self.look(data.customer, event) and acts and data.kind == "escalated" and self._is_applied(event):
            text = f"not acting on {data.customer} again (same episode): {verdict_of(event)}"
            context.say(said_of_hint(mode, "already", event, now_ms, text))

    def _is_applied(self, event: AlertEvent) -> bool:
        found = measures(self._context.store, self._context.mode, [event.data.customer])
        return any(event.data.alert_id in each.alert_ids and each.state == "applied" for each in found)

    def _refuse(self, event: AlertEvent, fault: str, now_ms: int) -> None:
        context, data = self._context, event.data
        context.say(said_of_hint(context.mode, "refused", event, now_ms, refused_line(event, fault)))
        found = {"alert_id": data.alert_id, "source": event.source, "time": event.time}
        detail = {name: cut(text) for name, text in found.items()}
        customer, subject, why = cut(data.customer), cut(event.id), on_one_line(cut(fault, LONGEST_TEXT))
        self._refused.append(Note(now_ms, ALERT_REFUSED, customer, subject, why, detail))

    def _concern(self) -> set[str]:
        """Customers about whom something was done that is not over."""
        if self._concerned is None:
            self._concerned = {each.customer for each in measures(self._context.store, self._context.mode)}
        return self._concerned

    def _changed(self, owed: Sequence[Measure], *, stuck: bool) -> Collection[str]:
        """Of these the customers at whom a look may change something."""
        store = self._context.store
        found = {each.customer for each in owed if each.state == "waiting" and not (stuck and each.waits == "breaker")}
        found |= {each.customer for each in owed if each.state in ("applying", "lifting")}
        customers = sorted({each.customer for each in owed} - found)
        if not customers:
            return found
        recent = recorded(store, customers)
        episodes = episodes_of(store, customers)
        by_customer = {name: [each for each in episodes if each.customer == name] for name in customers}
        supported = {each.alert_id for each in episodes if each.level != "good" and not each.held}
        for each in owed:
            lifted = recent.get(each.customer)
            by_hand = lifted is not None and not lifted.suspended and lifted.since_ms > each.began_ms
            levels = {known.alert_id: known.level for known in by_customer.get(each.customer, ())}
            same = set(each.alert_ids) <= supported and each.level in {levels.get(name) for name in each.alert_ids}
            if by_hand or not same:
                found.add(each.customer)
        return found

    def _take(self, step: HookStep, wants: Sequence[WantedMeasure], now: Known, hint: AlertEvent | None) -> bool:
        """Take a step. False where nothing was done that could make more to do."""
        context, measure = self._context, step.measure
        if step.kind in ("update", "withdraw", "forget"):
            done = context.put(
                measure if step.kind == "update" else msgspec.structs.replace(measure, state="lifted", waits="")
            )
            if step.kind == "withdraw":
                context.tell("withdrawn", done, f"nothing is done about {done.customer} by {done.action} any more")
                context.note(done, ACTION_WITHDRAWN, cycle_id(context.deployment.id, done), context.clock())
        elif step.kind == "lift":
            done = self._doer.lift(measure)
        elif step.kind == "retry":
            done = self._doer.apply(measure)
        else:
            if not measure.why:
                measure = msgspec.structs.replace(measure, why=self._why(measure, hint))
            want = next(each for each in wants if each.key == (measure.scope, measure.name))
            waits: Waits = waits_for_others(measure, now, wants)
            waits, why = (waits, "for what it tells of") if waits else why_wait(context, measure, want)
            if waits:
                return self._wait(measure, waits, why, now)
            done = self._doer.apply(measure)
        now[done.key] = done
        return step.kind != "update" and done.state in ("applied", "lifted")

    def _wait(self, measure: Measure, waits: Waits, why: str, now: Known) -> bool:
        """Keep what may not be begun yet. It is said once for each reason."""
        context, known = self._context, now.get(measure.key)
        same = known is not None and known.state == "waiting" and known.waits == waits
        if same and known is not None and known.said == why and known.level == measure.level:
            return False
        measure = context.put(
            msgspec.structs.replace(measure, state="waiting", waits=waits, said=why, changed_ms=context.clock())
        )
        now[measure.key] = measure
        self._concern().add(measure.customer)
        if waits != "actions" and not same:
            text = f"waits, nothing is done about {measure.customer} by {measure.action}: {why}; {measure.why}"
            context.tell("waiting", measure, text)
            context.note(measure, ACTION_WAITS, cycle_id(context.deployment.id, measure), measure.changed_ms, why)
        return False

    def _why(self, measure: Measure, hint: AlertEvent | None) -> str:
        """The verdict in a line, of the worst alert."""
        if hint is not None and hint.data.alert_id in measure.alert_ids:
            return verdict_of(hint)
        found = last_alerts(self._context.store, measure.customer)
        known = [found[each] for each in measure.alert_ids if each in found]
        same = [each for each in known if each.data.rule == measure.rule]
        return verdict_of((same or known)[0]) if known else f"{measure.level} {measure.rule}"


def _lifted_by_a_person(context: HookContext, customer: str) -> tuple[str, int]:
    """Who, other than a hook, lifted the suspension of a customer last, and when (epoch ms)."""
    found = recorded(context.store, [customer]).get(customer)
    return ("", 0) if found is None or found.suspended or found.who == HOOK else (found.who, found.since_ms)
