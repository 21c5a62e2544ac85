#!/usr/bin/env bash
# Title: parsedmarc's table of a TLS report names no domain beside a failure, and never an MX pattern
# Date: 2026-11-29
# Versions: parsedmarc 11.1.0 (PyPI). Needs python3
# One would guess: a report of RFC 8460 comes out whole: a row of parsed_smtp_tls_reports_to_csv() says for which
#   policy's domain sessions failed, and `mx-host`, the field that names the MX hosts of a policy, is in the column
#   mx_host_patterns that stands there for it.
# What happens: a row of a failure repeats policy_strings but leaves policy_domain and policy_type empty; only the row
#   with the totals has them. A report on two domains whose policies read alike leaves failures that belong to either.
#   And the parser looks for a key `mx-host-pattern`, which is the name of the value's grammar: `mx-host`, which is what
#   reporters send, is dropped from the parsed report and from every output.
# Why it matters: who sends mail for many domains reads from such tables whose domain lost encryption. Keep the order
#   of rows, or take the JSON output, where failures stand inside their policy; read `mx-host` from the raw report.
# Source: RFC 8460, section 4.4 (field "mx-host") and appendix B (an example with that field)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check parsedmarc==11.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import csv
import io
import json
from importlib.metadata import version

import parsedmarc

print("parsedmarc", version("parsedmarc"))


def policy(domain: str, failures: int) -> dict[str, object]:
    return {
        "policy": {
            "policy-type": "sts",
            "policy-string": ["version: STSv1", "mode: enforce", "mx: *.mail.example.com", "max_age: 86400"],
            "policy-domain": domain,
            "mx-host": ["*.mail.example.com"],
        },
        "summary": {"total-successful-session-count": 5326, "total-failure-session-count": failures},
        "failure-details": [
            {
                "result-type": "certificate-expired",
                "sending-mta-ip": "192.0.2.1",
                "receiving-mx-hostname": "mx1.mail.example.com",
                "failed-session-count": failures,
            }
        ],
    }


report = {
    "organization-name": "Reporter",
    "date-range": {"start-datetime": "2026-04-01T00:00:00Z", "end-datetime": "2026-04-01T23:59:59Z"},
    "contact-info": "reports@example.net",
    "report-id": "1@example.net",
    "policies": [policy("shop.example.com", 100), policy("news.example.com", 7)],
}
parsed = parsedmarc.parse_smtp_tls_report_json(json.dumps(report))
rows = list(csv.DictReader(io.StringIO(parsedmarc.parsed_smtp_tls_reports_to_csv(parsed))))
for row in rows:
    print({name: row[name] for name in ("policy_domain", "result_type", "failed_session_count", "mx_host_patterns")})
failures = [row for row in rows if row["result_type"]]
assert [row["failed_session_count"] for row in failures] == ["100", "7"], failures
assert [row["policy_domain"] for row in failures] == ["", ""], failures
assert all(row["policy_strings"] for row in failures), failures
assert all(not row["mx_host_patterns"] for row in rows), rows
assert "mail.example.com" not in "".join(
    str(read.get("mx_host_patterns")) for read in parsed["policies"]
), "mx-host is read now"
print("no failure names its domain; mx-host is nowhere")
PYTHON
