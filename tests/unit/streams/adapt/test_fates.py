"""The same fate is the same event, whatever the source: the files of `docs/fates` held against the adapters.

A file is one format's, and the page on formats has its tables from it. It has cases, each a message (`body`) and the
fate that it tells in the words of `told`, and says which fates the source never tells. A new source needs one file.
"""

import tomllib
from dataclasses import dataclass

import pytest

from docs.generate.fates import FATES, Case, load_fates
from schemas.providers import load_providers
from schemas.times import epoch_ms
from streams.adapt import FORMATS, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier
from tests.support.root import ROOT

FOLDER = ROOT / "docs" / "fates"
TABLE = load_fates(FOLDER)
CASES = [(name, case) for name, source in TABLE.items() for case in source.cases]
CLASSIFY = load_bounce_classifier()
CONTEXT = Context(
    b"a key",
    load_providers(),
    {name: FormatOptions(default_customer="house") for name in FORMATS},
    clock=lambda: 1_757_700_000_000,
)


@dataclass(frozen=True)
class Expected:
    """What a fate is everywhere: the event's type, and of what failed the class and kind that our rules give."""

    type: str
    bounce_class: str = ""
    kind: str = ""


#: None: no event, and no error either.
EXPECTED: dict[str, Expected | None] = {
    "delivered": Expected("delivered"),
    "deferred": Expected("deferred"),
    "hard bounce": Expected("bounced", "invalid_recipient", "hard"),
    "soft bounce": Expected("bounced", "quota", "soft"),
    "blocked": Expected("bounced", "blocked", "block"),
    "expired": Expected("expired"),
    "expired after refusals": Expected("expired", "blocked", "block"),
    "suppressed": Expected("suppressed"),
    "complaint": Expected("complained"),
    "unsubscribed": Expected("unsubscribed"),
    "rejected": Expected("rejected"),
    "auto-reply": None,
    "no mail": None,
}


def test_every_fate_of_the_table_is_known() -> None:
    assert set(FATES) == set(EXPECTED)


@pytest.mark.parametrize("name", FORMATS)
def test_every_source_says_of_each_fate_how_it_is_told_or_that_it_never_is(name: str) -> None:
    source = TABLE[name]
    told = {case.fate for case in source.cases}
    assert told | set(source.never) == set(FATES)
    assert not told & set(source.never)


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}-{case.fate}" for name, case in CASES])
def test_same_fate_is_the_same_event(name: str, case: Case) -> None:
    events = adapter(name)(case.body.encode(), CONTEXT)
    expected = EXPECTED[case.fate]
    if expected is None:
        assert events == []
        return
    # A log tells of the attempts before.
    *before, event = events
    assert {each.type for each in before} <= {"deferred"}
    assert event.type == expected.type
    assert event.customer
    assert epoch_ms(event.time) > 0
    assert event.provider == "yahoo"
    verdict = CLASSIFY(event)
    if expected.kind:
        assert (verdict.bounce_class, verdict.kind) == (expected.bounce_class, expected.kind)
    elif event.type == "expired":
        assert verdict.kind != "block"
    if event.type == "complained":
        assert event.feedback_type in ("abuse", "")


def test_files_are_of_formats_and_hold_nothing_else() -> None:
    assert set(TABLE) <= set(FORMATS)
    for file in FOLDER.glob("*.toml"):
        assert set(tomllib.loads(file.read_text(encoding="utf-8"))) <= {"never", "case"}
