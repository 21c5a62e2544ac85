"""Why a message bounced."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import common
from streams.bounces import classify
from streams.bounces import text as bounce_text
from streams.bounces.classify import (
    CLASSES,
    KINDS,
    MAX_TEXT,
    BounceClassifier,
    Classified,
    RulesError,
    load_bounce_classifier,
    mask,
)
from streams.bounces.rules import read
from tests.support.patterns import nested_quantifier

CASES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("bounces.toml").read_text(encoding="utf-8"))[
    "case"
]
RULES = load_bounce_classifier()
SHIPPED, PROVIDERS = read(), load_providers()


def fresh() -> BounceClassifier:
    """A classifier that has not seen anything."""
    return BounceClassifier(SHIPPED, PROVIDERS)


def bounced(**fields: Any) -> MailEvent:
    return MailEvent(id="e", type="bounced", time=0, customer="c", **fields)


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_bounce_is_classified(case: dict[str, Any]) -> None:
    verdict = RULES.classify(case["code"], case["status"], case["text"], case.get("provider", ""))
    assert (verdict.bounce_class, verdict.kind) == (case["class"], case["kind"]), verdict.rule


def test_every_class_has_a_case() -> None:
    assert {case["class"] for case in CASES} == set(CLASSES)


def test_only_three_classes_are_hard() -> None:
    hard = {name for name, kind in KINDS.items() if kind == "hard"}
    assert hard == {"invalid_recipient", "inactive_mailbox", "bad_domain"}


@pytest.mark.parametrize("name", CLASSES)
def test_class_given_by_the_source_is_kept(name: str) -> None:
    verdict = RULES(bounced(bounce_class=name, smtp_code=550, diagnostic="User unknown"))
    assert (verdict.bounce_class, verdict.kind, verdict.rule) == (name, KINDS[name], "source")


def test_class_given_by_the_source_has_its_own_kind() -> None:
    """Though the reply was a temporary one."""
    reported = {"smtp_code": 450, "enhanced_status": "4.1.1", "diagnostic": "450 4.1.1 User unknown"}
    assert RULES(bounced(bounce_class="invalid_recipient", **reported)).kind == "hard"
    assert RULES(bounced(**reported)).kind == "soft"


def test_unknown_class_given_by_the_source_gives_way_to_the_rules() -> None:
    verdict = RULES(bounced(bounce_class="bad-mailbox", smtp_code=550, diagnostic="User unknown"))
    assert verdict.bounce_class == "invalid_recipient"
    assert verdict.rule == "unknown-recipient"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("User a@b.example unknown", "user  c.d@e.example unknown"),
        ("client [192.0.2.1] blocked", "client [198.51.100.200] blocked"),
        ("client [2001:db8::1] blocked", "client [2001:db8:0:7::25] blocked"),
        ("rejected, id 12345678", "rejected, id 99"[:-2] + "87654321"),
        ("gone p131si8414989oif.118 - gsmtp", "gone k9si20217718oif.118 - gsmtp"),
        ("see 7b6d4c1e-1111-4222-8333-944455556666", "see 00aa11bb-cccc-4ddd-8eee-ffffffffffff"),
    ],
)
def test_bounces_of_one_wording_share_one_mask(left: str, right: str) -> None:
    assert mask(left) == mask(right)


@pytest.mark.parametrize("text", ["550-unknown user", "[tss04] ofr_506 ib607", "error: dead end", "5.7.606"])
def test_masking_keeps_words_and_the_codes_of_providers(text: str) -> None:
    assert mask(text) == text


def test_long_diagnostics_are_cut() -> None:
    assert len(mask("word " * 100_000)) <= MAX_TEXT


@given(st.integers(-1, 1000), st.text(max_size=12), st.text(max_size=200))
def test_any_bounce_gets_a_known_class_and_the_same_one_again(code: int, status: str, text: str) -> None:
    verdict = RULES.classify(code, status, text)
    assert verdict.bounce_class in CLASSES
    assert verdict == fresh().classify(code, status, text)


@given(st.text(alphabet="ab1@.<> :-[]", max_size=60))
def test_the_cache_never_changes_a_verdict(tail: str) -> None:
    for text in (f"User unknown {tail}", f"{tail} mailbox full"):
        assert RULES.classify(550, "", text) == fresh().classify(550, "", text)


class Counted(BounceClassifier):
    """Counts how often the rules were asked."""

    asked = 0

    def judge(self, smtp_code: int, enhanced_status: str, text: str, provider: str) -> Classified:
        self.asked += 1
        return super().judge(smtp_code, enhanced_status, text, provider)


def test_rules_are_asked_once_for_all_bounces_of_one_wording() -> None:
    rules = Counted(SHIPPED, PROVIDERS)
    for number in range(100):
        rules(bounced(smtp_code=550, diagnostic=f"User u{number}@h{number}.example unknown, id {number:032x}"))
    assert rules.asked == 1
    rules(bounced(smtp_code=550, diagnostic="User u1@h1.example unknown, id none"))
    rules(bounced(smtp_code=551, diagnostic="User u1@h1.example unknown, id none"))
    assert rules.asked == 3


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classify, "CACHE_MASKED", 10)
    monkeypatch.setattr(classify, "CACHE_RAW", 10)
    rules = fresh()
    for word in range(100):
        rules(bounced(diagnostic=f"reason {'x' * word}"))
        assert max(len(rules._by_mask), len(rules._by_text)) <= 10


def patterns() -> list[re.Pattern[str]]:
    found = [each for module in (bounce_text, classify, common) for each in vars(module).values()]
    return [each for each in found if isinstance(each, re.Pattern)]


def test_no_pattern_has_a_quantifier_inside_another() -> None:
    """Which could take exponential time on text that strangers send us."""
    assert len(patterns()) >= 9
    for pattern in patterns():
        assert not nested_quantifier(pattern.pattern), pattern.pattern


@pytest.mark.parametrize("text", [r"(a+)+", r"(?:\w*,){2,}", r"((ab)*c)*"])
def test_the_check_for_nested_quantifiers_finds_them(text: str) -> None:
    assert nested_quantifier(text)


RULE = '[[text]]\nname = "a"\nclass = "quota"\nany = ["full"]\n[[status]]\nclass = "quota"\nstatus = ["x.2.2"]\n'
CODE = '[[code]]\nclass = "quota"\ncode = ["552"]\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (RULE + CODE.replace("quota", "fullness"), "code[0].class: there is no 'fullness'"),
        (RULE.replace("x.2.2", "2.2") + CODE, "status[0].status[0]"),
        (RULE.replace('"full"', '"Full"') + CODE, "text[0].any[0]"),
        (RULE + CODE + CODE, "code 552 is given twice"),
        (RULE + RULE + CODE, "text rule `a` is defined twice"),
        (RULE + CODE + 'pattern = "x"\n', "unknown field `pattern`"),
        (RULE, "`code` is missing"),
        ("text = [", "not valid TOML"),
    ],
)
def test_broken_rules_are_refused_with_file_and_place(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RulesError) as caught:
        load_bounce_classifier(file)
    assert str(file) in str(caught.value)
    assert complaint in str(caught.value)


def test_missing_rules_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"none\.toml: cannot be read"):
        load_bounce_classifier(tmp_path / "none.toml")


def test_more_exact_status_wins(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(
        "text = []\ncode = []\n"
        '[[status]]\nclass = "policy"\nstatus = ["x.7.*"]\n'
        '[[status]]\nclass = "virus"\nstatus = ["x.7.7"]\n'
        '[[status]]\nclass = "expired"\nstatus = ["4.7.7"]\n',
        encoding="utf-8",
    )
    rules = load_bounce_classifier(file)
    assert rules.classify(0, "5.7.1", "").bounce_class == "policy"
    assert rules.classify(0, "5.7.7", "").bounce_class == "virus"
    assert rules.classify(0, "4.7.7", "").bounce_class == "expired"
