#!/usr/bin/env bash
# Title: Python's smtplib raises an error for mail that the server has taken, where that says anything but 221 to QUIT
# Date: 2026-11-30
# Versions: the standard library of Python 3.11.7 (the same in 3.10.13, 3.12.1 and 3.13.0)
# One would guess: `with smtplib.SMTP(host) as server: server.send_message(mail)` raises an error only where the mail was
#   not taken; the end of the block closes the connection, as with a file. And that a server whose greeting refuses
#   everybody is given no mail, whether the connection is made by SMTP(host) or by connect(host).
# What happens: leaving the block sends QUIT and raises SMTPResponseException unless the answer is 221, though
#   send_message() had come back: a relay that is being restarted says 421, which is allowed. SMTP(host) refuses a
#   greeting of 554; SMTP().connect(host) only returns it, and the mail is sent.
# Why it matters: who tries again on SMTPException sends the mail a second time (and a third, while the relay says 421), who
#   takes 5yz for final gives up on mail that arrived. Call quit() with its errors suppressed, after the result of
#   send_message() is kept, and look at what connect() returns.
# Source: RFC 5321: 421 is allowed after any command of a server that is about to stop (section 4.2.2); QUIT ends the
#   session and says nothing of mail that was taken (4.1.1.10); a greeting of 554 offers no service (3.1)
set -euo pipefail
python3 -W ignore - <<'PYTHON'
import smtplib
import socket
import sys
import threading

print("Python", sys.version.split()[0])
MAIL = ("b@acme.example", ["iris@example.net"], "Subject: 1\r\n\r\nhello\r\n")


def server(greeting, bye):
    """Takes every mail; its port, and the list of what it took."""
    listening, taken = socket.create_server(("127.0.0.1", 0)), []

    def serve():
        connection = listening.accept()[0]
        lines = connection.makefile("rb")
        connection.sendall(greeting)
        while line := lines.readline():
            if line.upper().startswith(b"DATA"):
                connection.sendall(b"354 go on\r\n")
                while lines.readline() != b".\r\n":
                    pass
                taken.append("mail")
                connection.sendall(b"250 2.0.0 taken\r\n")
            elif line.upper().startswith(b"QUIT"):
                connection.sendall(bye)
                break
            else:
                connection.sendall(b"250 ok\r\n")
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return listening.getsockname()[1], taken


found = []
for bye in (b"221 bye\r\n", b"421 4.3.2 restarting\r\n", b"500 what?\r\n"):
    port, taken = server(b"220 here\r\n", bye)
    came_back = error = None
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            came_back = client.sendmail(*MAIL)
    except smtplib.SMTPException as raised:
        error = raised
    print("QUIT is answered", bye.strip(), "- sendmail() gave", came_back, "- taken:", taken, "- error:", repr(error))
    found.append((came_back, taken, error is not None))

for how in ("SMTP(host)", "connect(host)"):
    port, taken = server(b"554 5.3.2 no mail is taken here\r\n", b"221 bye\r\n")
    try:
        client = smtplib.SMTP("127.0.0.1", port, timeout=10) if how == "SMTP(host)" else smtplib.SMTP(timeout=10)
        if how != "SMTP(host)":
            print(how, "returns", client.connect("127.0.0.1", port))
        client.sendmail(*MAIL)
        client.quit()
    except smtplib.SMTPException as raised:
        print(how, "raises", repr(raised))
    found.append(taken)

as_said = [({}, ["mail"], False), ({}, ["mail"], True), ({}, ["mail"], True), [], ["mail"]]
sys.exit(0 if found == as_said else f"this has changed: {found}")
PYTHON
