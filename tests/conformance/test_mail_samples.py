"""Real bounce mails and feedback reports read by us and by Sisimai: where the two differ, and why.

The mails were collected by others (sisimai/set-of-emails) and are not part of the project; without them these tests
are skipped.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.canonical import hash_recipient
from tests.support.root import ROOT

SAMPLES = ROOT.parent / "shared" / "samples"
KEY = b"a key"
HOUSE = FormatOptions(default_customer="house")
CONTEXT = Context(KEY, load_providers(), {"arf": HOUSE, "dsn": HOUSE})

#: What differs, why we leave it so, and in which samples.
DIFFERENCES: list[tuple[str, str, str]] = [
    (
        "unread",
        "Postfix tells its own postmaster of a session with errors: the client reports to whom it concerns",
        "lhost-postfix-75",
    ),
    (
        "time",
        "they take Arrival-Date, when the reporting host took the mail in; it failed at the last attempt or, where that"
        " is not given, when the notification was written: up to five days later",
        "lhost-office365-05 lhost-office365-07 lhost-office365-09 lhost-office365-11 lhost-postfix-02 lhost-postfix-06"
        " lhost-postfix-08 lhost-postfix-10 lhost-postfix-13 lhost-postfix-15 lhost-postfix-29 lhost-postfix-31"
        " lhost-postfix-35 lhost-postfix-37 lhost-postfix-57 lhost-postfix-65 lhost-postfix-67 lhost-postfix-69"
        " lhost-postfix-71 lhost-postfix-73 lhost-postfix-79 rfc3464-43",
    ),
    (
        "time",
        "they take the date of the returned mail, we that of the report or notification",
        "arf-11 arf-16 lhost-exim-01 lhost-exim-03 lhost-exim-53 lhost-googlegroups-02 lhost-googlegroups-04"
        " lhost-googlegroups-06 lhost-googlegroups-08 lhost-googlegroups-10 lhost-googlegroups-12"
        " lhost-googlegroups-14",
    ),
    (
        "recipient",
        "they take Final-Recipient, to which the mail was forwarded; we Original-Recipient, to which it was sent and"
        " whose delivery was counted",
        "lhost-postfix-49 lhost-postfix-77 lhost-postfix-79 rfc3464-09 rhost-google-04 rhost-google-06",
    ),
    ("recipient", "X-Failed-Recipients and the text name different addresses", "lhost-exim-03"),
    ("recipient", "hidden by the reporter: we keep no hash of a placeholder", "arf-01 arf-11"),
    (
        "status",
        "they look at all failures of the mail together; each recipient has a Status of its own",
        "lhost-postfix-02 lhost-postfix-13",
    ),
    ("type", "a mail by which Apple Mail unsubscribes its user; they call it a vacation notice", "arf-26"),
    (
        "type",
        "`failed` with a status of 4.x.x, or a reply of 4yz, was given up after retries (RFC 3464 section 2.3.3), which"
        " is `expired`; so are `retry timeout exceeded`, and a host that Google could not reach",
        "lhost-exim-07 lhost-postfix-08 lhost-postfix-15 lhost-postfix-37 lhost-postfix-43 lhost-postfix-45"
        " lhost-postfix-49 rfc3464-36 rfc3464-40 rfc3464-43 rfc3464-52 rfc3464-54 rfc3464-56 rfc3464-62 rfc3464-64",
    ),
    ("type", "a warning of Exim: the host goes on trying; they call it a bounce", "lhost-exim-41"),
]
#: Sisimai makes up statuses where the server gave none: details of three digits from 900 on.
MADE_UP = re.compile(r"[45]\.0\.9\d\d")


def rows() -> list[dict[str, Any]]:
    found = []
    for kind in ("arf", "dsn"):
        table = SAMPLES / kind / "expected.jsonl"
        if table.exists():
            lines = table.read_text(encoding="utf-8").splitlines()
            found += [json.loads(line) | {"format": kind} for line in lines]
    return found


ROWS = rows()
needs_samples = pytest.mark.skipif(not ROWS, reason="no samples of bounce mails next to the project")


def name_of(row: dict[str, Any]) -> str:
    return str(row["file"]).removeprefix("bsd-").removesuffix(".eml")


def adapted(kind: str, path: Path) -> list[MailEvent]:
    return adapter(kind)(path.read_bytes(), CONTEXT)


def their_type(expected: dict[str, Any]) -> str:
    if expected["reason"] == "feedback":
        return "complained"
    return "deferred" if expected["action"] == "delayed" else "bounced"


def differing(expected: dict[str, Any], event: MailEvent) -> set[str]:
    made_up = MADE_UP.fullmatch(expected["deliverystatus"])
    pairs = {
        "type": (their_type(expected), event.type),
        "feedback type": (expected["feedbacktype"], event.feedback_type),
        "recipient": (hash_recipient(expected["recipient"], KEY), event.recipient_hash),
        "status": ("" if made_up else expected["deliverystatus"], event.enhanced_status),
        "time": (expected["timestamp"] * 1000, event.time_ms),
        "message id": (expected["messageid"], event.message_id),
    }
    return {field for field, (theirs, ours) in pairs.items() if theirs != ours}


@needs_samples
@pytest.mark.parametrize("row", ROWS, ids=map(name_of, ROWS))
def test_sample_is_read_as_sisimai_reads_it_but_for_explained_differences(row: dict[str, Any]) -> None:
    explained = {field for field, _, names in DIFFERENCES if name_of(row) in names.split()}
    try:
        events = adapted(row["format"], SAMPLES / row["format"] / row["file"])
    except AdaptError:
        events = []
    if not events:
        assert explained == {"unread"}
        return
    found = set().union(*map(differing, row["expected"], events))
    assert len(events) == len(row["expected"])
    assert found == explained


@needs_samples
def test_every_explained_difference_is_of_a_sample() -> None:
    assert {name for _, _, names in DIFFERENCES for name in names.split()} <= set(map(name_of, ROWS))


@needs_samples
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rfc3464-1", [("expired", "larry.slip.umd.edu", 426, "4.0.0", 773615749)]),
        (
            "rfc3464-2",
            [
                ("bounced", "vnet.ibm.com", 550, "5.0.0", 773673707),
                ("deferred", "hpnjld.njd.hp.com", 0, "4.0.0", 773673707),
                ("bounced", "sdcc13.ucsd.edu", 550, "5.0.0", 773673707),
            ],
        ),
        ("rfc5965-1", [("complained", "", 0, "", 1110318036)]),
        ("rfc5965-2", [("complained", "example.com", 0, "", 1110318036)]),
    ],
)
def test_examples_of_the_standards_are_read_as_the_standards_say(name: str, expected: list[tuple[Any, ...]]) -> None:
    kind = "dsn" if "3464" in name else "arf"
    events = adapted(kind, SAMPLES / "kumomta" / f"{name}.eml")
    found = [
        (event.type, event.recipient_domain, event.smtp_code, event.enhanced_status, event.time_ms // 1000)
        for event in events
    ]
    assert found == expected
