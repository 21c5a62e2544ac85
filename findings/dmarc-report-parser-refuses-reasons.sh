#!/usr/bin/env bash
# Title: dmarc-report-parser refuses every report with a reason in it, and counts no failure while the policy is `none`
# Date: 2026-11-30
# Versions: dmarc-report-parser 0.1.5 (npm). Needs node and npm
# One would guess: a report in which a receiver tells why it did not follow the policy (`reason`: forwarded, a mailing
#   list, local policy) is read, with the reason. `totalFailures` is how much mail failed DMARC.
# What happens: such a report is refused as a whole, with a message about a type that should not be an array; the
#   records without a reason are lost with it. `totalFailures` counts records of which the disposition is not `none`:
#   25,000 mails in one record that fail both checks under `p=none` are 0, under `p=reject` they are 1.
# Why it matters: receivers give a reason wherever they did not follow the policy, for forwarded mail above all, so what is
#   read is the rest; and who watches a domain before its policy is turned on, when reports matter most, sees that nothing fails. Count `count`
#   of records whose policy_evaluated has both `dkim` and `spf` as `fail`.
# Source: RFC 7489 appendix C (PolicyOverrideReason in policy_evaluated, `count` in row), RFC 9990 (both stay)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save dmarc-report-parser@0.1.5
cat > read.js <<'JAVASCRIPT'
const { parseDmarcReportsFromXml } = require("dmarc-report-parser");

console.log("dmarc-report-parser", require("dmarc-report-parser/package.json").version);
const report = (policy, reason) => `<?xml version="1.0" encoding="UTF-8"?>
<feedback>
  <report_metadata>
    <org_name>example.net</org_name><email>reports@example.net</email><report_id>1</report_id>
    <date_range><begin>1773273600</begin><end>1773360000</end></date_range>
  </report_metadata>
  <policy_published><domain>example.com</domain><p>${policy}</p></policy_published>
  <record>
    <row>
      <source_ip>192.0.2.7</source_ip><count>25000</count>
      <policy_evaluated><disposition>${reason ? "none" : policy}</disposition><dkim>fail</dkim><spf>fail</spf>
        ${reason}</policy_evaluated>
    </row>
    <identifiers><header_from>example.com</header_from></identifiers>
    <auth_results><spf><domain>example.com</domain><result>fail</result></spf></auth_results>
  </record>
</feedback>`;
const reports = {
  "p=none": report("none", ""),
  "p=reject": report("reject", ""),
  "with a reason": report("reject", "<reason><type>forwarded</type><comment>ARC</comment></reason>"),
};
(async () => {
  const found = {};
  for (const [name, xml] of Object.entries(reports)) {
    try {
      found[name] = (await parseDmarcReportsFromXml([xml])).totalFailures;
    } catch (error) {
      found[name] = `refused at ${JSON.parse(error.message)[0].path.slice(-2).join(".")}`;
    }
    console.log(`25,000 mails that fail both checks, ${name}: totalFailures ${found[name]}`);
  }
  const expected = { "p=none": 0, "p=reject": 1, "with a reason": "refused at 0.type" };
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    console.error("this has changed:", found);
    process.exit(1);
  }
})();
JAVASCRIPT
node read.js
