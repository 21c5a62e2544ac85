"""Templates and languages of the operator: what they may say, and how a mistake is named before any mail is written."""

from pathlib import Path

import pytest

from jobs.mail.examples import example
from jobs.mail.languages import BUILT_IN
from jobs.mail.mail import MailWriter
from schemas.mail import MailSettings
from schemas.settings import SettingsError


def writer(folder: Path, language: str = "en", **files: str) -> MailWriter:
    for name, text in files.items():
        (folder / name.replace("__", "-").replace("_", ".")).write_text(text, encoding="utf-8")
    return MailWriter(MailSettings(folder=str(folder), language=language))


def test_own_text_takes_the_place_of_the_built_in_one_and_html_stays(tmp_path: Path) -> None:
    mail = writer(tmp_path, letter_txt="{{ letter.customer }}: {{ letter.happened }}\n").mail(example("warning"))
    assert mail.text == "acme: Of the 10,000 e-mails you sent in the last 24 hours, 400 could not be delivered.\n"
    assert "<h2>What to do</h2>" in mail.html


def test_own_html_may_build_on_the_built_in_one(tmp_path: Path) -> None:
    own = '{% extends "built-in/letter.html" %}{% block closing %}<p>{{ "<Example>" }}</p>{% endblock %}'
    html = writer(tmp_path, letter_html=own).mail(example("warning")).html
    assert "<p>&lt;Example&gt;</p>" in html
    assert "<h2>What to do</h2>" in html


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            "Hello\n{{ letter.custommer }}",
            "letter.txt:2: 'jobs.mail.letter.CustomerLetter object' has no attribute 'custommer'",
        ),
        ("Hello {{ alert }}", "letter.txt:1: 'alert' is undefined"),
        ("Hello\n\n{% if letter.rows %}\n", "letter.txt:3: Unexpected end of template"),
        ("{{ letter.happened | shout }}", "letter.txt:1: No filter named 'shout'"),
        (
            "{{ letter.__class__.__mro__ }}",
            "letter.txt:1: access to attribute '__class__' of 'CustomerLetter' object is unsafe",
        ),
        ("{% include 'other.txt' %}", "letter.txt:1: there is no file 'other.txt'"),
        ("{{ letter.rows[0].name }}", "letter.txt:1: tuple object has no element 0"),
        ("{{ 1 // 0 }}", "letter.txt:1: "),
    ],
)
def test_template_that_fails_is_named_with_file_and_line(tmp_path: Path, template: str, said: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        writer(tmp_path, letter_txt=template)
    assert f"{tmp_path}/{said}" in str(refusal.value)
    assert str(refusal.value).startswith("mail.folder: ")


def test_template_that_fails_with_some_mails_alone_is_found_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="tried with a made-up mail of kind suspended about no alert, language de"):
        writer(tmp_path, letter_txt="{% if letter.rows %}{{ letter.rows[0].name }}{% else %}{{ gone }}{% endif %}")


def test_own_phrase_replaces_one_and_the_others_stay(tmp_path: Path) -> None:
    own = '[metrics.failure]\ntopic = "your list is bad"\n[subjects]\nwarning = "Hey: {topic}"\n'
    found = writer(tmp_path, en_toml=own)
    assert found.mail(example("warning")).subject == "Hey: your list is bad (acme)"
    assert found.mail(example("excessive")).subject == "Please act now: your list is bad (acme)"
    assert found.mail(example("warning"), "de").subject.startswith("Warnung: zu viele")


def test_own_language_is_written_and_an_unknown_one_is_that_of_the_settings(tmp_path: Path) -> None:
    other = (BUILT_IN / "en.toml").read_text(encoding="utf-8").replace('warning = "Warning: ', 'warning = "Attention: ')
    found = writer(tmp_path, "fr", fr_toml=other)
    assert found.languages == ("de", "en", "fr")
    wanted = {"fr": "fr", "fr-CA": "fr", "de-AT": "de", "pl": "fr", "": "fr", "en-GB-oed": "en"}
    assert {tag: found.mail(example("warning"), tag).language for tag in wanted} == wanted
    assert found.mail(example("warning")).subject.startswith("Attention: ")


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ('[subjects]\nwarning = "Hey {who}"\n', "en.toml:2: subjects.warning: there is no placeholder {who}; it may"),
        ('[means]\nwatch = "Hey {topic}"\n', "en.toml:2: means.watch: there is no placeholder {topic}; it holds none"),
        ('[subjects]\nwarning = "Hey }"\n', "en.toml:2: subjects.warning: a single brace; write }} for a brace"),
        ("[subjects]\nwarning = 5\n", "en.toml:2: subjects.warning: expected `str`, got `int`"),
        ('[subject]\nwarning = "Hey"\n', "en.toml: object contains unknown field `subject`"),
        ('[metrics.failures]\ntopic = "x"\n', "en.toml:1: metrics: invalid enum value 'failures'"),
        ("[subjects\n", "en.toml: not valid TOML"),
    ],
)
def test_mistake_in_a_language_is_named_with_its_line(tmp_path: Path, own: str, said: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        writer(tmp_path, en_toml=own)
    assert f"mail.folder: {tmp_path}/{said}" in str(refusal.value)


def test_language_that_lacks_something_is_told_what(tmp_path: Path) -> None:
    text = (BUILT_IN / "en.toml").read_text(encoding="utf-8")
    start, end = text.index("[causes.phones]"), text.index("[causes.foreign_domains]")
    with pytest.raises(SettingsError, match=r"fr\.toml:\d+: causes: says nothing of phones"):
        writer(tmp_path, fr_toml=text[:start] + text[end:])
    with pytest.raises(SettingsError, match=r"fr\.toml: object missing required field `form`"):
        writer(tmp_path, fr_toml="")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (MailSettings(language="fr"), "mail.language: there is no language 'fr'; known are de, en"),
        (MailSettings(folder="/nowhere/at/all"), "mail.folder: /nowhere/at/all: there is no such folder"),
    ],
)
def test_setting_that_cannot_be_used_is_named(settings: MailSettings, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        MailWriter(settings)


def test_file_not_named_after_a_language_and_one_not_in_utf8_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"German\.toml: is not named after a language, such as fr\.toml"):
        writer(tmp_path, German_toml="")
    (tmp_path / "German.toml").unlink()
    (tmp_path / "letter.txt").write_bytes(b"gr\xfc\xdfe")
    with pytest.raises(SettingsError, match=r"letter\.txt: cannot be read: "):
        MailWriter(MailSettings(folder=str(tmp_path)))
