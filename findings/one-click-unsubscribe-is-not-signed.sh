#!/usr/bin/env bash
# Title: dkimpy and mailauth sign List-Unsubscribe and leave out List-Unsubscribe-Post, so one-click does not hold
# Date: 2026-11-30
# Versions: dkimpy 1.1.8 (PyPI), mailauth 4.13.3 (npm). Needs python3, node, npm and openssl
# One would guess: a library that signs List-Unsubscribe without being asked signs List-Unsubscribe-Post too, since for one click one
#   is of no use without the other. Nodemailer 10.6.1 does.
# What happens: both sign the fields that RFC 6376 names, among them those of RFC 2369, and not the one that came in 2017. The
#   signature is valid, so every test of it passes.
# Why it matters: one-click unsubscription counts only if both fields are signed, and Gmail and Yahoo ask bulk senders for it. Where the
#   button is missing people press "spam": the complaint rate rises, and nothing in any report names the line. Name the fields to sign.
# Source: RFC 8058 section 4 (the signature has to cover both fields); RFC 6376 section 5.4.1 (the fields it recommends); Google, "Email
#   sender guidelines" (https://support.google.com/a/answer/81126)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dkimpy==1.1.8
npm install --silent --no-audit --no-fund --no-save mailauth@4.13.3
openssl genrsa -traditional -out key.pem 2048 2>/dev/null
printf '%s\r\n' "From: news@example.com" "To: ann@example.net" "Subject: Spring" "Message-ID: <1@example.com>" \
  "List-Unsubscribe: <https://example.com/u/1>" "List-Unsubscribe-Post: List-Unsubscribe=One-Click" "" "Hello" > mail.eml
cat > sign.py <<'PYTHON'
from importlib.metadata import version
from pathlib import Path

import dkim

print("dkimpy", version("dkimpy"), dkim.sign(Path("mail.eml").read_bytes(), b"s", b"example.com", Path("key.pem").read_bytes()).decode())
PYTHON
cat > sign.js <<'JAVASCRIPT'
const fs = require("fs");
const { dkimSign } = require("mailauth/lib/dkim/sign");
const { version } = require("mailauth/package.json");
const privateKey = fs.readFileSync("key.pem", "utf8");
(async () => {
  const signed = await dkimSign(fs.readFileSync("mail.eml"), { signatureData: [{ signingDomain: "example.com", selector: "s", privateKey }] });
  console.log("mailauth", version, signed.signatures);
})();
JAVASCRIPT
cat > look.py <<'PYTHON'
import re
import sys

said = {}
for file in ("python.txt", "node.txt"):
    text = re.sub(r"\r?\n[ \t]+", " ", open(file, encoding="utf-8").read())
    for name in ("dkimpy", "mailauth"):
        if found := re.search(rf"{name} ([\d.]+).*?DKIM-Signature:.*?[ ;]h=([^;]*);", text, re.DOTALL):
            fields = re.sub(r"\s", "", found[2]).lower().split(":")
            said[name] = ("list-unsubscribe" in fields, "list-unsubscribe-post" in fields)
            print(name, found[1], "signs", ":".join(fields))
expected = dict.fromkeys(("dkimpy", "mailauth"), (True, False))
sys.exit(0 if said == expected else f"this has changed: {said}")
PYTHON
venv/bin/python sign.py > python.txt
node sign.js > node.txt
venv/bin/python look.py
