"""What mail to customers says: approved examples as whole files, and of all others what every one must say."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from jobs.mail.causes import cause_of
from jobs.mail.examples import NOW_MS, example, examples
from jobs.mail.facts import ENDS, KINDS, MailFacts, MailKind, kind_of
from jobs.mail.languages import load_languages
from jobs.mail.letter import CustomerLetter
from jobs.mail.mail import CustomerMail, MailWriter
from jobs.mail.phrases import METRICS
from jobs.mail.writing import share
from schemas.alert import Evidence, Held, Share, Unjudged
from schemas.mail import ActWithin, MailSettings
from schemas.policy_metric import Metric

APPROVED = Path(__file__).parent / "approved"
SETTINGS = MailSettings(
    signature="Example Mail, deliverability team",
    contact="help@example.com",
    act_within_h=ActWithin(warning=72, excessive=24),
)
PAGES = {"zen.spamhaus.org": "https://check.spamhaus.org/"}
LANGUAGES = ("de", "en")


@pytest.fixture(scope="module")
def writer() -> MailWriter:
    return MailWriter(SETTINGS, PAGES)


def sentences(letter: CustomerLetter) -> Iterator[str]:
    """All that a letter says."""
    yield from (letter.subject, letter.happened, letter.cause, letter.most)
    for some in (letter.notes, letter.means, letter.steps, letter.until, letter.ask):
        yield from some
    for row in letter.rows:
        yield from row
    for part in letter.parts:
        yield from (part.name, *part.lines)
    for entry in letter.entries:
        yield from (entry.said, entry.ask)


def approved(mail: CustomerMail) -> str:
    return f"Subject: {mail.subject}\n\n{mail.text}"


@pytest.mark.parametrize(
    ("name", "facts", "language"),
    [
        ("warning-failure.en.txt", example("warning"), "en"),
        ("excessive-complaint.en.txt", example("excessive", "complaint", scope="stream:news"), "en"),
        ("critical-listing.en.txt", example("critical", "critical_listing"), "en"),
        ("warning-gmail.en.txt", example("warning", "reported_spam"), "en"),
        ("watch-volume.en.txt", example("watch", "volume_spike"), "en"),
        ("suspended-block.en.txt", example("suspended", "block"), "en"),
        ("lifted.en.txt", example("lifted"), "en"),
        ("resolved-failure.en.txt", example("resolved", numerator=100, rate=0.01), "en"),
        ("warning-failure.de.txt", example("warning"), "de"),
        ("suspended-listing.de.txt", example("suspended", "critical_listing"), "de"),
    ],
)
def test_mail_is_as_it_was_approved(writer: MailWriter, name: str, facts: MailFacts, language: str) -> None:
    """To approve another text, read it as its recipient would, and write it to the file."""
    assert approved(writer.mail(facts, language)) == (APPROVED / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mail_says_what_happened_what_it_means_and_whom_to_ask(writer: MailWriter, language: str) -> None:
    for facts in examples():
        letter = writer.letter(facts, language)
        assert letter.means, facts
        assert letter.ask, facts
        assert letter.happened or facts.alert is None, facts
        if facts.kind not in ENDS:
            assert letter.steps, facts
            assert letter.until or facts.alert is None, facts
        assert "acme" in letter.subject
        for said in sentences(letter):
            assert not re.search(r"[{}_]|None|  |\bnan\b", said), said


@pytest.mark.parametrize("language", LANGUAGES)
def test_mails_of_every_metric_differ_in_subject_and_name_their_own_numbers(writer: MailWriter, language: str) -> None:
    for kind in ("watch", "warning", "excessive", "critical", "suspended"):
        letters = [writer.letter(example(kind, metric), language) for metric in METRICS]
        assert len({each.subject for each in letters}) == len(METRICS)
        assert len({each.happened for each in letters}) >= len(METRICS) - 2  # burns count what their rates count
        assert all(each.rows for each in letters)


def test_every_metric_has_a_cause_of_its_own_to_be_mended() -> None:
    assert not [metric for metric in METRICS if cause_of(alert(metric)) == "unknown"]


def alert(metric: Metric, **changes: Any) -> Any:
    return example("warning", metric, **changes).alert


def bounces(**classes: int) -> Evidence:
    return Evidence(bounce_classes=tuple(Share(name=name, count=count) for name, count in classes.items()))


@pytest.mark.parametrize(
    ("metric", "classes", "cause"),
    [
        ("failure", {"invalid_recipient": 60, "mailbox_full": 40}, "bad_list"),
        ("failure", {"inactive_mailbox": 30, "bad_domain": 30, "mailbox_full": 40}, "bad_list"),
        ("failure", {"invalid_recipient": 40, "mailbox_full": 60}, "failures"),
        ("failure", {}, "failures"),
        ("block", {"auth_failure": 60, "spam_content": 40}, "authentication"),
        ("block", {"auth_failure": 40, "spam_content": 60}, "blocked"),
        ("failure_burn", {"invalid_recipient": 100}, "sudden_failures"),
    ],
)
def test_likely_cause_goes_by_what_mailbox_providers_answered(
    metric: Metric, classes: dict[str, int], cause: str
) -> None:
    assert cause_of(alert(metric, evidence=bounces(**classes))) == cause


@pytest.mark.parametrize(
    ("kind", "level", "wanted"),
    [
        ("opened", "warning", "warning"),
        ("escalated", "critical", "critical"),
        ("de-escalated", "warning", "warning"),
        ("acknowledged", "excessive", "excessive"),
        ("overridden", "good", "resolved"),
        ("overridden", "warning", "warning"),
        ("resolved", "good", "resolved"),
    ],
)
def test_kind_of_mail_goes_by_the_level(kind: Any, level: Any, wanted: MailKind) -> None:
    assert kind_of(alert("failure", kind=kind, level=level)) == wanted


def test_customer_is_told_nothing_of_what_is_held_and_of_what_is_nobodys() -> None:
    for reason in ("brake", "incident"):
        held = Held(id="3f9c", reason=reason, since_ms=NOW_MS, customers=23)
        assert kind_of(alert("failure", held=held)) is None
    assert kind_of(alert("failure", customer="", scope="pool:shared-1")) is None


@pytest.mark.parametrize("cause", ["policy", "override", "operator", "incident", "fresh-start"])
def test_what_is_taken_back_is_not_said_to_have_got_better(writer: MailWriter, cause: Any) -> None:
    letter = writer.letter(example("resolved", cause=cause), "en")
    assert letter.subject.startswith("Warning withdrawn: ")
    assert letter.happened.startswith("We take back our warning of ")
    assert "within the limits" not in letter.happened


def test_change_for_better_or_worse_is_said(writer: MailWriter) -> None:
    worse = example("excessive", kind="escalated", previous_level="warning")
    assert "It got worse: before, it was only a warning." in writer.letter(worse).notes
    assert not writer.letter(example("critical", kind="escalated", previous_level="excessive")).notes
    assert "It is better than before, but not yet good." in writer.letter(example("warning", kind="de-escalated")).notes
    assert "has come back" in writer.letter(example("warning", kind="reopened")).notes[0]


def test_reports_of_more_mail_than_was_sent_are_explained(writer: MailWriter) -> None:
    late = example("warning", numerator=400, denominator=300, rate=1.0)
    assert "more than the 300 e-mails you sent in that time" in writer.letter(late).notes[0]


@pytest.mark.parametrize(
    ("scope", "whose"),
    [
        ("stream:news", "the mail of your stream “news”"),
        ("sub_account:eu", "the mail of your sub-account “eu”"),
        ("class:bulk", "your marketing mail"),
        ("class:transactional", "your transactional mail"),
    ],
)
def test_part_of_the_mail_is_named(writer: MailWriter, scope: str, whose: str) -> None:
    assert writer.letter(example("warning", scope=scope)).notes == (f"This is about {whose} alone.",)
    stopped = writer.letter(example("suspended", scope=scope))
    assert stopped.subject.startswith(f"We have stopped {whose}: ")
    assert stopped.happened.startswith(f"We stopped {whose} on 12 March 2026, 12:00 UTC. The reason is this. Of ")
    lifted = writer.letter(example("lifted", scope=scope))
    assert lifted.happened == f"As of 12 March 2026, 12:00 UTC, {whose} is delivered again."


@pytest.mark.parametrize(
    ("language", "scope", "begun", "over"),
    [
        (
            "en",
            "customer",
            ("We deliver your mail more slowly: ", "Since 12 March 2026, 12:00 UTC we deliver your mail more slowly. "),
            ("Your mail is delivered at full speed again (acme)", "your mail is delivered at full speed again."),
        ),
        (
            "en",
            "stream:news",
            (
                "We deliver the mail of your stream “news” more slowly: ",
                "Since 12 March 2026, 12:00 UTC we deliver the mail",
            ),
            ("The mail of your stream “news” is delivered at full speed", "“news” is delivered at full speed again."),
        ),
        (
            "de",
            "customer",
            (
                "Wir stellen Ihre E-Mails langsamer zu: ",
                "Seit dem 12. März 2026, 12:00 Uhr UTC stellen wir Ihre E-Mails",
            ),
            ("Ihre E-Mails werden wieder so schnell zugestellt wie", "wieder so schnell zugestellt wie sonst."),
        ),
    ],
)
def test_slower_delivery_and_its_end_are_told_as_what_they_are(
    writer: MailWriter, language: str, scope: str, begun: tuple[str, str], over: tuple[str, str]
) -> None:
    slowed = writer.letter(example("slowed", scope=scope), language)
    assert slowed.subject.startswith(begun[0])
    assert slowed.happened.startswith(begun[1])
    assert slowed.steps
    assert len(slowed.until) == 1
    unslowed = writer.letter(example("unslowed", scope=scope), language)
    assert unslowed.subject.startswith(over[0])
    assert unslowed.happened.endswith(over[1])
    stop = {"en": "stopped", "de": "gestoppt"}[language]
    assert stop not in str(slowed)
    assert stop not in str(unslowed)


def test_suspension_without_an_alert_asks_to_write_and_shows_no_numbers(writer: MailWriter) -> None:
    facts = MailFacts(kind="suspended", customer="acme", time_ms=NOW_MS, since_ms=NOW_MS, reason="Your bill is due.")
    letter = writer.letter(facts)
    assert letter.subject == "We have stopped your sending (acme)"
    assert letter.notes == ("Your bill is due.",)
    assert letter.rows == ()
    assert letter.until[0].startswith("The stop lasts until the cause is gone and we have lifted it.")


@pytest.mark.parametrize("kind", KINDS)
def test_deadline_is_said_where_one_is_set(writer: MailWriter, kind: MailKind) -> None:
    act = [each for each in writer.letter(example(kind)).until if each.startswith("Please act by")]
    within = {"warning": "15 March 2026, 12:00 UTC", "excessive": "13 March 2026, 12:00 UTC"}
    assert act == ([f"Please act by {within[kind]}."] if kind in within else [])


def test_what_is_not_known_is_left_out(writer: MailWriter) -> None:
    facts = example("warning", evidence=Evidence())._replace(left=None)
    letter = writer.letter(facts)
    assert [row.name for row in letter.rows] == ["Counted", "E-mails sent", "Not deliverable", "Share", "Limit"]
    assert letter.parts == ()
    assert letter.most == ""


def test_mail_of_incidents_is_said_not_to_count(writer: MailWriter) -> None:
    left_out = (Unjudged(reason="incident", count=325, volume=325, provider="gmail", incident="3f9c"),)
    rows = dict(writer.letter(example("warning", evidence=Evidence(left_out=left_out))).rows)
    assert rows["Not counted"] == "325, where the fault was not yours"


def test_nothing_that_people_recorded_among_themselves_is_in_a_mail(writer: MailWriter) -> None:
    secret = {
        "acknowledged": {"by": "Ida", "why": "difficult customer", "time_ms": 1},
        "override": {"id": "0a1b", "by": "Ben", "why": "pays well", "until_ms": 2},
        "explanation": "Ida decided otherwise: difficult customer.",
    }
    for kind, language in product(KINDS, LANGUAGES):
        mail = writer.mail(example(kind, **secret), language)
        for word in ("Ida", "difficult", "Ben", "pays"):
            assert word not in mail.subject + mail.text + mail.html


@pytest.mark.parametrize(
    ("ratio", "others", "said"),
    [
        (0.04, (), "4 of 100 (4%)"),
        (0.003, (), "3 of 1,000 (0.3%)"),
        (0.0043, (), "about 4 of 1,000 (0.43%)"),
        (0.0031, (0.003,), "31 of 10,000 (0.31%)"),
        (0.003, (0.0031,), "30 of 10,000 (0.3%)"),
        (0.000333, (), "about 3 of 10,000 (0.033%)"),
        (0.261, (0.1,), "about 26 of 100 (26.1%)"),
        (1.0, (), "100 of 100 (100%)"),
    ],
)
def test_share_is_said_in_few_enough_to_be_seen_and_told_from_its_limit(
    ratio: float, others: tuple[float, ...], said: str
) -> None:
    assert share(load_languages()["en"].form, ratio, *others) == said
