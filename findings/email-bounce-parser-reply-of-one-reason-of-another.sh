#!/usr/bin/env bash
# Title: email-bounce-parser joins one recipient's reply with another's reason, and takes any text for a bounce
# Date: 2026-11-30
# Versions: email-bounce-parser 1.0.22 (npm). Needs node and npm
# One would guess: read() of a bounce that names two recipients tells of one of them, or of both; `bounce` says whether
#   the text is a bounce.
# What happens: code, label and recipient are the first one's, but `data.type` is the first of a fixed order of
#   reasons that the whole text has: an unknown user and a full mailbox in one bounce become one recipient with
#   550 5.1.1 and the type `mailbox_full`; the other recipient is gone. A notification that a mail was delivered (250 2.0.0) is
#   `bounce: true`, as is an answer that somebody is on holiday. A refusal because the sender's address is on a
#   blocklist has the type `spam_content`.
# Why it matters: who suppresses by `data.type` keeps mailing an address that does not exist, who counts by `bounce`
#   counts deliveries and holidays as failures, and a blocklisting looks like a fault of the customer's words. One mail
#   to several recipients of one host comes back as one bounce, so this is no rare case. Read message/delivery-status,
#   which has a group for each recipient and the action.
# Source: RFC 3464 section 2 (a group of fields for each recipient) and 2.3.3 (actions), RFC 3834 (automatic answers)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save email-bounce-parser@1.0.22
cat > read.js <<'JAVASCRIPT'
const Parser = require("email-bounce-parser");

console.log("email-bounce-parser", require("email-bounce-parser/package.json").version);
const host = (text) => `This is the mail system at host mx.example.com.\n\n                   The mail system\n\n${text}`;
const nobody =
  "<iris@example.net>: host mx.example.net[192.0.2.25] said: 550 5.1.1 Recipient\n" +
  "    address rejected: User unknown (in reply to RCPT TO command)\n";
const full =
  "<jon@example.net>: host mx.example.net[192.0.2.25] said: 552 5.2.2 Mailbox\n" +
  "    full (in reply to RCPT TO command)\n";
const texts = {
  "an unknown user": host(nobody),
  "an unknown user and a full mailbox": host(`${nobody}\n${full}`),
  "a delivery": host("<iris@example.net>: delivery via mx.example.net[192.0.2.25]:25: 250 2.0.0 Ok\n"),
  "a holiday": "Thanks for your mail. I am back in the office on 5 May.\n",
  "a listed sender": host(
    "<iris@example.net>: host mx.example.net[192.0.2.25] said: 554 5.7.1 Client host\n" +
      "    [192.0.2.1] blocked using bl.example.org (in reply to RCPT TO command)\n"
  ),
};
const found = {};
for (const [name, text] of Object.entries(texts)) {
  const { bounce, data } = new Parser().read(text);
  found[name] = [bounce, data.recipient, data.error.code.enhanced, data.error.data.type];
  console.log(`${name}: bounce ${bounce}, recipient ${data.recipient}, ` +
    `status ${data.error.code.enhanced}, type ${data.error.data.type}`);
}
const expected = {
  "an unknown user": [true, "iris@example.net", "5.1.1", "no_such_recipient"],
  "an unknown user and a full mailbox": [true, "iris@example.net", "5.1.1", "mailbox_full"],
  "a delivery": [true, "iris@example.net", "2.0.0", null],
  "a holiday": [true, null, null, null],
  "a listed sender": [true, "iris@example.net", "5.7.1", "spam_content"],
};
if (JSON.stringify(found) !== JSON.stringify(expected)) {
  console.error("this has changed:", found);
  process.exit(1);
}
JAVASCRIPT
node read.js
