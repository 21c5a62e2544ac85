"""Good input for each format, from which fuzzing begins: the bodies of the unit tests, and reports and logs with more
of the parts that their adapters look into.
"""

from datetime import UTC, datetime

from streams.adapt import EVERY_FORMAT
from tests.support.adapt_bodies import bodies
from tests.support.mails import report

NOW_MS = int(datetime(2025, 9, 13, tzinfo=UTC).timestamp() * 1000)

_DSN = """\
Reporting-MTA: dns; mx.example.net
X-Postfix-Queue-ID: 4XyQ1
Arrival-Date: Mon, 3 Mar 2025 09:00:00 +0000

Original-Recipient: rfc822; iris@gmail.com
Final-Recipient: utf-8; \\x{E9}va@x.example
Action: failed
Status: 5.0.0 (undefined)
Diagnostic-Code: smtp; 550-5.1.1 no such
    user

Final-Recipient: rfc822; juno@yahoo.com
Action: delayed
Status: 4.2.2
Last-Attempt-Date: Mon, 3 Mar 2025 09:10:00 +0000
"""
_ARF = """\
Feedback-Type: abuse
User-Agent: Loop/1.0
Version: 1
Source-IP: 192.0.2.51
Reporting-MTA: dns; arf.mail.yahoo.com
Original-Mail-From: <bounce+acme@mail.acme.example>
Original-Rcpt-To: iris@gmail.com
Original-Rcpt-To: redacted@yahoo.com
"""
_XARF = """\
{"xarf_version": "4.0.0", "report_id": "r1", "timestamp": "2025-03-03T10:11:12Z", "category": "messaging",
"type": "spam", "reporter": {"contact": "fbl@yahoo.com", "domain": "yahoo.com"}, "source_identifier": "192.0.2.16",
"protocol": "smtp", "smtp_from": "bounce@acme.example", "smtp_to": "iris@yahoo.com", "evidence": [{"content_type":
"message/rfc822", "size": 9,
"payload": "RnJvbTogbmV3c0BhY21lLmV4YW1wbGUKTWVzc2FnZS1JRDogPG04QGFjbWUuZXhhbXBsZT4KCkhlbGxvCg=="}]}
"""
_FORWARDED = """\
From: postmaster@esp.example
Date: Mon, 3 Mar 2025 10:11:12 +0100
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: message/rfc822

From: staff@hotmail.com
Subject: complaint about message from 192.0.2.10
Date: Mon, 3 Mar 2025 10:11:12 +0100
Content-Type: multipart/mixed; boundary=i

--i
Content-Type: message/rfc822

X-HmXmrOriginalRecipient: iris@hotmail.com
Received-SPF: pass (x: domain of acme.example designates 192.0.2.10 as permitted sender) client-ip=192.0.2.10;
DKIM-Signature: v=1; a=rsa-sha256; d=acme.example; s=k; h=from; bh=x; b=y
Feedback-ID: c:acme:b:e
From: news@acme.example

--i--
--o--
"""
_SIGNED = report(
    "feedback-report",
    _ARF,
    Authentication_Results='mx.esp.example 1; dkim=pass (ok) reason="a; b" header.d=yahoo.com; dmarc=pass',
)
_EXIM = """\
From: Mail Delivery System <Mailer-Daemon@mx.example.net>
To: bounce@mail.acme.example
Date: Mon, 3 Mar 2025 10:11:12 +0100
X-Failed-Recipients: iris@gmail.com, juno@yahoo.com

  iris@gmail.com
    host mx.example.net [192.0.2.7]: 550 5.1.1 no such user

------ This is a copy of the message, including all the headers. ------

Message-ID: <m-1@acme.example>
From: "News, weekly" <news@acme.example>
"""
_WITHOUT_REPLIES = """\
Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; iris@gmail.com
Action: failed
Status: 5.1.2 (550 Tried all MXs)
Final-Recipient: rfc822; |/usr/bin/filter juno@yahoo.com
Original-Recipient: rfc822;juno+2Btag@yahoo.com
Action: failed
Status: 5.0.0

Final-Recipient: rfc822; kim@x.example
"""
_SAID = """\
<iris@gmail.com>: 550 5.1.1 no such user
   ----- Transcript of session follows -----
>>> RCPT To:<juno@yahoo.com>
<<< 421 4.7.0 [TSS04] later
kim@x.example

retry timeout exceeded
"""
_QMAIL = """\
From: MAILER-DAEMON@mx.example.net
To: bounce@mail.acme.example
Date: Mon, 3 Mar 2025 10:11:12 +0100
Subject: failure notice
Content-Type: text/plain; charset=iso-8859-1

Hi. This is the qmail-send program at mx.example.net.

<iris@gmail.com>:
192.0.2.25 does not like recipient.
Remote host said: 550 5.1.1 user unknown

Unable to deliver message to: "juno@yahoo.com"
--- Below this line is a copy of the message.

Received: from a by b for <kim@x.example>; Mon, 3 Mar 2025 10:00:00 +0000
Message-ID: <m-1@acme.example>
"""
_MARKUP = """\
From: postmaster@mx.example.net
To: bounce@mail.acme.example
Date: Mon, 3 Mar 2025 10:11:12 +0100
Subject: =?utf-8?q?Undeliverable:_Weekly?=
Content-Type: text/html; charset=utf-8

<html><body><p>Delivery has failed to these recipients:</p><p>iris@gmail.com<a href="mailto:iris@gmail.com">x</a><br>
Remote Server returned '550 5.1.1 RESOLVER.ADR.RecipNotFound'</p></body></html>
"""
_RECEIPT = """\
Reporting-UA: mx.example.net; Mail Delivery Agent
Final-Recipient: rfc822; iris@gmail.com
Original-Message-ID: <m-1@acme.example>
Disposition: automatic-action/MDN-sent-automatically; denied
"""
_POSTFIX = """\
2025-03-03T09:11:10.1+00:00 mx1 postfix/submission/smtpd[7]: AB12C3: client=app[192.0.2.9], sasl_username=acme
Mar  3 09:11:10 mx1 postfix/cleanup[8]: AB12C3: message-id=<m-1@acme.example>
<22>1 2025-03-03T09:11:11Z mx1 postfix/qmgr 9 - [a@1 b="c"] AB12C3: from=<b@acme.example>, size=9 (queue)
Mar  3 09:11:12 mx1 postfix/smtp[10]: AB12C3: to=<iris@gmail.com>, orig_to=<i@x.example>, \
relay=mx.x.example[192.0.2.7]:25, delay=1, delays=0/0/1/0, dsn=4.2.2, status=deferred \
(host mx.x.example[192.0.2.7] said: 452 4.2.2 x)
Mar  3 09:11:13 mx1 postfix/qmgr[9]: AB12C3: from=<b@acme.example>, status=expired, returned to sender
"""
_EXIM_LOG = """\
2025-03-03 10:11:10.364 [7] 1xXa37-0006E0-15 <= b@acme.example H=(app) [192.0.2.9]:6095 P=esmtpsa X=TLS1.3:E:256 CV=no \
A=plain:acme S=400 RT=0.045s id=m-1@acme.example T="We\\"ekly" from <b@acme.example> for i@x.example
2025-03-03 10:11:11 +0100 1xXa37-0006E0-15 == iris@gmail.com <i@x.example> R=out T=smtp defer (-44) H=mx.x.example \
[192.0.2.7]:25 I=[192.0.2.1]:4 DT=0.1s: SMTP error from remote mail server after RCPT TO:<i@gmail.com>: \
452-4.2.2 x\\n452 y
2025-03-03 10:11:12 1xXa37-0006E0-15 -> "a: b"@gmail.com (p@x.example) <i@x.example> R=out T=smtp H=mx.x.example \
[192.0.2.7]:25* K C="250 2.0.0 \\"OK\\" id=1xXa38-0006FE-0I" QT=1d2h3.5s DT=0.02s
Mar  3 09:11:13 mx1 exim[9]: 1xXa37-0006E0-15 ** iris@gmail.com <i@x.example>: retry timeout exceeded
"""
_POSTFIX_PASSES = """\
Mar  3 09:11:10 mx1 postfix/smtpd[7]: 4XyQ1z3vBKzJr1: client=app[192.0.2.9], sasl_method=PLAIN, sasl_username=a b
Mar  3 09:11:10 mx1 postfix/cleanup[8]: 4XyQ1z3vBKzJr1: message-id=<m-1@acme.example>
Mar  3 09:11:10 mx1 postfix/qmgr[9]: 4XyQ1z3vBKzJr1: from=<b@acme.example>, size=9, nrcpt=2 (queue active)
Mar  3 09:11:11 mx1 postfix/smtpd[7]: 4XyQ1z3vBKzJr2: client=f[127.0.0.1], orig_queue_id=4XyQ1z3vBKzJr1, orig_client=app
Mar  3 09:11:11 mx1 postfix/cleanup[8]: 4XyQ1z3vBKzJr2: message-id=<m-1@acme.example>
Mar  3 09:11:11 mx1 postfix/smtp[10]: 4XyQ1z3vBKzJr1: to=<"i>, r"@x.example>, relay=f[192.0.2.7]:10024, conn_use=2, \
delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4XyQ1z3vBKzJr2)
Mar  3 09:11:11 mx1 postfix/pickup[3]: 4XyQ1z3vBKzJr3: uid=9 from=<b@acme.example> orig_id=4XyQ1z3vBKzJr1
Mar  3 09:11:12 mx1 postfix/bounce[4]: 4XyQ1z3vBKzJr2: sender non-delivery notification: 4XyQ1z3vBKzJr4
Mar  3 09:11:12 mx1 postfix/smtp[10]: 4XyQ1z3vBKzJr2: to=<i@x.example>, relay=mx.x.example[192.0.2.26]:25, delay=1, \
dsn=5.1.1, status=bounced (host mx.x.example[192.0.2.26] said: 550 5.1.1 no)
Mar  3 09:11:13 mx1 postfix/qmgr[9]: 4XyQ1z3vBKzJr1: removed
"""
#: A line in every other shape.
_POSTFIX_SHAPES = """\
<22>1 2025-03-03T09:11:11Z mx1 postfix 9 - -  AB12C3: to=<a@x.example>, relay=none, dsn=5.4.4, status=bounced (no)
Mar  3 09:11:12 h docker[7]: Mar  3 09:11:12 mx1 postfix/smtp[1]: [ID 7 mail.info] AB12C3: to=<a@x.example>, \
relay=none, status=deferred (connect to f[127.0.0.1]:10024: refused)
2025-03-03T09:11:11Z stdout F Mon 2025-03-03 09:11:12 UTC mx1 postfix/qmgr[9]: AB12C3: from=<>, size=9
{"PROGRAM": "postfix/smtp", "HOST": "mx1", "DATE": "Mar  3 09:11:12", "MESSAGE": "AB12C3: to=<a@x.example>, relay=none"}
mx-0 postfix Mar  3 09:11:12 mx1 mail/0123[7]: postfix/qmgr[9]: AB12C3: from=<>, size=9
{"MESSAGE": [65, 66], "SYSLOG_IDENTIFIER": "postfix/smtp", "__REALTIME_TIMESTAMP": "1740993072000000"}
{"log": "postfix/smtpd[1]: proxy-accept: END: 250 queued as AB12C3; from=<> sasl_username=a b", \
"time": "2025-03-03T09:11:11.5Z"}
"""
_POWERMTA = """\
type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,vmta,jobId,feedbackType,reportingMta
b,2025-03-03 10:11:12+0100,1740993070,b@acme.example,iris@gmail.com,,failed,5.1.1 (bad),"smtp;550 ""no"", user",\
mx.x.example (192.0.2.7),bad-mailbox,acme-1,weekly,,
f,1740993072,,,,rfc822;iris@gmail.com,,,,,,acme-1,,abuse,dns;arf.mail.yahoo.com
"""
_POWERMTA_JSON = """\
{"type": "t", "timeQueued": 1740993070, "totalSecondsQueued": "2", "orig": "b@acme.example", "rcpt": "iris@gmail.com", \
"dsnDiag": "smtp;421 4.7.0 later", "dsnMta": null, "vmta": "acme-1", "queue": "gmail.com/acme-1", "dlvSize": 12}
{"type": "pmta", "logType": "b", "timeLogged": "2025-03-03 10:11:12 +0100 (CET)", "timeQueued": 1740993070, \
"orig": "b@acme.example", "rcpt": "iris@gmail.com", "dsnStatus": "4.4.7", "bounceCat": "message-expired", "vmta": "a"}
"""
_POWERMTA_TABS = "type\ttimeLogged\trcpt\tvmta\ttype\ntq\t1\t\t\t\nd\t1740993072\tiris@gmail.com\tacme-1\t\n"

_MORE: dict[str, list[bytes]] = {
    "arf": [report("feedback-report", _ARF), _XARF.encode(), _FORWARDED.encode(), _SIGNED],
    "dsn": [
        report("delivery-status", _DSN),
        _EXIM.encode(),
        report("delivery-status", _WITHOUT_REPLIES).replace(b"What happened, for people.", _SAID.encode()),
        _QMAIL.encode(),
        _MARKUP.encode(),
        report("disposition-notification", _RECEIPT),
    ],
    "postfix": [_POSTFIX.encode(), _POSTFIX_PASSES.encode(), _POSTFIX_SHAPES.encode()],
    "exim": [_EXIM_LOG.encode()],
    "powermta": [_POWERMTA.encode(), _POWERMTA_JSON.encode(), _POWERMTA_TABS.encode()],
    "kumomta": [b"[%s]" % b",".join(bodies("kumomta"))],
}
SEEDS: dict[str, list[bytes]] = {name: [*bodies(name), *_MORE.get(name, [])] for name in EVERY_FORMAT}
