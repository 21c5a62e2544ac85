"""The text about an alert: what it says, what it leaves out, and that what comes from outside stays text in it."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from api.text.alert import LISTS, VALUES, AlertFacts, Template, escaped, load_template
from api.text.explanation import UNITS
from schemas.alert import Acknowledgement, AlertData, Baseline, Evidence, OperatorOverride, Share, Unjudged
from schemas.policy_metric import Metric
from schemas.settings import SettingsError
from streams.judge.allowance import RuleAllowance

EVIDENCE = Evidence(
    providers=(Share(name="yahoo", count=280, volume=9_000),),
    ips=(Share(name="192.0.2.1", count=300, volume=10_000),),
    bounce_classes=(Share(name="invalid_recipient", count=290, sample="550 5.1.1 <*@example.com>: unknown"),),
    from_domains=(Share(name="example.com", count=300, volume=10_000),),
    campaigns=(Share(name="spring", count=250),),
    sample_message_ids=("1@mx.example", "2@mx.example"),
    began="2026-03-12T09:00:00.000Z",
    baseline=Baseline(days=30, numerator=900, denominator=90_000),
)
LEFT = RuleAllowance(rule="failure", metric="failure", remaining=17, level="excessive", window="24h")


def reported(left: bool = True, **changes: Any) -> AlertFacts:
    data = AlertData(
        alert_id="99e4dd8d7f9417604d77d241ec8f8cf2",
        customer="acme",
        scope="customer",
        rule="failure",
        metric="failure",
        kind="opened",
        level="warning",
        previous_level="good",
        episode=1,
        transition=1,
        window="24h",
        numerator=400,
        denominator=10_000,
        rate=0.04,
        lower=0.0364,
        upper=0.044,
        confidence=0.95,
        threshold=0.03,
        policy_version="default@5e0c",
        explanation="",
        evidence=EVIDENCE,
        cause="events",
    )
    changed = msgspec.structs.replace(data, **changes)
    return AlertFacts(changed, "2026-03-12T10:00:00.000Z", "2026-03-12T12:00:00.000Z", [LEFT] if left else [])


def text(template: str = "", left: bool = True, **changes: Any) -> str:
    found = Template(template, "own.md") if template else load_template()
    return found.filled(reported(left, **changes))


def test_text_says_what_of_the_mail_is_not_counted() -> None:
    left_out = (
        Unjudged(reason="incident", count=325, volume=330, provider="gmail", incident="3f9c0a417b22d85e"),
        Unjudged(reason="unknown-time", count=17),
    )
    said = text(evidence=Evidence(left_out=left_out))
    assert (
        "\n\nNot counted:\n"
        "- 325 of 330 at gmail, where an incident hit many senders\n"
        "- 17 about mail of an unknown time, most likely sent before\n\n"
    ) in said


def test_built_in_text_says_what_a_customer_must_know() -> None:
    assert text() == (
        "# acme: failure is warning\n"
        "\n"
        "All mail: 400 failures of 10,000, of mail sent in the last 24h.\n"
        "That is 4.00 %, with 95 % certainty between 3.64 % and 4.40 %.\n"
        "The level warning begins at 3.00 %.\n"
        "\n"
        "It began at 2026-03-12T09:00:00.000Z or in the hour from then on.\n"
        "\n"
        "Usual in the 30 days before: 900 of 90,000, 1.00 %.\n"
        "\n"
        "17 more failures until excessive (24h).\n"
        "\n"
        "Mailbox providers (how much of it, of how much mail):\n"
        "- yahoo: 280 of 9,000\n"
        "\n"
        "Sending addresses:\n"
        "- 192\\.0.2.1: 300 of 10,000\n"
        "\n"
        "From domains:\n"
        "- example.com: 300 of 10,000\n"
        "\n"
        "Campaigns:\n"
        "- spring: 250\n"
        "\n"
        "What receiving hosts answered:\n"
        "- invalid\\_recipient: 290, such as: 550 5.1.1 &lt;\\*\\@example.com&gt;: unknown\n"
        "\n"
        "Messages, the latest:\n"
        "- 1\\@mx.example\n"
        "- 2\\@mx.example\n"
        "\n"
        "Alert 99e4dd8d7f9417604d77d241ec8f8cf2, open since 2026-03-12T10:00:00.000Z, as of 2026-03-12T12:00:00.000Z, "
        "by policy default\\@5e0c.\n"
    )


def test_what_is_not_known_is_left_out_with_its_heading() -> None:
    short = text(left=False, evidence=Evidence())
    assert [line for line in short.splitlines() if line][4:] == [short.splitlines()[-1]]
    for heading in ("began", "Usual", "Campaigns", "Messages", "until"):
        assert heading not in short


def test_number_of_listings_is_reported_without_rate_and_interval() -> None:
    said = text(metric="critical_listing", rule="critical_listing", numerator=2, denominator=1, rate=2, threshold=1)
    assert said.startswith("# acme: critical listing is warning\n")
    assert said.splitlines()[2:5] == ["All mail: 2 listings, within 24h.", "The level warning begins at 1.", ""]


def test_burn_is_reported_by_its_pace_and_a_spike_by_what_is_usual() -> None:
    burn = text(metric="failure_burn", rule="failure_burn", rate=20.0, lower=17.26, upper=24.0, threshold=14.4)
    assert burn.splitlines()[2:5] == [
        "All mail: 400 failures of 10,000, of mail sent in the last 24h.",
        "That is 20 times the allowed pace, with 95 % certainty between 17.3 times the allowed pace and 24 times the "
        "allowed pace.",
        "The level warning begins at 14.4 times the allowed pace.",
    ]
    spike = text(metric="volume_spike", rule="volume_spike", numerator=9_000, denominator=400, rate=21.5, threshold=20)
    assert spike.splitlines()[2:4] == [
        "All mail: 9,000 recipients where 400 are usual at this time of day, of mail sent in the last 24h.",
        "The level warning begins at score 20.",
    ]


def test_stream_resolution_and_override_are_reported_as_such() -> None:
    assert "Stream news: 400" in text(scope="stream:news")
    assert text(kind="resolved", level="good").startswith("# acme: failure is resolved\n")
    assert "begins at" not in text(kind="resolved", level="good")
    assert text(kind="overridden", level="good").startswith("# acme: failure is overridden\n")


def test_what_people_recorded_among_themselves_is_not_in_it() -> None:
    said = text(
        " ".join(f"{{{name}}}" for name in VALUES) + "\n" + "\n".join(f"{{{name}}}" for name in LISTS),
        acknowledged=Acknowledgement(by="Ida", why="difficult customer", time_ms=1),
        override=OperatorOverride(id="0a1b", by="Ben", why="pays well", until_ms=2),
        explanation="Ida decided otherwise: difficult customer.",
    )
    for word in ("Ida", "difficult", "Ben", "pays"):
        assert word not in said


def test_operators_own_template_is_used(tmp_path: Path) -> None:
    own = tmp_path / "own.md"
    own.write_text("Dear {customer},\n\nset {{this}} right: {counted}.\n{usual}\n", encoding="utf-8")
    assert load_template(str(own)).filled(reported(evidence=Evidence())) == (
        "Dear acme,\n\nset {this} right: 400 failures of 10,000.\n"
    )


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("Hello\n{custommer}", "own.md:2: there is no placeholder {custommer}; did you mean {customer}?"),
        ("{customer.data}", "own.md:1: there is no placeholder {customer.data}"),
        ("{}", "own.md:1: there is no placeholder {}"),
        ("{customer!r}", "own.md:1: there is no placeholder {customer!r}"),
        ("a { b", "own.md:1: a single brace; write {{ for a brace"),
        ("a } b", "own.md:1: a single brace; write }} for a brace"),
        ("Providers: {providers}", "own.md:1: {providers} is a list and stands alone on its line"),
    ],
)
def test_mistake_in_a_template_is_named_with_its_line(template: str, fault: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        Template(template, "own.md")
    assert str(refusal.value).startswith(fault)


def test_template_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"alerts\.text_file: .*none\.md: cannot be read"):
        load_template(str(tmp_path / "none.md"))
    wrong = tmp_path / "latin.md"
    wrong.write_bytes(b"gr\xfc\xdfe")
    with pytest.raises(SettingsError, match=r"alerts\.text_file: .*latin\.md: not UTF-8"):
        load_template(str(wrong))


HOSTILE = [
    "<script>alert(1)</script>",
    "![x](http://evil.example/pixel.png)",
    "[click](javascript:alert(1))",
    "`code` ``more``",
    "**bold** __bold__ *it* _it_ ~~gone~~",
    "# heading",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "> quote",
    "---",
    "===",
    "a | b | c",
    "<http://evil.example>",
    "&lt;b&gt; &#60;b&#62;",
    "line\r\n\r\n# heading\n\n    code",
    "\\*not escaped\\*",
    "trailing backslash \\",
    "\u2028# heading\u202e",
    "[ref]: http://evil.example",
    "$x$ ^y^ ==z==",
]
RENDERED = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def rendered(value: str) -> str:
    """What a reader sees of a value that stands at the beginning of a paragraph, as escaped HTML."""
    html = RENDERED.render(escaped(value))
    assert html.startswith("<p>")
    assert html.endswith("</p>\n")
    return str(html[3:-5])


def seen(value: str) -> str:
    """The value as one line of printable letters, as HTML shows text."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


