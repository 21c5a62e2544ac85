"""Whose reports by mail are believed."""

from collections.abc import Sequence

import pytest

from schemas.providers import load_providers
from schemas.settings import Ingest
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.base import ReportTrust
from streams.adapt.mime import Headers
from streams.adapt.report_budget import ReportBudget
from streams.adapt.trust import RefusedReportError, proven_domain
from streams.bounces.classify import load_bounce_classifier
from streams.intake.batch import Batch, MailReader, SourcePartition
from streams.intake.bounds import time_bounds
from streams.intake.seen import SeenIds
from tests.support.mails import fields, report

PROVIDERS = load_providers()
NOW = 1_740_993_072_000
OURS = ("mx.esp.example",)


def mail(results: str = "", author: str = "feedback@arf.mail.yahoo.com", recipients: int = 1) -> bytes:
    named = [f"Original-Rcpt-To: user{number}@yahoo.com" for number in range(recipients)]
    lines = fields("Feedback-Type: abuse", "User-Agent: Loop/1.0", "Version: 1", *named)
    given = {"Authentication_Results": results} if results else {}
    return report("feedback-report", lines, From=author, **given)


def context(trust: ReportTrust, now_ms: int = NOW) -> Context:
    return Context(b"a key", PROVIDERS, {"arf": FormatOptions(trust=trust)}, clock=lambda: now_ms)


def read(raw: bytes, trust: ReportTrust) -> int:
    return len(adapter("arf")(raw, context(trust)))


@pytest.mark.parametrize(
    ("results", "author", "proven"),
    [
        ("mx.esp.example; dkim=pass header.d=yahoo.com header.s=s header.b=x", "f@arf.mail.yahoo.com", True),
        ("mx.esp.example; dkim=pass header.i=@yahoo.com", "f@yahoo.com", True),
        ('mx.esp.example 1; dkim=pass (2048-bit key; "a (b)") header.d=yahoo.com', "f@yahoo.com", True),
        ("MX.ESP.example; spf=fail smtp.mailfrom=x; dmarc=pass (p=reject) header.from=yahoo.com", "f@yahoo.com", True),
        ("mx.esp.example;\n dkim=fail header.d=yahoo.com;\n dkim=pass header.d=yahoo.com", "f@yahoo.com", True),
        ("mx.esp.example; dkim=pass header.d=mail.yahoo.com", "f@yahoo.com", True),
        ('mx.esp.example; dkim=pass reason="good; really" header.d=yahoo.com', "f@yahoo.com", True),
        ("mx.esp.example; dkim=pass header.d=mallory.example", "f@yahoo.com", False),
        ("mx.esp.example; dkim=pass header.d=notyahoo.com", "f@yahoo.com", False),
        ("mx.esp.example; dkim=pass header.d=com", "f@yahoo.com", False),
        ("mx.esp.example; dkim=fail header.d=yahoo.com", "f@yahoo.com", False),
        ("mx.esp.example; dkim=none (dkim=pass header.d=yahoo.com)", "f@yahoo.com", False),
        ('mx.esp.example; dkim=none reason="; dkim=pass header.d=yahoo.com"', "f@yahoo.com", False),
        ("mx.esp.example; spf=pass smtp.mailfrom=f@yahoo.com", "f@yahoo.com", False),
        ("mx.esp.example; dmarc=pass header.d=yahoo.com", "f@yahoo.com", False),
        ("mx.esp.example; none", "f@yahoo.com", False),
        ("mx.mallory.example; dkim=pass header.d=yahoo.com", "f@yahoo.com", False),
        ("mx.esp.example.mallory.example; dkim=pass header.d=yahoo.com", "f@yahoo.com", False),
        ("", "f@yahoo.com", False),
        ("mx.esp.example; dkim=pass header.d=yahoo.com", "", False),
        (";" * 5_000, "f@yahoo.com", False),
        ("(" * 5_000, "f@yahoo.com", False),
    ],
)
def test_a_host_of_ours_says_that_the_author_signed(results: str, author: str, proven: bool) -> None:
    headers = Headers({"authentication-results": ["other.example; none", results], "from": [author]})
    assert bool(proven_domain(headers, OURS)) == proven
    assert proven_domain(headers, ()) == ""


PASSED = "mx.esp.example; dkim=pass header.d=yahoo.com"
OTHERS = "mx.esp.example; dkim=pass header.d=harbour.example"


