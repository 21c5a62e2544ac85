"""What a mail is about: the kind of mail, and what is known. Pure."""

from typing import Literal, NamedTuple, get_args

from schemas.alert import AlertData, Cause
from schemas.scope import shared_by
from streams.judge.allowance import Allowance

MailKind = Literal[
    "watch", "warning", "excessive", "critical", "resolved", "suspended", "lifted", "slowed", "unslowed"
]  # fmt: skip
KINDS: tuple[MailKind, ...] = get_args(MailKind)
#: What tells of something that was done about mail, or is done no more; and what tells of an end.
RESTRAINTS: tuple[MailKind, ...] = ("suspended", "lifted", "slowed", "unslowed")
ENDS: tuple[MailKind, ...] = ("resolved", "lifted", "unslowed")
#: What ends an alert though the figures did not get better: it is taken back.
WITHDRAWN: frozenset[Cause] = frozenset({"policy", "override", "operator", "incident", "fresh-start"})


class MailFacts(NamedTuple):
    """What is known when a mail is written. Times are epoch ms, UTC.

    `time_ms` is of when the figures are, `alert` the alert's last transition: None for a suspension that no alert made.
    `scope` is what was suspended or slowed down. `left` is what is left until the next level, `since_ms` when sending
    was stopped or slowed down, or no more, `until_ms` when the stop ends (None: when it is lifted), `opened_ms` when
    the alert was opened.
    `reason` is what the operator wants to say to the customer besides; what operators record among themselves (`why`)
    does not belong there.
    """

    kind: MailKind
    customer: str
    time_ms: int
    alert: AlertData | None = None
    opened_ms: int | None = None
    left: Allowance | None = None
    scope: str = "customer"
    since_ms: int | None = None
    until_ms: int | None = None
    reason: str = ""


def kind_of(alert: AlertData) -> MailKind | None:
    """The kind of mail that an alert's transition is worth.

    None where the customer is told nothing: what is held waits for an operator, and what small customers have in common
    is nobody's.
    """
    if alert.held is not None or not alert.customer or shared_by(alert.scope) is not None:
        return None
    if alert.kind == "resolved" or alert.level == "good":
        return "resolved"
    return alert.level


def is_withdrawn(alert: AlertData) -> bool:
    """Whether an alert ended, or went down, since somebody decided so and not since the figures got better."""
    return alert.kind == "overridden" or alert.cause in WITHDRAWN
