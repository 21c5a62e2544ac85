#!/usr/bin/env bash
# Title: Python's LMTP has one answer for all recipients of a mail: smtplib reads one, aiosmtpd gives one
# Date: 2026-11-29
# Versions: the standard library of Python 3.11.7; aiosmtpd 1.4.6
# One would guess: smtplib.LMTP.sendmail() gives back the recipients that were refused, as its documentation says, and
#   aiosmtpd.lmtp.LMTP answers each recipient after the mail: that is what LMTP is for.
# What happens: the client reads the first answer alone and takes it for everybody's: a recipient whose mailbox is full
#   counts as delivered, without an error. The other answers stay in its buffer and are taken for those of the next
#   commands: the next mail's sender is "refused" with the answer about the recipient before. The server gives one
#   answer for two recipients, also where the mail is too large: a client that keeps to the RFC waits for the second.
# Why it matters: mail is lost, or a queue hangs until its timeout, as soon as a mail has two recipients. As a client,
#   send one recipient a mail. As a server with aiosmtpd, accept one recipient (452 for further ones), or return from
#   handle_DATA as many lines as there are recipients, and set no size limit of its own.
# Source: RFC 2033 section 4.2: after the final dot "the server returns one reply for each previously successful RCPT
#   command in the mail transaction, in the order that the RCPT commands were issued"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aiosmtpd==1.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import asyncio
import smtplib
import sys
from importlib.metadata import version

from aiosmtpd.lmtp import LMTP

print("Python", sys.version.split()[0], "aiosmtpd", version("aiosmtpd"))
ANSWERS = [b"250 2.0.0 kept for iris", b"452 4.2.2 the mailbox of otto is full"]


async def server(reader, writer):
    """Keeps to RFC 2033; the second recipient's mailbox is full."""
    writer.write(b"220 here\r\n")
    while line := await reader.readline():
        if line.upper().startswith(b"DATA"):
            writer.write(b"354 go on\r\n")
            while await reader.readline() != b".\r\n":
                pass
            writer.write(b"".join(each + b"\r\n" for each in ANSWERS))
        else:
            writer.write(b"250 ok\r\n")


def client(port):
    made = smtplib.LMTP("127.0.0.1", port, timeout=10)
    refused = made.sendmail("", ["iris@example.net", "otto@example.net"], "Subject: 1\r\n\r\n")
    print("smtplib: refused recipients of the first mail:", refused)
    try:
        print("smtplib: of the second:", made.sendmail("", ["iris@example.net"], "Subject: 2\r\n\r\n"))
    except smtplib.SMTPException as error:
        print("smtplib: of the second:", repr(error))
    made.close()
    return refused


class Handler:
    async def handle_DATA(self, server, session, envelope):
        return "250 kept"


async def answers(limit, text):
    """What aiosmtpd says after a mail to two recipients."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: LMTP(Handler(), data_size_limit=limit), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    recipients = b"RCPT TO:<iris@example.net>\r\nRCPT TO:<otto@example.net>\r\n"
    writer.write(b"LHLO a\r\nMAIL FROM:<>\r\n" + recipients + b"DATA\r\n" + text + b"\r\n.\r\nQUIT\r\n")
    said = (await reader.read(-1)).decode().splitlines()
    return said[[each[:3] for each in said].index("354") + 1 : -1]


async def main():
    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    refused = await asyncio.to_thread(client, listening.sockets[0].getsockname()[1])
    kept, large = await answers(1_000, b"x"), await answers(10, b"x" * 100)
    print("aiosmtpd: answers for two recipients:", kept, "and of a mail that is too large:", large)
    sys.exit(0 if not refused and len(kept) == len(large) == 1 else "this has changed")


asyncio.run(main())
PYTHON
