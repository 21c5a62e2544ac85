"""Mails made for tests: reports as multipart mails, with what is asked for and nothing else of note."""

BOUNDARY = "=_part_7"

ORIGINAL = """\
Return-Path: <bounce+acme+iris=gmail.com@mail.acme.example>
From: "Acme News" <news@acme.example>
To: iris@gmail.com
Subject: Weekly
Message-ID: <weekly-44.iris@acme.example>
X-Customer: acme
X-CampaignId: weekly-44
Date: Mon, 03 Mar 2025 09:00:00 +0000
"""


def fields(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def report(kind: str, content: str, original: str = ORIGINAL, **changes: str) -> bytes:
    """A multipart/report of `message/KIND` with this content and, unless it is empty, the original mail.

    `changes` go over header fields of the report (`message_id` is `Message-ID`); an empty value takes one out.
    """
    headers = {
        "Return-Path": "<>",
        "From": "Mail Delivery System <MAILER-DAEMON@mx.example.net>",
        "To": "bounce+acme+iris=gmail.com@mail.acme.example",
        "Date": "Mon, 3 Mar 2025 10:11:12 +0100",
        "Message-ID": "<report-1@mx.example.net>",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/report; report-type=some; boundary="{BOUNDARY}"',
    }
    headers |= {"-".join(word.capitalize() for word in name.split("_")): value for name, value in changes.items()}
    if "Message-Id" in headers:
        headers["Message-ID"] = headers.pop("Message-Id")
    parts = [("text/plain", "What happened, for people."), (f"message/{kind}", content)]
    parts += [("message/rfc822", original + "\nHello.")] if original else []
    lines = [f"{name}: {value}" for name, value in headers.items() if value]
    for content_type, body in parts:
        lines += ["", f"--{BOUNDARY}", f"Content-Type: {content_type}", "", body]
    return "\n".join([*lines, "", f"--{BOUNDARY}--", ""]).encode()
