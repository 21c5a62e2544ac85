"""Feedback reports in the shapes of the providers: the table in arf_reports.toml."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.owners import Owners

CASES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("arf_reports.toml").read_text(encoding="utf-8"))[
    "case"
]
PROVIDERS = load_providers()
HEAD = "Date: Mon, 3 Mar 2025 10:11:12 +0100\n"


def context(options: dict[str, Any] | None = None, owners: dict[str, str] | None = None) -> Context:
    customer = (options or {}).get("customer", "")
    places = tuple(customer) if isinstance(customer, list) else customer
    addresses = {name: each for name, each in (owners or {}).items() if "/" in name}
    domains = {name: each for name, each in (owners or {}).items() if "/" not in name}
    return Context(b"a key", PROVIDERS, {"arf": FormatOptions(customer=places)}, owners=Owners(domains, addresses))


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_report(case: dict[str, Any]) -> None:
    given = context(case.get("options"), case.get("owners"))
    events = adapter("arf")(case["mail"].lstrip("\n").encode(), given)
    found = [
        {name: getattr(event, name) for name in expected}
        for event, expected in zip(events, case["expect"], strict=True)
    ]
    assert found == case["expect"]
    assert len({event.id for event in events}) == len(events)


@pytest.mark.parametrize(
    ("mail", "message"),
    [
        ("From: iris@harbour.example\nSubject: Hello\n" + HEAD + "\nhi", "no part of type message/feedback-report"),
        (
            "From: MAILER-DAEMON@yahoo.com\nSubject: spam complaint\nContent-Type: multipart/report; boundary=b\n"
            + HEAD
            + "\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\n"
            "--b\nContent-Type: message/rfc822\n\nFrom: a@b.example\n\n--b--",
            "no part of type message/feedback-report; it is a delivery status notification, whose format is `dsn`",
        ),
        (
            "From: who@nobody.example\nSubject: spam complaint\nContent-Type: multipart/mixed; boundary=b\n"
            + HEAD
            + "\n--b\nContent-Type: message/rfc822\n\nFrom: a@b.example\n\n--b--",
            "no part of type message/feedback-report",
        ),
        ('{"xarf_version": "4.0.0", "type": ', "the XARF report cannot be read: the message is not JSON"),
    ],
)
def test_what_cannot_be_read_as_a_report_says_why(mail: str, message: str) -> None:
    with pytest.raises(AdaptError, match=message):
        adapter("arf")(mail.encode(), context())


@pytest.mark.parametrize(
    "fields",
    [
        *(
            f"Subject: {subject}"
            for subject in (
                "Out of Office", "I am out of the office", "On vacation Re: News",
                "Abwesend: News", "Ich bin nicht im Büro",
                "Automatische Antwort: News", "Réponse automatique : News", "Message d'absence", "自動応答: News",
                "不在通知", "=?utf-8?B?6Ieq5YuV5b+c562UOiBOZXdz?=", "Automatiskt svar: News", "자동 회신: News",
                "Verify your address", "Votre code de vérification", "Código de verificación", "メールアドレスの確認",
            )
        ),
        "Subject: Re: News\nAuto-Submitted: auto-replied (vacation)",
        "Subject: Re: News\nX-Auto-Response-Suppress: DR, OOF, AutoReply",
        "Subject: Ticket 12\nAuto-Submitted: auto-generated\nX-Auto-Response-Suppress: All",
        "Subject: Re: News\nPrecedence: junk\nX-Vacation: yes",
    ],
)  # fmt: skip
def test_answers_and_enrolments_give_nothing(fields: str) -> None:
    assert adapter("arf")(f"From: iris@shop.example\n{fields}\n{HEAD}\ntext".encode(), context()) == []


@pytest.mark.parametrize(
    "fields",
    [
        "From: abuse@shop.example\nSubject: Fwd: please confirm your order",
        "From: abuse@shop.example\nSubject: Fwd: Vacation homes\nX-Auto-Response-Suppress: All",
    ],
)
def test_mail_that_returns_another_is_not_passed_over_by_its_words(fields: str) -> None:
    mail = (
        f"{fields}\nContent-Type: multipart/mixed; boundary=b\n{HEAD}\n--b\nContent-Type: message/rfc822\n\n"
        "From: a@b.example\n\n--b--"
    )
    with pytest.raises(AdaptError, match="no part of type"):
        adapter("arf")(mail.encode(), context())


def test_report_that_is_forwarded_too_often_is_not_looked_for() -> None:
    case = next(each for each in CASES if each["name"].startswith("AOL"))
    mail = case["mail"].lstrip("\n")
    for depth in range(5):
        boundary = f"outer{depth}"
        mail = (
            f"From: a@b.example\n{HEAD}Content-Type: multipart/mixed; boundary={boundary}\n\n--{boundary}\n"
            f"Content-Type: message/rfc822\n\n{mail}\n\n--{boundary}--\n"
        )
        if depth < 3:
            assert len(adapter("arf")(mail.encode(), context())) == 1
    with pytest.raises(AdaptError, match="no part of type message/feedback-report"):
        adapter("arf")(mail.encode(), context())


def test_which_of_several_reports_is_wrong_is_said() -> None:
    case = next(each for each in CASES if each["name"].startswith("two reports"))
    mail = case["mail"].lstrip("\n").replace("bounce@larkspur.example", "").replace("news@larkspur.example", "")
    with pytest.raises(AdaptError, match="report 2: no envelope sender and no From header"):
        adapter("arf")(mail.encode(), context())
