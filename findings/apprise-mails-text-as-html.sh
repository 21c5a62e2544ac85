#!/usr/bin/env bash
# Title: Apprise mails a text as if it were HTML: addresses in angle brackets and all line ends are gone
# Date: 2026-11-29
# Versions: apprise 2.3.0, aiosmtpd 1.4.6 (PyPI; takes the mail). Needs python3
# One would guess: notify(body="550 5.1.1 <ann@example.net>: unknown user") mails these words. A body is text unless
#   `body_format` says otherwise, as it is for Apprise's own command line, and what has to be escaped is escaped.
# What happens: without `body_format` nothing is converted, and mail goes out as HTML. The HTML part has the body as it
#   is, so a reader shows `550 5.1.1 : unknown user`, and all lines as one. The text part is made of that HTML: there
#   the address is gone for good, and so are the line ends. notify() tells of success. The same words given to the
#   command `apprise` arrive whole.
# Why it matters: answers of mail hosts hold addresses in angle brackets, so an alert on bounces arrives without the
#   recipient that it is about, and a name of a customer may hold markup that is taken for markup. Always give
#   body_format=NotifyFormat.TEXT.
# Source: RFC 5321 section 4.2 and appendix D (replies that name the mailbox in angle brackets); the option
#   --input-format of `apprise --help` (text unless said otherwise)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apprise==2.3.0 aiosmtpd==1.4.6
PATH="$folder/venv/bin:$PATH" HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import email
import subprocess
import sys
from email import policy
from html.parser import HTMLParser
from importlib.metadata import version
from socket import create_server

import apprise
from aiosmtpd.controller import Controller

print("apprise", version("apprise"))
BODY = "\n".join(("2 mails came back:", "550 5.1.1 <ann@example.net>: unknown user", "550 5.1.1 <bob@example.net>: gone"))
taken = []


class Taker:
    async def handle_DATA(self, server, session, envelope):
        taken.append(email.message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


class Shown(HTMLParser):
    """What a reader of HTML shows: the text between tags."""

    def __init__(self, html):
        super().__init__()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_data(self, data):
        self.text += data


with create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
taker = Controller(Taker(), hostname="127.0.0.1", port=port)
taker.start()
url = f"mailto://127.0.0.1:{port}?from=repmon@esp.example&to=ops@esp.example"
try:
    outlet = apprise.Apprise()
    assert outlet.add(url)
    told = bool(outlet.notify(body=BODY))
    told_as_text = bool(outlet.notify(body=BODY, body_format=apprise.NotifyFormat.TEXT))
    command = subprocess.run(["apprise", "--body", BODY, url], check=False).returncode
finally:
    taker.stop()


def read(mail):
    """Whether the text part, and what is shown of an HTML part, hold the addresses; and the lines of the text part."""
    parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    for kind, content in parts.items():
        print(f"  {kind}: {content!r}")
    plain = parts.get("text/plain", "")
    shown = [plain, *(Shown(content).text for kind, content in parts.items() if kind == "text/html")]
    return ["ann@example.net" in each for each in shown], len(plain.strip().splitlines())


found = []
for name, mail in zip(("notify(body=...)", "notify(..., body_format=TEXT)", "the command"), taken, strict=True):
    print(name)
    found.append(read(mail))
    print("  addresses shown in the text part and in HTML, lines of the text part:", found[-1])
by_default, as_text, by_command = found
same = told and told_as_text and command == 0 and by_default == ([False, False], 1)
same = same and all(as_text[0]) and as_text[1] == 3 and by_command[0][0] and by_command[1] == 3
sys.exit(0 if same else f"this has changed: {found}")
PYTHON
