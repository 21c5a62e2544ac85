"""How rules of bounces are written: whom they ask, in which order, and what is refused when they are read."""

from pathlib import Path

import pytest

from schemas import providers
from streams.bounces.classify import load_bounce_classifier
from streams.bounces.rules import CLASSES, RulesError, TextRule, read
from streams.bounces.text import hosts_in, mask, quoted_in, status_in

SHIPPED = read()
TEXTS = SHIPPED.texts + SHIPPED.late
RULES = load_bounce_classifier()


def example_of(rule: TextRule, phrase: str) -> tuple[str, str, str]:
    """(text, status, provider) to which the rule applies by that phrase."""
    text = f"{phrase} {rule.besides[0]}" if rule.besides else phrase
    status = rule.status[0].replace("x", "5").replace("*", "9") if rule.status else ""
    return text, status, rule.provider[0] if rule.provider else ""


@pytest.mark.parametrize("rule", TEXTS, ids=[each.name for each in TEXTS])
def test_every_rule_decides_something_that_no_earlier_one_does(rule: TextRule) -> None:
    deciding = []
    for phrase in rule.any:
        text, status, provider = example_of(rule, phrase)
        deciding.append(RULES.classify(0, status, text, provider).rule)
    assert rule.name in deciding, deciding


def test_rules_ask_only_for_providers_that_the_table_has() -> None:
    known = {each.name for each in providers.load_providers().all}
    assert {name for rule in TEXTS for name in rule.provider} <= known


def test_no_phrase_is_given_twice_in_a_rule() -> None:
    assert [rule.name for rule in TEXTS if len(set(rule.any)) < len(rule.any)] == []


OWN = """
[[text]]
name = "our-own"
class = "quota"
any = ["no such user", "tea break"]
besides = ["lagoon"]
unless = ["certainly"]
provider = ["gmail"]
status = ["5.1.*"]

[[status]]
class = "virus"
status = ["x.1.1"]

[[code]]
class = "expired"
code = ["550"]
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "own.toml"
    file.write_text(OWN, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("status", "text", "provider", "rule"),
    [
        ("5.1.2", "no such user, says lagoon", "gmail", "our-own"),
        ("5.1.2", "tea break at LAGOON", "gmail", "our-own"),
        ("5.1.2", "no such user, says lagoon, certainly", "gmail", "unknown-recipient"),
        ("5.1.2", "no such user", "gmail", "unknown-recipient"),
        ("5.1.2", "no such user, says lagoon", "yahoo", "unknown-recipient"),
        ("5.1.2", "no such user, says lagoon", "", "unknown-recipient"),
        ("5.2.2", "no such user, says lagoon", "gmail", "unknown-recipient"),
        ("", "no such user, says lagoon", "gmail", "unknown-recipient"),
    ],
)
def test_rule_applies_where_all_that_it_asks_holds(own: Path, status: str, text: str, provider: str, rule: str) -> None:
    assert load_bounce_classifier(own=own).classify(550, status, text, provider).rule == rule


def test_own_status_and_code_go_before_those_of_the_project(own: Path) -> None:
    rules = load_bounce_classifier(own=own)
    assert rules.classify(0, "5.1.1", "").bounce_class == "virus"
    assert rules.classify(0, "5.1.2", "").bounce_class == RULES.classify(0, "5.1.2", "").bounce_class
    assert rules.classify(550, "", "").bounce_class == "expired"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (OWN.replace("our-own", "unknown-recipient"), "text rule `unknown-recipient` is defined twice"),
        (OWN.replace("tea break", "at 10:20:30 on 192.0.2.1"), "is never found"),
        (OWN.replace("tea break", "error 20251"), "write `error #`"),
        (OWN.replace('"gmail"', '"GMail"'), "text[0].provider[0]"),
        (OWN.replace('class = "quota"', 'class = "quota"\nkind = "block"'), "text[0].kind"),
        ("pattern = 1", "unknown field `pattern`"),
        ("[[text]", "not valid TOML"),
    ],
)
def test_broken_own_rules_are_refused_with_file_and_place(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RulesError) as caught:
        load_bounce_classifier(own=file)
    assert str(file) in str(caught.value)
    assert complaint in str(caught.value)


def test_kind_of_a_rule_outranks_class_and_codes(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    rule = '[[text]]\nname = "{0}"\nclass = "bad_domain"\nkind = "{0}"\nany = ["tea at {0}"]\n'
    file.write_text(rule.format("hard") + rule.format("soft"), encoding="utf-8")
    rules = load_bounce_classifier(own=file)
    assert rules.classify(450, "4.1.2", "tea at hard").kind == "hard"
    assert rules.classify(550, "5.1.2", "tea at soft").kind == "soft"


def test_late_rule_is_asked_after_statuses_and_before_codes(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[[text]]\nname = "tea"\nclass = "virus"\nlate = true\nany = ["teatime"]\n', encoding="utf-8")
    rules = load_bounce_classifier(own=file)
    assert rules.classify(550, "5.1.1", "teatime").rule == "status-x.1.1"
    assert rules.classify(550, "", "teatime").rule == "tea"


def test_host_that_a_diagnostic_names_tells_the_provider_where_nothing_else_does() -> None:
    text = "host mfsmax.docomo.ne.jp[192.0.2.9] said: 550 Unknown user hanako@docomo.ne.jp"
    for provider in ("", "other"):
        assert RULES.classify(550, "", text, provider).rule == "carrier-unknown-or-refused"
    assert RULES.classify(550, "", text, "gmail").rule != "carrier-unknown-or-refused"


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("host mx1.harbour.example[192.0.2.1] said: 550 no", ["mx1.harbour.example"]),
        ("host mx1.harbour.example [192.0.2.1]: 550 no", ["mx1.harbour.example"]),
        ("550 no", []),
        ("host " + "a." * 600, []),
    ],
)
def test_hosts_are_found(text: str, hosts: list[str]) -> None:
    assert hosts_in(mask(text)) == hosts


def test_quoted_reply_is_what_stands_behind_the_words_of_the_report() -> None:
    assert quoted_in("we tried. the response was: 550 no such user") == "550 no such user"
    assert quoted_in("we tried. the response was: ") == "we tried. the response was: "
    assert quoted_in("550 no such user") == "550 no such user"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("550 5.1.1 no", "5.1.1"),
        ("no (#5.1.1)", "5.1.1"),
        ("550-5.7.1 no", "5.7.1"),
        ("version 15.1.1 no", ""),
        ("", ""),
    ],
)
def test_status_is_found_in_text(text: str, status: str) -> None:
    assert status_in(text) == status


def test_every_class_can_be_recognised_by_text() -> None:
    assert {rule.bounce_class for rule in TEXTS} == set(CLASSES)
