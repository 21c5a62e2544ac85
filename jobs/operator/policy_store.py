"""Applying a policy: kept in the store with who, when and why, recorded in the audit, published for others.

Order: stored first, which puts it in force; then the audit row; then the topic. Applying the same text again
changes nothing; what was cut short before, row and message, is then made up for.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from jobs.operator.audit import Decision, is_recorded, record_decision
from jobs.operator.decisions import DecidedError
from jobs.operator.one_by_one import one_by_one
from schemas.applied_policy import MAX_TEXT_BYTES, AppliedPolicy
from schemas.policy import Policy, parse
from schemas.policy_metric import PolicyError
from schemas.settings import Kafka
from schemas.topics import REPUTATION_POLICY
from streams.decisions.applied_policies import newest
from streams.io.broker import Publisher
from streams.io.store import Store

#: As large as the topic takes (schemas/topics/reputation.policy.yaml).
MAX_MESSAGE_BYTES = 8_388_608
KEY = b"policy"
ACTION = "policy applied"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Application(NamedTuple):
    """What came of applying: `unchanged` where this very text was in force already."""

    status: Literal["applied", "unchanged"]
    policy: AppliedPolicy
    before: str


class PolicyChangedError(DecidedError):
    """Another policy came into force meanwhile; the message says which, and by whom."""


@one_by_one
def apply(
    store: Store, text: str, source: str, by: str, why: str, now_ms: int, *, instead_of: int | None = None
) -> Application:
    """Put a policy in force. `source` names the text in errors, `now_ms` is epoch ms. `instead_of` is when the policy
    was applied that it is to replace (epoch ms; 0: none was), where that is to be checked.

    Raises:
        PolicyError: the text is not a policy, or too long; nothing is changed.
        PolicyChangedError: another one was applied than it is to replace; nothing is changed.
        StoreError: the store failed; what was in force still is, unless it had already taken the new one.
    """
    policy = parse(text, source)
    if (size := len(text.encode())) > MAX_TEXT_BYTES:
        raise PolicyError(f"{source}: {size:,} bytes are more than the {MAX_TEXT_BYTES:,} that a policy may have")
    former = newest(store)
    if instead_of is not None and instead_of != (former.applied_ms if former else 0):
        said = f"policy {former.version}, by {former.applied_by}: {former.why}" if former else "none"
        raise PolicyChangedError(f"another policy came into force meanwhile: {said}")
    if former is not None and former.text == text:
        _recorded(store, former, policy)
        return Application("unchanged", former, former.version)
    # Never before the one it replaces, whatever the clocks of two operators say.
    applied_ms = max(now_ms, former.applied_ms + 1) if former else now_ms
    applied = AppliedPolicy(version=policy.version, applied_ms=applied_ms, applied_by=by, why=why, text=text)
    store.insert(
        "policies",
        {
            "applied": [EPOCH + timedelta(milliseconds=applied_ms)],
            "version": [applied.version],
            "applied_by": [by],
            "why": [why],
            "text": [text],
        },
    )
    _recorded(store, applied, policy)
    return Application("applied", applied, former.version if former else "")


def publisher(kafka: Kafka) -> Callable[[AppliedPolicy], None]:
    """What sends a policy to the topic, over a connection of its own.

    Raises (when it is called):
        BrokerError: it was not acknowledged.
    """

    def send(applied: AppliedPolicy) -> None:
        connection = Publisher(kafka, **{"message.max.bytes": MAX_MESSAGE_BYTES})
        connection.partitions(REPUTATION_POLICY)
        publish(applied, connection.publish)
        connection.flush()

    return send


def publish(applied: AppliedPolicy, send: Callable[[str, bytes, bytes], None]) -> None:
    """Send it to the topic; `send` takes topic, key and value.

    Raises:
        BrokerError: as `send` does.
    """
    send(REPUTATION_POLICY, KEY, msgspec.json.encode(applied))


def _recorded(store: Store, applied: AppliedPolicy, policy: Policy) -> None:
    """See to the audit's row."""
    decision = Decision(
        time=EPOCH + timedelta(milliseconds=applied.applied_ms),
        who=applied.applied_by,
        action=ACTION,
        customer="",
        subject=applied.version,
        why=applied.why,
        detail={"rules": [rule.name for rule in policy.rules], "overrides": len(policy.overrides)},
    )
    if not is_recorded(store, decision):
        record_decision(store, decision)
