#!/usr/bin/env bash
# Title: Baunsu says "bounced" of a notification that mail was delivered, with the same score as of one that failed
# Date: 2026-11-30
# Versions: baunsu 0.2.3 (npm). Needs node and npm
# One would guess: `bounced` is whether the mail came back. The notification has an action for its recipient (RFC 3464):
#   failed, delayed, delivered, relayed or expanded.
# What happens: the score is of how much the mail looks like a report; neither Action nor the class of the status is
#   asked. Success that the sender asked for, a relay, and "still being tried" are `bounced: true` with the score of an
#   unknown user, although the status that is read from them (`2.0.0`: "Success") stands in the same result.
# Why it matters: a host that asks for notifications of success (NOTIFY=SUCCESS) or warns of delays has each good address
#   counted as a failure, and suppressed. Ask the class of `status` too, and only 5, and Action.
# Source: RFC 3464 section 2.3.3 (Action) and 2.3.4, RFC 3461 section 4.1 (NOTIFY)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save baunsu@0.2.3
cat > read.js <<'JAVASCRIPT'
const Baunsu = require("baunsu");

console.log("baunsu", require("baunsu/package.json").version);
const report = (action, status) => [
  "From: MAILER-DAEMON@mx.example.net", "To: bounces@esp.example", "Subject: Report", "MIME-Version: 1.0",
  "Content-Type: multipart/report; report-type=delivery-status; boundary=part", "",
  "--part", "Content-Type: text/plain", "", "About your mail.",
  "--part", "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example.net", "",
  "Final-Recipient: rfc822; iris@example.net", `Action: ${action}`, `Status: ${status}`, "--part--", "",
].join("\r\n");
const found = {};
for (const [action, status] of [["failed", "5.1.1"], ["delayed", "4.4.1"], ["delivered", "2.0.0"], ["relayed", "2.0.0"]]) {
  const result = new Baunsu().detectSync(report(action, status));
  found[action] = [result.bounced, result.score, result.status.class.message];
  console.log(`Action: ${action}, Status: ${status}: bounced ${result.bounced}, score ${result.score}, ` +
    `"${result.status.class.message}"`);
}
const score = found.failed[1];
const expected = {
  failed: [true, score, "Permanent Failure"],
  delayed: [true, score, "Persistent Transient Failure"],
  delivered: [true, score, "Success"],
  relayed: [true, score, "Success"],
};
if (JSON.stringify(found) !== JSON.stringify(expected)) {
  console.error("this has changed:", found);
  process.exit(1);
}
JAVASCRIPT
node read.js