@pytest.mark.parametrize(
    ("trust", "raw", "refused"),
    [
        (ReportTrust(), mail(), ""),
        (ReportTrust(), mail(recipients=20), ""),
        (ReportTrust(), mail(recipients=100), "it names 100 recipients, and of a mail for whose reporter nobody"),
        (ReportTrust(), mail("mx.esp.example; dkim=pass header.d=yahoo.com", recipients=100), "names 100 recipients"),
        (ReportTrust(authserv_ids=OURS), mail(PASSED, recipients=100), ""),
        (ReportTrust(max_recipients=100), mail(recipients=100), ""),
        (ReportTrust(max_recipients=1), mail(recipients=2), "names 2 recipients"),
        (ReportTrust("authenticated", authserv_ids=OURS), mail(PASSED), ""),
        (ReportTrust("authenticated", authserv_ids=OURS), mail(OTHERS, "f@harbour.example"), ""),
        (
            ReportTrust("authenticated", authserv_ids=OURS),
            mail(),
            "no Authentication-Results of `mx.esp.example` says that DKIM or DMARC passed for arf.mail.yahoo.com",
        ),
        (ReportTrust("authenticated", authserv_ids=OURS), mail(OTHERS), "DKIM or DMARC passed for arf.mail.yahoo.com"),
        (ReportTrust("known", authserv_ids=OURS), mail(PASSED), ""),
        (ReportTrust("known", authserv_ids=OURS), mail(OTHERS, "f@harbour.example"), "harbour.example is not known"),
        (ReportTrust("known", ("harbour.example",), OURS), mail(OTHERS, "f@fbl.harbour.example"), ""),
    ],
)
def test_report_is_believed_or_refused_with_the_reason(trust: ReportTrust, raw: bytes, refused: str) -> None:
    if refused:
        with pytest.raises(RefusedReportError, match=refused):
            read(raw, trust)
    else:
        assert read(raw, trust) >= 1


def test_json_without_a_mail_proves_no_reporter() -> None:
    raw = (
        b'{"xarf_version":"4.0.0","report_id":"1","timestamp":"2025-03-03T10:11:12Z","category":"messaging","type":"spam"'
        b',"protocol":"smtp","smtp_from":"b@acme.example","reporter":{"contact":"f@yahoo.com","domain":"yahoo.com"}}'
    )
    assert read(raw, ReportTrust()) == 1
    with pytest.raises(RefusedReportError, match="its From header, which names nobody"):
        read(raw, ReportTrust("authenticated", authserv_ids=OURS))


def test_user_who_unsubscribes_need_not_be_a_known_reporter() -> None:
    lines = (
        "From: Iris <iris@icloud.com>", "To: leave@lists.acme.example", "Date: Mon, 3 Mar 2025 10:11:12 +0100",
        "X-Apple-Unsubscribe: true", "Authentication-Results: mx.esp.example; dkim=pass header.d=icloud.com", "", "Bye",
    )  # fmt: skip
    assert read(fields(*lines).encode(), ReportTrust("known", authserv_ids=OURS)) == 1


def test_a_reporter_may_report_so_many_an_hour_and_all_unproven_ones_together() -> None:
    trust = ReportTrust(authserv_ids=OURS, max_per_hour=3)
    now = [NOW]
    given = Context(b"a key", PROVIDERS, {"arf": FormatOptions(trust=trust)}, clock=lambda: now[0])

    def take(raw: bytes) -> int:
        return len(adapter("arf")(raw, given))

    assert take(mail(PASSED, recipients=2)) == 2
    with pytest.raises(RefusedReportError, match="more than 3 recipients were reported within this hour by arf"):
        take(mail(PASSED, recipients=2))
    assert take(mail(PASSED)) == 1
    assert take(mail(author="one@a.example", recipients=2)) == 2
    with pytest.raises(RefusedReportError, match="by reporters for whom nobody vouches"):
        take(mail(author="two@b.example", recipients=2))
    now[0] += 3_600_000
    assert take(mail(PASSED, recipients=3)) == 3


def test_reporters_that_are_remembered_are_bounded() -> None:
    budget = ReportBudget()
    taken: Sequence[bool] = [budget.take(f"{number}.example", 1, 5, NOW) for number in range(10_001)]
    assert taken == [True] * 10_000 + [False]


def test_refused_reports_are_dead_letters_that_do_not_stop_the_topic() -> None:
    source = SourcePartition("reports", "mail.reports", 0, SeenIds(1_000))
    batch = Batch(source, 0, 0)
    bounds = time_bounds(Ingest(max_behind_days=100_000))
    reader = MailReader(adapter("arf"), context(ReportTrust()), load_bounce_classifier(), bounds)
    reader(batch, [mail(recipients=100), mail(), b"From: a@b.example\nSubject: hello\n\nhello"], [0, 1, 2], NOW)
    assert [each.reason.partition(":")[0] for each in batch.dead] == [
        "the report is refused",
        "the mail has no part of type message/feedback-report",
    ]
    assert (len(batch.negatives), batch.unread) == (1, 1.0)


def test_why_is_said_as_of_any_message_that_cannot_be_read() -> None:
    assert issubclass(RefusedReportError, AdaptError)


def test_bounces_by_mail_may_be_restricted_too() -> None:
    lines = fields(
        "Reporting-MTA: dns; mx", "", "Final-Recipient: rfc822; iris@yahoo.com", "Action: failed", "Status: 5.1.1"
    )
    trust = ReportTrust("authenticated", authserv_ids=OURS)
    given = Context(b"a key", PROVIDERS, {"dsn": FormatOptions(trust=trust)}, clock=lambda: NOW)
    (event,) = adapter("dsn")(
        report("delivery-status", lines, From="m@yahoo.com", Authentication_Results=PASSED), given
    )
    assert event.type == "bounced"
    with pytest.raises(RefusedReportError, match="DKIM or DMARC passed for yahoo"):
        adapter("dsn")(report("delivery-status", lines, From="m@yahoo.com"), given)
