#!/usr/bin/env bash
# Title: Nodemailer's mailparser dates a mail with a zone's name such as CET or JST to the moment at which it is read
# Date: 2026-11-30
# Versions: mailparser 3.14.2 (npm). Needs node and npm
# One would guess: simpleParser(mail).date is what the Date field says, or undefined where that is not understood, as it
#   is where a mail has no Date field.
# What happens: a date that JavaScript's own Date cannot read becomes the present moment, and nothing says so. That
#   is the case of every zone's name but UT, GMT and those of North America: `13:00:00 CET`, `JST`, `MSK`, and the
#   military letters (`A`). RFC 5322 has such zones in its obsolete syntax, which every reader must accept, and says
#   that unknown names are to be taken for -0000. The same mail read twice has two dates.
# Why it matters: who reads bounces and complaints from a mailbox or an archive counts those of some hosts at the time of
#   reading: a complaint of last month belongs to today, and who reads the archive again counts it on another day. Look
#   into headerLines yourself, and take a date of the last seconds for none.
# Source: RFC 5322 section 4.3 (zones in the obsolete syntax; what a name that nobody knows stands for) and section 4
#   (readers take the obsolete syntax)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save mailparser@3.14.2
cat > read.js <<'JAVASCRIPT'
const { simpleParser } = require("mailparser");

const read = async (date) => {
  const field = date ? `Date: ${date}\r\n` : "";
  return (await simpleParser(`From: postmaster@example.net\r\n${field}Subject: Undelivered\r\n\r\nSorry.\r\n`)).date;
};

(async () => {
  console.log("mailparser", require("mailparser/package.json").version);
  const started = Date.now();
  const found = {};
  for (const zone of ["+0000", "GMT", "EST", "CET", "JST", "MSK", "A"]) {
    const first = await read(`Thu, 12 Mar 2026 12:00:00 ${zone}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const second = await read(`Thu, 12 Mar 2026 12:00:00 ${zone}`);
    const ofReading = first.getTime() >= started && second.getTime() > first.getTime();
    found[zone] = ofReading ? "the moment of reading" : first.toISOString();
    console.log(`12 Mar 2026 12:00:00 ${zone}: ${first.toISOString()}, read again ${second.toISOString()}`);
  }
  const none = await read("");
  console.log("without a Date field:", none);
  const expected = {
    "+0000": "2026-03-12T12:00:00.000Z",
    GMT: "2026-03-12T12:00:00.000Z",
    EST: "2026-03-12T17:00:00.000Z",
    CET: "the moment of reading",
    JST: "the moment of reading",
    MSK: "the moment of reading",
    A: "the moment of reading",
  };
  if (JSON.stringify(found) !== JSON.stringify(expected) || none !== undefined) {
    console.error("this has changed:", found, none);
    process.exit(1);
  }
})();
JAVASCRIPT
node read.js
