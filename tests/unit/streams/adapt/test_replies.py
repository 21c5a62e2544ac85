"""The codes in a reply, however it is written, and the same for every format that has one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, adapter
from streams.adapt.replies import reply_of

#: A reply with a status, as it is written and quoted.
WITH_STATUS = [
    "550 5.1.1 User unknown",
    "550-5.1.1 User unknown",
    "550:5.1.1 User unknown",
    "550: 5.1.1 User unknown",
    "550;5.1.1 User unknown",
    "550 #5.1.1 User unknown",
    "550-#5.1.1 User unknown",
    "550#5.1.1 User unknown",
    "550 (#5.1.1) User unknown",
    "550 [5.1.1] User unknown",
    "550 <5.1.1> User unknown",
    "550/5.1.1 User unknown",
    "550_5.1.1 User unknown",
    "550\t5.1.1 User unknown",
    "550\N{NO-BREAK SPACE}5.1.1 User unknown",
    "550  5.1.1: User unknown",
    "[550] 5.1.1 User unknown",
    "[550 5.1.1] User unknown",
    "(550 5.1.1 User unknown)",
    "<550 5.1.1 User unknown>",
    '"550 5.1.1 User unknown"',
    "Remote server returned '550 5.1.1 RESOLVER.ADR.RecipNotFound'",
    "#550 5.1.1 RESOLVER.ADR.RecipNotFound##",
    "smtp;550-5.1.1 User unknown",
    "SMTP; 550 #5.1.1 User unknown",
    "X-Postfix; host mx.shop.example[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command)",
    "550-5.1.1 The account that you tried to reach 550-5.1.1 does not exist 550 5.1.1 Learn more",
    "550-The account does not exist, see 4.5.6\n550 5.1.1 Learn more",
    "550 permanent failure for one or more recipients (iris@shop.example:550 5.1.1 User unknown)",
    "host mx.shop.example [2001:db8::1]: 550 5.1.1 User unknown",
]
#: The same without a status.
WITHOUT = [
    "550 User unknown",
    "550-User unknown",
    "550: User unknown",
    "550:User unknown",
    "550, User unknown",
    "550; User unknown",
    "550. User unknown",
    "[550]",
    "[550] User unknown",
    "(550) User unknown",
    "550",
    "SMTP error 550: User unknown",
    "ERROR_CODE :550, User unknown",
    "550 RP-001 not from 192.0.2.1",
    "550-(RLY:B1) not from here",
    "550 5.1.1.2 is no status",
]
#: Numbers of something else.
NONE = [
    "",
    "order 5500 of 1.2.3.4",
    "connect to mx.shop.example[192.0.2.1]:25: Connection timed out",
    "connect to mx.shop.example[192.0.2.1]:587: Connection refused",
    "mx.shop.example, port 465: Connection refused",
    "lost connection with 192.0.2.250: while sending",
    "lost connection with [250.1.2.3]: while sending",
    "[2606:550:220:6d:26bf:1447:1097:aa7]:25: socket error",
    "host 2001:db8::550 does not answer",
    "host [2001:db8:0:550] does not answer",
    "12:34:554 it ended",
    "after 500 seconds nobody answered",
    "larger than 500 MB",
    "call 550-1234 or 555.123.4567",
    "Exim 4.94.2 gave up",
    "http://shop.example/550/why",
]
RECIPIENT = "iris@shop.example"
HOUSE = FormatOptions(default_customer="house")
FORMATS = ("dsn", "powermta", "sendgrid", "socketlabs", "postmark", "sparkpost", "exim")
CONTEXT = Context(b"a key", load_providers(), dict.fromkeys(FORMATS, HOUSE))


@pytest.mark.parametrize("reply", WITH_STATUS)
def test_code_and_status_are_read_however_they_are_written(reply: str) -> None:
    assert reply_of(reply) == (550, "5.1.1")


@pytest.mark.parametrize("reply", WITHOUT)
def test_code_alone_is_read_however_it_is_written(reply: str) -> None:
    assert reply_of(reply) == (550, "")


@pytest.mark.parametrize("reply", NONE)
def test_numbers_of_something_else_are_no_codes(reply: str) -> None:
    assert reply_of(reply) == (0, "")


@pytest.mark.parametrize("reply", ["5.1.1 User unknown", "User unknown (#5.1.1)", "[5.1.1] User unknown", "<5.1.1>"])
def test_status_alone_is_read(reply: str) -> None:
    assert reply_of(reply) == (0, "5.1.1")


@given(st.text("45.0127 :;,-#[]()<>abMs\n", max_size=60))
def test_what_is_read_stands_in_the_text(text: str) -> None:
    code, status = reply_of(text)
    assert (str(code) if code else "") in text
    assert status in text


@pytest.mark.parametrize("reply", WITH_STATUS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_them_alike(name: str, reply: str) -> None:
    (event,) = adapter(name)(body(name, " ".join(reply.split())), CONTEXT)
    assert (event.type, event.smtp_code, event.enhanced_status) == ("bounced", 550, "5.1.1")


def body(name: str, reply: str) -> bytes:
    """A bounce with this reply."""
    quoted = reply.replace('"', '""')
    typed = reply if ";" in reply[:12] else f"smtp; {reply}"
    at = {"timestamp": 1_788_256_800}
    bodies: dict[str, object] = {
        "dsn": (
            "From: MAILER-DAEMON@mx.example\nTo: a@b.example\nDate: Tue, 01 Sep 2026 10:00:00 +0000\n"
            "Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n"
            "--x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
            f"Final-Recipient: rfc822; {RECIPIENT}\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: {typed}\n--x--\n"
        ),
        "exim": (
            "2026-09-01 10:00:00 1wABCd-000001-AB <= a@b.example U=a P=local S=1\n"
            f"2026-09-01 10:00:01 1wABCd-000001-AB ** {RECIPIENT} R=dns T=smtp H=mx.shop.example [192.0.2.1]: "
            f"SMTP error from remote mail server after RCPT TO:<{RECIPIENT}>: {reply}"
        ),
        "powermta": (
            "type,timeLogged,orig,rcpt,dsnAction,dsnDiag\r\n"
            f'b,2026-09-01 10:00:00+0000,a@b.example,{RECIPIENT},failed,"{quoted}"\r\n'
        ),
        "postmark": {
            **{"RecordType": "Bounce", "Type": "HardBounce", "BouncedAt": "2026-09-01T10:00:00Z", "ID": 7},
            **{"Email": RECIPIENT, "Details": reply},
        },
        "sendgrid": [
            {"event": "bounce", "type": "bounce", "email": RECIPIENT, "sg_event_id": "1", "reason": reply, **at}
        ],
        "socketlabs": {
            **{"Type": "Failed", "DateTime": "2026-09-01T10:00:00Z", "FailureType": "Permanent"},
            **{"Address": RECIPIENT, "DiagnosticCode": reply},
        },
        "sparkpost": [
            {
                "msys": {
                    "message_event": {
                        "type": "bounce",
                        "rcpt_to": RECIPIENT,
                        "event_id": "1",
                        "raw_reason": reply,
                        **at,
                    }
                }
            }
        ],
    }
    found = bodies[name]
    return (found if isinstance(found, str) else json.dumps(found)).encode()
