"""What must be so before anything is begun: a verdict of now, mail that is counted, approvals, and the breaker."""

import logging

from jobs.hooks.breaker import counted_from, why_open
from jobs.hooks.context import HOOK, HookContext
from jobs.hooks.ladder import WantedMeasure
from jobs.hooks.lines import Note, Said
from jobs.hooks.measure import Measure, Waits, cycle_id
from jobs.hooks.outbox import begun_since, measures
from jobs.hooks.stored import LARGE_DAYS, active_customers, recipients_of
from schemas.times import SECOND_MS
from schemas.wording import age, on_one_line, rfc3339
from streams.decisions.hook import APPROVALS, BREAKER_OPENED, approved_by, breaker_subject, read_breaker

log = logging.getLogger("repmon.suspend_hook")

#: Why something waits, and that in words; both empty where it need not.
Reason = tuple[Waits, str]
FREE: Reason = ("", "")


def why_wait(context: HookContext, measure: Measure, want: WantedMeasure) -> Reason:
    """Whether something may be begun, asked just before it is.

    Raises:
        StoreError: the store failed.
    """
    now_ms, hook = context.clock(), context.hook
    if now_ms - want.judged_ms > hook.max_verdict_age_s * SECOND_MS:
        old = age((now_ms - want.judged_ms) / SECOND_MS)
        return "verdict", f"its last verdict is {old} old, is the monitor running?"
    recipients = recipients_of(context.store, measure.customer, now_ms)
    if not recipients:
        return "counts", f"no mail of it is counted within {LARGE_DAYS} days"
    if measure.effect == "notify":
        return FREE
    if hook.large_recipients and recipients > hook.large_recipients:
        found = approved_by(context.store, cycle_id(context.deployment.id, measure))
        if len(found) < APPROVALS:
            return "approval", _unapproved(recipients, found, cycle_id(context.deployment.id, measure))
    return _breaker(context, measure, now_ms)


def _unapproved(recipients: int, people: list[str], cycle: str) -> str:
    by = f"approved by {', '.join(people)}" if people else "approved by nobody yet"
    return (
        f"it sent to {recipients:,} recipients within {LARGE_DAYS} days, so {APPROVALS} people must approve it, {by}: "
        f"`repmon suspend-hook approve {cycle} --by NAME --why WHY`"
    )


def _breaker(context: HookContext, measure: Measure, now_ms: int) -> Reason:
    breaker = read_breaker(context.store, context.mode)
    if breaker.is_open:
        return "breaker", f"the breaker is open since {rfc3339(breaker.since_ms)}: {breaker.why}"
    in_force = [
        each
        for each in measures(context.store, context.mode)
        if each.effect != "notify" and each.began_ms and each.state != "waiting"
    ]
    customer = measure.customer
    if any(each.customer == customer for each in in_force):
        return FREE  # it is acted on already
    lately = begun_since(context.store, context.mode, counted_from(breaker.since_ms, now_ms))
    since_closed = {each.customer for each in in_force if each.began_ms > breaker.since_ms}
    active = active_customers(context.store, now_ms)
    why = why_open(context.hook, len(lately | {customer}), len(since_closed | {customer}), active)
    if not why:
        return FREE
    open_breaker(context, why, now_ms)
    return "breaker", f"the breaker opens: {why}"


def open_breaker(context: HookContext, why: str, now_ms: int) -> None:
    """Act on nobody any more until a person closes it.

    Raises:
        StoreError: the store failed.
    """
    text = f"the breaker is open, nobody is acted on: {why}; `repmon suspend-hook breaker close` closes it"
    if context.acts:
        context.records.breaker_opened(why, now_ms)  # to be sent, before it is in force
    context.records.note([Note(now_ms, BREAKER_OPENED, "", breaker_subject(context.mode), why, {"by": HOOK})])
    log.critical("%s", text)
    context.say(Said(time=rfc3339(now_ms), mode=context.mode, what="breaker opened", text=on_one_line(text)))
