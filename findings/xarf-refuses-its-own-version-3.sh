#!/usr/bin/env bash
# Title: XARF's library converts version 3, but refuses its valid spam reports; if helped, it loses their evidence
# Date: 2026-11-29
# Versions: xarf 1.0.0
# One would guess: parse() converts reports of version 3 by itself, so a spam report that version 3's own schema finds
#   valid comes out as a SpamReport of version 4, with the mail in `evidence`.
# What happens: it is refused: "missing protocol for messaging type". Version 3 has no such field, since its spam is
#   mail. If `Protocol` is added, the report is taken without errors, but its evidence is an empty text of 0 bytes
#   with the SHA-256 of nothing: version 3 calls a sample's content `Payload`, and the library looks for `Data`. And
#   the report gets another random id each time it is read.
# Why it matters: who puts the library in front of an abuse mailbox loses all spam reports of version 3; with the
#   obvious mend, a hash is kept that proves an empty mail, and repetitions cannot be told by `report_id`. Before
#   parsing, add the protocol and copy `Payload` to `Data`; make the id from the report's content.
# Source: XARF version 3, schemas `spam` and `xarf_shared` and their samples (https://github.com/abusix/xarf); version
#   4, core schema and messaging-spam (https://xarf.org)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check xarf==1.0.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import base64
import copy
import hashlib
import json
import sys
import warnings
from importlib.metadata import version

import xarf

warnings.simplefilter("ignore")
print("xarf", version("xarf"))
mail = b"From: shop@example.com\r\nTo: trap@example.net\r\nSubject: Offer\r\n\r\nBuy now\r\n"
report = {
    "Version": "3",
    "ReporterInfo": {
        "ReporterOrg": "Trap Operator",
        "ReporterOrgDomain": "example.net",
        "ReporterOrgEmail": "abuse@example.net",
    },
    "Disclosure": True,
    "Report": {
        "ReportClass": "Activity",
        "ReportType": "Spam",
        "Date": "2026-11-29T10:00:00Z",
        "SourceIp": "192.0.2.1",
        "SourcePort": 40000,
        "DestinationIp": "198.51.100.1",
        "DestinationPort": 25,
        "SmtpMailFromAddress": "shop@example.com",
        "SmtpRcptToAddress": "trap@example.net",
        "Samples": [
            {
                "ContentType": "message/rfc822",
                "Base64Encoded": True,
                "Description": "The mail",
                "Payload": base64.b64encode(mail).decode(),
            }
        ],
    },
}
try:
    refused = f"taken: {xarf.parse(json.dumps(report)).report}"
except xarf.XARFParseError as error:
    refused = str(error)
print("as it came:", refused)

helped = copy.deepcopy(report)
helped["Report"]["Protocol"] = "smtp"
first, second = (xarf.parse(json.dumps(helped)) for _ in range(2))
evidence = first.report.evidence[0]
print("with Protocol: errors", first.errors, "evidence of", evidence.size, "bytes,", evidence.hash)
print("the mail has  ", len(mail), "bytes, sha256:" + hashlib.sha256(mail).hexdigest())
print("ids of the same report, read twice:", first.report.report_id, second.report.report_id)
same = (
    "missing protocol" in refused
    and first.errors == []
    and (evidence.size, evidence.payload) == (0, "")
    and evidence.hash == "sha256:" + hashlib.sha256(b"").hexdigest()
    and first.report.report_id != second.report.report_id
)
sys.exit(0 if same else "this has changed")
PYTHON
