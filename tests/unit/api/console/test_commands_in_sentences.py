"""Commands between backquotes, as sentences have them that a terminal shows too, are code on a page."""

from types import SimpleNamespace

from api.console.templating import environment

HELD = "alert 1f is held, so the customer is told nothing; decide with `repmon holds confirm` or `repmon holds release`"


def test_reason_for_no_mail_shows_commands_as_code() -> None:
    words = environment().get_template("parts/words.html").module
    shown = str(words.coded(HELD))  # type: ignore[attr-defined]
    assert "<code>repmon holds confirm</code> or <code>repmon holds release</code>" in shown
    assert "`" not in shown


def test_what_is_seen_of_a_part_shows_settings_as_code_and_marks_as_text() -> None:
    seen = SimpleNamespace(
        code=1, words="Not well", seen_ms=0, is_old=False, fault="", to_do=(), pages={},
        lines=[SimpleNamespace(part="broker", state="unwell", text="no `security.protocol`, <b>")],
    )  # fmt: skip
    page = str(environment().get_template("parts/health.html").module.seen(seen, 0))  # type: ignore[attr-defined]
    assert "no <code>security.protocol</code>, &lt;b&gt;" in page
