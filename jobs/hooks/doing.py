"""One action done or undone at its target: stored as to be done, done, recorded, stored as done, in this order.

Whoever is killed in between leaves an intent, and the next to look does it again as `repeated`: the target is then
asked first whether it was done. Just before a target is asked the lease is read: who was overtaken does nothing.
"""

import msgspec

from jobs.hooks.context import ACTION_APPLIED, ACTION_CLEARED, ACTION_FAILED, ACTION_LIFTED, ACTION_RENEWED, HookContext
from jobs.hooks.lines import done_line
from jobs.hooks.measure import Measure, cycle_id, measure_id
from jobs.hooks.outbox import measures
from jobs.hooks.targets.base import HookTarget, Operation, Order, TargetError
from schemas.scope import CUSTOMER
from schemas.times import SECOND_MS


class Doer:
    """Asks targets, and keeps what they said."""

    def __init__(self, context: HookContext) -> None:
        self._context = context
        #: Until when a target that does not answer is left alone (epoch ms), and what was said.
        self._down: dict[str, tuple[int, str]] = {}

    def apply(self, measure: Measure) -> Measure:
        """Do it. Returns it as it is then: applied, or still to be.

        Raises:
            StoreError: the store failed.
            LeaseLostError: another hook acts by now.
        """
        now_ms = self._context.clock()
        return self._do(
            msgspec.structs.replace(
                measure, state="applying", waits="", changed_ms=now_ms, began_ms=measure.began_ms or now_ms
            ),
            "apply",
        )

    def lift(self, measure: Measure) -> Measure:
        """Undo it.

        Raises:
            StoreError: the store failed.
            LeaseLostError: another hook acts by now.
        """
        now_ms = self._context.clock()
        if measure.state != "lifting":
            measure = msgspec.structs.replace(
                measure, state="lifting", attempts=0, lift_ms=now_ms, failing_ms=0, next_ms=0, changed_ms=now_ms
            )
        return self._do(measure, "lift")

    def renew(self, measure: Measure) -> None:
        """Do it again at a target that has forgotten it.

        Raises:
            StoreError: the store failed.
            LeaseLostError: another hook acts by now.
        """
        context, target = self._context, self._context.targets[measure.action]
        try:
            context.lease.check()
            done = target.renew(self._order(measure, "apply", repeated=True), measure.ref)
        except TargetError as error:
            self._failed(measure, error, context.clock())
            return
        if done is not None:
            renewed = context.put(
                msgspec.structs.replace(
                    measure, ref=done.ref, said=done.said, changed_ms=context.clock(), failing_ms=0, next_ms=0
                )
            )
            context.tell("renewed", renewed, f"{renewed.customer} by {renewed.action}: {done.said}", done.said)
            context.note(renewed, ACTION_RENEWED, self._cycle(renewed), renewed.changed_ms, done.said)
        elif measure.failing_ms:
            context.put(msgspec.structs.replace(measure, failing_ms=0, next_ms=0))

    def clear(self, name: str, target: HookTarget) -> None:
        """Take away what came to a target after it was lifted, from a hook that was frozen meanwhile.

        Raises:
            StoreError: the store failed.
            LeaseLostError: another hook acts by now.
        """
        context = self._context
        lifted = [each for each in measures(context.store, context.mode, over=True) if each.action == name]
        by_tag = {measure_id(context.deployment.id, each): each for each in lifted if each.state == "lifted"}
        if not by_tag:
            return
        try:
            context.lease.check()
            for said in target.clear(by_tag):
                tag = said.partition(":")[0].removeprefix("repmon ")
                context.note(by_tag[tag], ACTION_CLEARED, self._cycle(by_tag[tag]), context.clock(), said)
                context.tell("cleared", by_tag[tag], f"was in force at {name} though it was lifted: {said}", said)
        except TargetError:
            return  # it is asked again

    def _do(self, measure: Measure, operation: Operation) -> Measure:
        context, now_ms = self._context, self._context.clock()
        target = context.targets.get(measure.action)
        if target is None:
            said = f"there is no [hook.actions.{measure.action}] any more: put it back, so that it can be undone"
            return self._keep(measure, said, now_ms, now_ms + round(context.hook.max_retry_s * SECOND_MS))
        until_ms, said = self._down.get(measure.action, (0, ""))
        if until_ms > now_ms:
            return self._keep(measure, said, now_ms, until_ms)
        measure = context.put(msgspec.structs.replace(measure, attempts=measure.attempts + 1))
        order = self._order(measure, operation, repeated=measure.attempts > 1)
        try:
            context.lease.check()
            done = target.apply(order, measure.ref) if operation == "apply" else target.lift(order, measure.ref)
        except TargetError as error:
            return self._failed(measure, error, now_ms)
        self._down.pop(measure.action, None)
        changes = {"said": done.said, "failing_ms": 0, "next_ms": 0, "changed_ms": context.clock()}
        if operation == "apply":
            measure = msgspec.structs.replace(
                measure, **changes, state="applied", ref=done.ref, applied_ms=context.clock()
            )
        else:
            measure = msgspec.structs.replace(measure, **changes, state="lifted", ref={})
        self._record(measure)
        context.put(measure)
        lifted = operation == "lift"
        text = done_line(context.mode, measure, lifted=lifted, configured=measure.action in context.hook.actions)
        context.tell("lifted" if lifted else "applied", measure, text, done.said)
        return measure

    def _failed(self, measure: Measure, error: TargetError, now_ms: int) -> Measure:
        """To be tried again later, after twice as long each time, or as long as the target asks for."""
        hook = self._context.hook
        wait_s = max(hook.retry_s * 2 ** min(30, max(0, measure.attempts - 1)), error.wait_s)
        wait_s = min(hook.max_retry_s, wait_s)
        next_ms = now_ms + round(wait_s * SECOND_MS)
        if error.unreachable:
            self._down[measure.action] = next_ms, str(error)
        return self._keep(measure, str(error), now_ms, next_ms)

    def _keep(self, measure: Measure, said: str, now_ms: int, next_ms: int) -> Measure:
        """What failed is kept as still to be done. It is said once."""
        context, first = self._context, not measure.failing_ms
        measure = context.put(
            msgspec.structs.replace(
                measure, said=said, failing_ms=measure.failing_ms or now_ms, next_ms=next_ms, changed_ms=now_ms
            )
        )
        if first:
            verb = {"lifting": "lift", "applied": "renew"}.get(measure.state, "act on")
            text = f"could not {verb} {measure.customer} by {measure.action}, trying again: {said}"
            context.tell("failed", measure, text, said)
            context.note(measure, ACTION_FAILED, self._cycle(measure), measure.failing_ms, said)
        return measure

    def _record(self, measure: Measure) -> None:
        """Record what was done. Repeated after a crash it is the same rows."""
        context = self._context
        if measure.state == "applied":
            context.note(measure, ACTION_APPLIED, self._cycle(measure), measure.began_ms)
        else:
            context.note(measure, ACTION_LIFTED, self._cycle(measure), measure.lift_ms)
        if not context.acts or measure.effect != "suspend" or measure.scope != CUSTOMER:
            return
        if measure.state == "applied":
            context.records.suspended(measure.customer, measure.why, measure.began_ms)
            return
        others = measures(context.store, context.mode, [measure.customer])
        if not any(
            each.effect == "suspend" and each.scope == CUSTOMER and each.key != measure.key and each.began_ms
            for each in others
        ):
            context.records.unsuspended(measure.customer, measure.why, measure.lift_ms)

    def _cycle(self, measure: Measure) -> str:
        return cycle_id(self._context.deployment.id, measure)

    def _order(self, measure: Measure, operation: Operation, *, repeated: bool) -> Order:
        scope = measure.scope
        return Order(
            id=f"{self._cycle(measure)}-{operation}",
            tag=measure_id(self._context.deployment.id, measure),
            operation=operation,
            customer=measure.customer,
            scope=scope,
            stream="" if scope == CUSTOMER else scope.partition(":")[2],
            effect=measure.effect,
            about=measure.about,
            level=measure.level,
            rule=measure.rule,
            reason=measure.why,
            alert_id=measure.alert_ids[0] if measure.alert_ids else "",
            alert_ids=measure.alert_ids,
            repeated=repeated,
            applied_ms=measure.applied_ms,
            lifted_by=measure.by,
        )
