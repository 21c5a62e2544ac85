"""Whose complaint it is, by who reports it."""

from pathlib import Path

import pytest

from schemas.feedback_loops import FeedbackLoopsError, load_feedback_loops
from schemas.providers import load_providers

PROVIDERS = load_providers()
LOOPS = load_feedback_loops()


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("yandexfbl.senderscore.net", "yandex"),
        ("comcastfbl.senderscore.net", "comcast"),
        ("rackspacefbl.senderscore.net", "rackspace"),
        ("localwebfbl.senderscore.net", "locaweb"),
        ("italianonlinefbl.senderscore.net", "italiaonline"),
        ("telnorfbl.senderscore.net", "telenor"),
        ("telenorfbl.senderscore.net", "telenor"),
        ("usanetfbl.senderscore.net", "silversky"),
        ("xs4allfbl.senderscore.net", "xs4all"),
        ("coxfbl.senderscore.net", "yahoo"),
        ("mailru.senderscore.net", "mailru"),
        ("fbl-opensrs.app.returnpath.net", "opensrs"),
        ("bounce.mailstream.senderscore.net", ""),
        ("senderscore.net", ""),
        ("yandexfbl.senderscore.net.mallory.example", ""),
        ("arf.mail.yahoo.com", "yahoo"),
        ("aol.net", "yahoo"),
        ("hotmail.com", "microsoft"),
        ("fbl.fastmail.com", "fastmail"),
        ("fbl.hostedemail.com", "opensrs"),
        ("feedback.apps.rackspace.com", "rackspace"),
        ("feedback.postmaster.rr.com", "charter"),
        ("fbl.italiaonline.net", "italiaonline"),
        ("corp.mail.ru", "mailru"),
        ("FBL.XS4ALL.net.", "xs4all"),
        ("feedback.example", ""),
        ("com", ""),
        ("", ""),
        ("a." * 200 + "aol.net", "yahoo"),
    ],
)
def test_provider_by_the_host_that_reports(host: str, provider: str) -> None:
    assert LOOPS.by_host(host, PROVIDERS) == provider


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("Yandex", "yandex"),
        ("Virgin Media", "virgin_media"),
        ("La Poste", "laposte"),
        ("LiberoMail", "italiaonline"),
        ("Mail.Ru", "mailru"),
        ("TIM", "telecom_italia"),
        ("UOL", "uol"),
        ("Somebody Else", ""),
        ("", ""),
    ],
)
def test_provider_by_what_the_report_calls_it(name: str, provider: str) -> None:
    assert LOOPS.by_name(name) == provider


@pytest.mark.parametrize(
    ("agent", "provider"),
    [
        ("Yahoo!-Mail-Feedback/2.0", "yahoo"),
        ("AOL SComp", "yahoo"),
        ("JMRP/1.0", "microsoft"),
        ("Microsoft-JMRP/2.0", "microsoft"),
        ("ReturnPathFBL/2.0", ""),
        ("SomeGenerator/1.0", ""),
        ("", ""),
    ],
)
def test_provider_by_the_program_that_made_the_report(agent: str, provider: str) -> None:
    assert LOOPS.by_agent(agent) == provider


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("bounce.mailstream.senderscore.net", True),
        ("arf.mail.yahoo.com", True),
        ("fbl.hostedemail.com", True),
        ("email-abuse.amazonses.com", True),
        ("amazonses.com", False),
        ("gmail.com", False),
        ("feedback.example", False),
    ],
)
def test_hosts_that_are_known_to_report(host: str, known: bool) -> None:
    assert LOOPS.is_reporter(host, PROVIDERS) == known


def test_every_feedback_loop_is_of_a_provider_that_is_known() -> None:
    assert set(LOOPS.providers) <= {each.name for each in PROVIDERS.all}


def test_every_provider_with_a_feedback_loop_is_here() -> None:
    """Else its reports that hide the recipient enter no rate, while its deliveries do."""
    assert set(PROVIDERS.with_feedback_loop()) <= set(LOOPS.providers)


HEAD = 'operators = ["o.example"]\nhidden = []\n'
GOOD = HEAD + '[[loop]]\nprovider = "a"\nnames = ["Eh"]\nhosts = ["a.example"]\nagents = ["A/"]\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + '[[loop]]\nprovider = "b"\nnames = ["E-H"]\n', "name `eh` is given to both `a` and `b`"),
        (GOOD + '[[loop]]\nprovider = "b"\nhosts = ["a.example"]\n', "host `a.example` is given to both `a` and `b`"),
        (GOOD + '[[loop]]\nprovider = "b"\nagents = ["a/"]\n', "agent `a/` is given to both `a` and `b`"),
        (GOOD.replace("a.example", "A example"), "loop[0].hosts[0]"),
        (GOOD + "more = 1\n", "unknown field `more`"),
        ('[[loop]]\nprovider = "a"\n', "`operators` is missing"),
        ("loop = 3 =", "not valid TOML"),
    ],
)
def test_broken_table_is_refused_with_file_and_place(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "feedback_loops.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FeedbackLoopsError) as caught:
        load_feedback_loops(file)
    assert str(file) in str(caught.value)
    assert complaint in str(caught.value)


def test_missing_table_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FeedbackLoopsError, match=r"none\.toml: cannot be read: No such file"):
        load_feedback_loops(tmp_path / "none.toml")
