#!/usr/bin/env bash
# Title: Python's email package hands out a bounce without its recipients, each way of reading in one of the two types
# Date: 2026-11-29
# Versions: the standard library of Python 3.11.7 (the same with 3.10.13, 3.12.1 and 3.13.0)
# One would guess: get_content() of the `message/delivery-status` part gives its content; and the loop that is in
#   every bounce handler, over the messages in get_payload() of which the first is about the report and each further
#   one about a recipient, reads any delivery status.
# What happens: get_content() gives the first group of fields alone, the one about the reporting host; all recipients
#   are gone, without an error. Of `message/global-delivery-status`, which a host with SMTPUTF8 sends, it gives
#   everything, but there the loop finds nobody: get_payload() has one message, whose *body* is the text of the
#   recipients' fields. Encoded in base64, as on its way over a host that takes seven bits only, nobody is found in
#   either way.
# Why it matters: bounces of hosts with SMTPUTF8 count for nobody, and a handler that is moved from get_payload() to
#   the newer get_content() loses all the other ones; neither raises anything. Take the part's text, undo its transfer
#   encoding and split it at empty lines yourself, for both types alike.
# Source: RFC 3464 section 2.1 (groups of fields); RFC 6533 (message/global-delivery-status); RFC 6532 section 3.5
#   (transfer encodings of message types); Python library reference, email.parser and email.contentmanager
set -euo pipefail
python3 - <<'PYTHON'
import base64
import email
import email.policy
import sys

print("Python", sys.version.split()[0])
STATUS = """\
Reporting-MTA: dns; mx.example.com
Arrival-Date: Sun, 29 Nov 2026 09:59:00 +0000

Final-Recipient: rfc822; iris@example.net
Action: failed
Status: 5.1.1

Final-Recipient: rfc822; otto@example.net
Action: failed
Status: 5.2.2
"""


def read(kind: str, encoded: bool = False) -> tuple[int, int]:
    """How many of the two recipients are found by get_content() and by the groups of get_payload()."""
    body = base64.encodebytes(STATUS.encode()).decode() if encoded else STATUS
    encoding = "Content-Transfer-Encoding: base64\n" if encoded else ""
    mail = email.message_from_bytes(
        f"""\
From: MAILER-DAEMON@mx.example.com
To: bounce@example.com
Date: Sun, 29 Nov 2026 10:00:00 +0000
Message-ID: <1@mx.example.com>
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Your mail came back.

--b
Content-Type: {kind}
{encoding}
{body}
--b
Content-Type: text/rfc822-headers

From: shop@example.com
Message-ID: <2@example.com>

--b--
""".encode(),
        policy=email.policy.default,
    )
    part = next(each for each in mail.iter_parts() if each.get_content_type() == kind)
    content = part.get_content().count(b"Final-Recipient")
    groups = sum("Final-Recipient" in each for each in part.get_payload())
    print(f"{kind}{', base64' * encoded}: by get_content() {content}, by get_payload() {groups} of 2 recipients")
    return content, groups


plain = read("message/delivery-status")
international = read("message/global-delivery-status")
encoded = read("message/global-delivery-status", encoded=True)
changed = (plain, international, encoded) != ((0, 2), (2, 0), (0, 0))
sys.exit("this has changed" if changed else 0)
PYTHON
