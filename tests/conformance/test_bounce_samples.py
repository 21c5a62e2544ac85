"""Real bounces classified by us and by Sisimai: how often the two agree, and where they mean different things.

The bounces were collected by others and are not part of the project; without them these tests are skipped. Run with
`-s` to see the tables.
"""

import json
import re
from collections import Counter
from typing import Any

import pytest

from schemas.providers import load_providers
from streams.bounces.classify import CLASSES, Classified, load_bounce_classifier
from tests.support.root import ROOT

SAMPLES = ROOT.parent / "shared" / "samples" / "bounces.jsonl"

#: What Sisimai calls a reason, and what of ours says the same. Several of ours where its reason is wider.
AGREED: dict[str, frozenset[str]] = {
    reason: frozenset(classes.split())
    for reason, classes in {
        "userunknown": "invalid_recipient",
        # Refused after the content was sent: by a filter of the recipient, or since there is no such recipient.
        "filtered": "invalid_recipient inactive_mailbox policy",
        "hasmoved": "inactive_mailbox",
        "suspend": "inactive_mailbox",
        "hostunknown": "bad_domain",
        "notaccept": "bad_domain",
        "mailboxfull": "quota",
        "systemfull": "quota",
        "mesgtoobig": "message_too_large",
        "exceedlimit": "message_too_large",
        # Everything about the connecting host: its reputation, and connections that the host ended.
        "blocked": "blocked auth_failure connection",
        # Everything about the sender's address or domain: rules for it, its reputation, its authentication.
        "rejected": "policy blocked auth_failure",
        # This version of Sisimai counts failed SPF and DMARC here.
        "policyviolation": "policy auth_failure",
        "norelaying": "policy",
        "securityerror": "policy",
        "contenterror": "protocol policy",
        "spamdetected": "spam_content",
        "virusdetected": "virus",
        "toomanyconn": "rate_limited",
        # A connection that could not be made until the sender gave up.
        "expired": "expired connection",
        "networkerror": "routing_dns connection",
        "mailererror": "other",
        # Loops and sessions that timed out are among them.
        "systemerror": "other protocol routing_dns connection",
        "syntaxerror": "protocol",
    }.items()
}
#: Reasons of which the peer says that it does not know (`onhold`), or that are no bounce (`vacation`).
NO_REASON = frozenset({"onhold", "undefined", "vacation"})

#: Where the peer's soft is our hard, and why. RFC 5321 section 4.2.1: a reply of 5yz tells the sender not to repeat
#: the request; RFC 3463 section 2: so does a status of 5. A host that says in words that nobody has this address, or
#: that the mailbox was closed, is trusted, though it says so after the content (`filtered`), or though the mailbox may
#: come back one day (`suspend`).
OURS_IS_HARD = {"filtered": ("invalid_recipient", "inactive_mailbox"), "suspend": ("inactive_mailbox",)}
#: Details that the peer makes up where the reply has no status.
INVENTED = re.compile(r"[45]\.0\.9\d\d")


def samples() -> list[dict[str, Any]]:
    if not SAMPLES.exists():
        return []
    return [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]


RULES, KNOWN = load_bounce_classifier(), load_providers()


def verdict(row: dict[str, Any]) -> Classified:
    status = "" if INVENTED.fullmatch(row["deliverystatus"]) else row["deliverystatus"]
    return RULES.classify(int(row["replycode"] or 0), status, row["diagnosticcode"], KNOWN.of_mx(row["rhost"]))


ROWS = [(row, verdict(row)) for row in samples()]
needs_samples = pytest.mark.skipif(not ROWS, reason=f"no {SAMPLES.name} next to the project")


def explained(row: dict[str, Any], said: Classified) -> bool:
    return said.kind == "hard" and said.bounce_class in OURS_IS_HARD.get(row["reason"], ())


def share(agreeing: list[bool]) -> float:
    return sum(agreeing) / len(agreeing)


def confusion(rows: list[tuple[dict[str, Any], Classified]]) -> str:
    """How often each reason of the peer met each class of ours; `*` where the two are not agreed to be the same."""
    counts = Counter((row["reason"], said.bounce_class) for row, said in rows)
    lines = []
    for reason in sorted({row["reason"] for row, _ in rows}):
        met = [(name, counts[reason, name]) for name in CLASSES if counts[reason, name]]
        agreed = AGREED.get(reason, frozenset(CLASSES))
        lines.append(f"{reason:16} " + "  ".join(f"{name} {n}{'' if name in agreed else ' *'}" for name, n in met))
    return "\n".join(lines)


@needs_samples
def test_hard_and_soft_agree_in_97_of_100() -> None:
    reported = [(row, said) for row, said in ROWS if row["softbounce"] != -1]
    raw = [(said.kind == "hard") == (row["softbounce"] == 0) for row, said in reported]
    counted = [same for same, (row, said) in zip(raw, reported, strict=True) if not explained(row, said)]
    print(f"\nhard or soft: {share(counted):.1%} of {len(counted)}; with the explained: {share(raw):.1%} of {len(raw)}")
    assert share(counted) >= 0.97


@needs_samples
def test_classes_agree_in_93_of_100() -> None:
    reported = [(row, said) for row, said in ROWS if row["reason"] not in NO_REASON]
    agreeing = [said.bounce_class in AGREED[row["reason"]] for row, said in reported]
    print(f"\nclass: {share(agreeing):.1%} of {len(agreeing)}\n\n{confusion(ROWS)}")
    assert share(agreeing) >= 0.93


@needs_samples
def test_every_explained_difference_occurs() -> None:
    assert {row["reason"] for row, said in ROWS if explained(row, said)} == set(OURS_IS_HARD)


@needs_samples
def test_every_reason_of_the_peer_is_in_the_map() -> None:
    assert {row["reason"] for row, _ in ROWS} <= set(AGREED) | NO_REASON


def test_the_map_names_classes_of_ours() -> None:
    assert frozenset().union(*AGREED.values()) <= set(CLASSES)