@pytest.mark.parametrize("value", HOSTILE)
def test_text_from_outside_stays_text(value: str) -> None:
    assert rendered(value) == seen(value)


@given(st.text(alphabet=st.sampled_from("<>&\"'`*_[]()!#-+.:/|~\\={}@ \nab1w")))
def test_law_whatever_comes_from_outside_is_seen_as_it_is(value: str) -> None:
    assert not seen(value) or rendered(value) == seen(value)


def test_bare_address_is_no_link_even_where_renderers_make_them() -> None:
    for value in ("http://evil.example", "HTTPS://evil.example", "www.evil.example", "ann@evil.example"):
        assert value not in escaped(value)


def test_hostile_evidence_leaves_the_text_in_its_shape() -> None:
    bad = "x\n\n# You won <img src=x onerror=alert(1)> {customer}"
    share = Share(name=bad, count=1, volume=2, sample=bad)
    evidence = Evidence(
        providers=(share,),
        ips=(share,),
        from_domains=(share,),
        campaigns=(share,),
        bounce_classes=(share,),
        listings=(bad,),
        sample_message_ids=(bad,),
    )
    html = RENDERED.render(
        text(customer=bad, scope=f"stream:{bad}", rule="failure", policy_version=bad, evidence=evidence)
    )
    assert html.count("<h1>") == 1
    assert "<img" not in html
    assert html.count("<li>") == 7


@pytest.mark.parametrize("metric", get_args(Metric))
def test_every_metric_has_a_word_for_what_it_counts(metric: Metric) -> None:
    room = RuleAllowance(rule=metric, metric=metric, remaining=2, level="excessive", window="24h")
    one, several = UNITS[metric]
    said = load_template().filled(AlertFacts(reported(rule=metric, metric=metric).data, "then", "now", [room]))
    assert f"2 more {several} until excessive (24h)." in said
    assert one != several
