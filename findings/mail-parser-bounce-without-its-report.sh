#!/usr/bin/env bash
# Title: mail-parser drops the report out of a bounce or complaint, and adds the returned mail's words to its text
# Date: 2026-11-29
# Versions: mail-parser 4.8.0 (PyPI). Needs python3
# One would guess: a multipart/report (RFC 6522) comes out with its three parts: the words for people in `body`, the
#   machine-readable part among the attachments or at least in `text_not_managed`, and the mail that came back as an
#   attachment of its own.
# What happens: the part `message/delivery-status` is nowhere: not in the body, not among the attachments, not in
#   `text_not_managed`, and there is no defect. So it is with `message/feedback-report` (RFC 5965). The text of the mail
#   that came back is appended to the body, and stands second in `text_plain`, as if the mail host had written it.
# Why it matters: who reads bounces with it has neither recipient nor status, and looks for the reason of the bounce
#   in the customer's own newsletter: a mailing that says "mailbox full of offers" bounces for that. Take the part from
#   `mail.message`, the standard library's own object, which has it.
# Source: RFC 6522 section 3 (the parts of a report), RFC 3464 section 2.1, RFC 5965 section 3.1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mail-parser==4.8.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import mailparser

print("mail-parser", version("mail-parser"))
REPORT = """\
From: MAILER-DAEMON@mx.example.net
To: bounces@esp.example
Date: Thu, 12 Mar 2026 12:00:00 +0000
Subject: Report
Message-ID: <report-1@mx.example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type={kind}; boundary="part"

--part
Content-Type: text/plain

There is nobody of that name here.
--part
Content-Type: message/{kind}

{fields}
--part
Content-Type: message/rfc822

From: news@shop.example
To: iris@example.net
Date: Thu, 12 Mar 2026 11:59:00 +0000
Subject: Spring
Message-ID: <1@shop.example>

Your mailbox full of offers!
--part--
"""
REPORTS = {
    "delivery-status": """\
Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; iris@example.net
Action: failed
Status: 5.1.1
""",
    "feedback-report": """\
Feedback-Type: abuse
User-Agent: Example/1.0
Version: 1
""",
}
found = {}
for kind, fields in REPORTS.items():
    mail = mailparser.parse_from_string(REPORT.format(kind=kind, fields=fields))
    seen = f"{mail.body}{mail.attachments}{mail.text_not_managed}{mail.text_html}{mail.headers}"
    known = any(line.partition(": ")[2] in seen for line in fields.splitlines() if ": " in line and len(line) > 12)
    types = [part.get_content_type() for part in mail.message.walk()]
    print(f"message/{kind}: parts in the mail: {types}")
    print(f"  text_plain {mail.text_plain}, attachments {mail.attachments}")
    print(f"  defects {mail.defects}, fields of the report found: {known}")
    found[kind] = (mail.text_plain, mail.attachments, mail.text_not_managed, known, f"message/{kind}" in types)
words = ["There is nobody of that name here.", "Your mailbox full of offers!"]
expected = {kind: (words, [], [], False, True) for kind in REPORTS}
sys.exit(0 if found == expected else f"this has changed: {found}")
PYTHON
