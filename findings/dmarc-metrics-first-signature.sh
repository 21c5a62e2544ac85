#!/usr/bin/env bash
# Title: dmarc-metrics-exporter calls mail that passed DMARC not compliant if the report's first signature failed
# Date: 2026-11-29
# Versions: dmarc-metrics-exporter 1.3.1, Python 3.11
# One would guess: mail that the receiver evaluated as `<dkim>pass</dkim>` is DMARC-compliant: `policy_evaluated` is
#   the outcome of DMARC itself, with alignment, over all signatures.
# What happens: the exporter asks once more whether the *first* signature in `auth_results` was verified. Mail of an
#   ESP has two: the ESP's own, for its feedback loops, and the customer's, which is aligned. If the receiver names
#   the ESP's first and could not verify it (here `temperror`: its key could not be had), none of the 100 messages is
#   compliant, although all passed. With the same two signatures in the other order all 100 are. The order is the
#   receiver's choice.
# Why it matters: `dmarc_compliant_total` falls and a customer is alarmed about mail that passed, at some receivers
#   and not at others, with the ESP's domain as the label `dkim_domain`. Read compliance from `policy_evaluated`
#   alone.
# Source: RFC 7489, section 6.6.2 (one aligned signature that verifies is enough) and appendix C (`policy_evaluated`
#   is the DMARC result, `auth_results` the raw ones, with any number of `dkim`)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dmarc-metrics-exporter==1.3.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from email.message import EmailMessage
from importlib.metadata import version

from dmarc_metrics_exporter.deserialization import convert_to_events, get_aggregate_report_from_email
from dmarc_metrics_exporter.dmarc_metrics import DmarcMetricsCollection

print("dmarc-metrics-exporter", version("dmarc-metrics-exporter"), "Python", sys.version.split()[0])
OF_ESP = "<dkim><domain>esp.example</domain><selector>e1</selector><result>temperror</result></dkim>"
OF_CUSTOMER = "<dkim><domain>example.com</domain><selector>s1</selector><result>pass</result></dkim>"


def compliant(signatures: str) -> str:
    """How many of the report's 100 messages, which all passed by an aligned signature, are counted as compliant."""
    report = f"""<?xml version="1.0" encoding="UTF-8"?>
<feedback>
  <version>1.0</version>
  <report_metadata>
    <org_name>Receiver</org_name><email>dmarc@receiver.example</email><report_id>1</report_id>
    <date_range><begin>1795910400</begin><end>1795996799</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>example.com</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>reject</sp><pct>100</pct><fo>0</fo>
  </policy_published>
  <record>
    <row>
      <source_ip>192.0.2.1</source_ip><count>100</count>
      <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated>
    </row>
    <identifiers>
      <envelope_from>esp.example</envelope_from><header_from>example.com</header_from>
    </identifiers>
    <auth_results>
      {signatures}
      <spf><domain>esp.example</domain><scope>mfrom</scope><result>pass</result></spf>
    </auth_results>
  </record>
</feedback>"""
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "dmarc@receiver.example", "Report domain: example.com Submitter: receiver.example"
    mail.set_content("An aggregate report.")
    mail.add_attachment(report, subtype="xml", filename="receiver.example!example.com!1795910400!1795996799.xml")
    collection = DmarcMetricsCollection()
    for feedback in get_aggregate_report_from_email(mail):
        for event in convert_to_events(feedback):
            collection.update(event)
    ((meta, metrics),) = collection.items()
    return f"{metrics.dmarc_compliant_count} of {metrics.total_count}, labelled {meta.dkim_domain}"


first = compliant(OF_ESP + OF_CUSTOMER)
last = compliant(OF_CUSTOMER + OF_ESP)
print("the ESP's signature named first:     ", first)
print("the customer's signature named first:", last)
changed = (first, last) != ("0 of 100, labelled esp.example", "100 of 100, labelled example.com")
sys.exit("this has changed" if changed else 0)
PYTHON
