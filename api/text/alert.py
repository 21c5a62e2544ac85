"""An alert as a short text in Markdown that can be sent to the customer it is about. It reads the template's
file, and nothing else.

The template is a file: text with placeholders in braces, `{{` and `}}` for braces themselves. A line with a placeholder
that has nothing to say is left out, and so is a paragraph in which none has. What comes from outside (names, answers of
hosts, message ids) is escaped, so that it stays text.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from html import escape
from pathlib import Path
from typing import NamedTuple

import schemas
from api.text.explanation import UNITS
from schemas.alert import AlertData, Cause, Share
from schemas.policy_metric import BURNS, COUNTED, RATES, REPORTED_SPAM, SPIKE
from schemas.settings import SettingsError
from schemas.wording import amount, percent, scope_name
from streams.alerts.describe import HELD_BECAUSE, not_counted, reported_on
from streams.judge.allowance import RuleAllowance

BUILT_IN = Path(schemas.__file__).parent / "alert_text.md"
#: Placeholders of one value, and of lists, which stand alone on their line and become list items.
VALUES = (
    *(
        "customer",
        "scope",
        "rule",
        "state",
        "level",
        "previous_level",
        "cause",
        "window",
        "within",
        "counted",
        "rate",
        "lower",
    ),
    *("upper", "confidence", "threshold", "began", "usual", "left", "held", "alert_id", "opened", "changed", "policy"),
)
LISTS = ("left_out", "providers", "ips", "from_domains", "campaigns", "bounces", "listings", "messages")
CAUSES: dict[Cause, str] = {
    "events": "new events",
    "late_events": "events that came late",
    "time": "the passing of time",
    "policy": "another policy",
    "override": "a decision of the operator",
    "operator": "a decision of the operator",
    "incident": "an incident that hit many senders",
    "fresh-start": "a fresh start",
    "brake": "many customers that rose at once",
}
_PARTS = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
#: What begins something in Markdown, wherever it stands.
_MARKS = re.compile(r"([\\`*_{}\[\]()#!|~@$^=])")
#: What begins a list at the beginning of a line, and where some renderers see that a bare address is a link.
_FIRST = re.compile(r"^(\d+(?=[.)])|(?=[-+]))")
_LINKS = re.compile(r"(?i)(?<=\bwww)(?=\.)|(?=://)")


class AlertFacts(NamedTuple):
    """What a text is made of: the alert's last transition, when (RFC 3339) it was opened and last changed, and what is
    left until the next level."""

    data: AlertData
    opened: str
    changed: str
    left: Sequence[RuleAllowance]


class Template:
    """A checked template.

    Raises:
        SettingsError: a placeholder that does not exist, or a brace too many; naming source and line.
    """

    def __init__(self, text: str, source: str) -> None:
        self._paragraphs = [part.splitlines() for part in re.split(r"\n[ \t]*\n", text.strip())]
        for number, line in enumerate(text.splitlines(), start=1):
            for part in _PARTS.findall(line):
                _check(part, line, f"{source}:{number}")

    def filled(self, facts: AlertFacts) -> str:
        """The text about one alert."""
        values, lists = _values(facts), _lists(facts.data)
        paragraphs = [_paragraph(lines, values, lists) for lines in self._paragraphs]
        return "\n\n".join("\n".join(lines) for lines in paragraphs if lines) + "\n"


def load_template(path: str = "") -> Template:
    """The template of a file; without `path` the built-in one.

    Raises:
        SettingsError: it cannot be read or used; naming file and line.
    """
    file = Path(path) if path else BUILT_IN
    try:
        return Template(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise SettingsError(f"alerts.text_file: {file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"alerts.text_file: {file}: not UTF-8: {error}") from error


def escaped(text: str) -> str:
    """Text from outside as one line that stays text, in Markdown and in HTML."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    marked = _MARKS.sub(r"\\\1", escape(line, quote=False).replace('"', "&quot;"))
    return _FIRST.sub(r"\1\\", _LINKS.sub(r"\\", marked))


def _check(part: str, line: str, where: str) -> None:
    if part in ("{{", "}}"):
        return
    name = part[1:-1]
    if part in ("{", "}"):
        raise SettingsError(f"{where}: a single brace; write {part * 2} for a brace")
    if name in LISTS and line.strip() != part:
        raise SettingsError(f"{where}: {part} is a list and stands alone on its line")
    if name not in VALUES and name not in LISTS:
        near = get_close_matches(name, (*VALUES, *LISTS), n=1)
        raise SettingsError(
            f"{where}: there is no placeholder {part}" + (f"; did you mean {{{near[0]}}}?" if near else "")
        )


def _paragraph(lines: Sequence[str], values: Mapping[str, str], lists: Mapping[str, Sequence[str]]) -> list[str]:
    """A paragraph filled in; nothing where it has placeholders and none says anything."""
    found: list[str] = []
    asked = said = False
    for line in lines:
        names = [part[1:-1] for part in _PARTS.findall(line) if part not in ("{{", "}}")]
        if names and names[0] in lists:
            items = lists[names[0]]
            found += [f"- {item}" for item in items]
            asked, said = True, said or bool(items)
        elif not names:
            found.append(_PARTS.sub(lambda part: part[0][0], line))
        else:
            asked = True
            if all(values[name] for name in names):
                said = True
                found.append(_PARTS.sub(lambda part: _filled(part[0], values), line))
    return found if said or not asked else []


def _filled(part: str, values: Mapping[str, str]) -> str:
    return part[0] if part in ("{{", "}}") else values[part[1:-1]]


def _values(facts: AlertFacts) -> dict[str, str]:
    data = facts.data
    rates = data.metric in RATES or data.metric in BURNS
    reported = data.metric == REPORTED_SPAM
    units = next((unit for metric, unit in UNITS.items() if metric == data.metric), (data.metric, data.metric))
    number = f"{data.numerator:,} {escaped(units[data.numerator != 1])}"
    usual = data.evidence.baseline
    state = data.kind if data.kind in ("resolved", "overridden") else data.level
    return {
        "customer": escaped(data.customer),
        "scope": escaped(scope_name(data.scope)),
        "rule": escaped(data.rule.replace("_", " ")),
        "state": state,
        # The threshold of what is good is that of the mildest level, whose name the alert no longer says.
        "level": "" if data.level == "good" else data.level,
        "previous_level": data.previous_level,
        "cause": CAUSES[data.cause] if data.cause else "",
        "window": escaped(data.window),
        "within": f"{'within' if reported or data.metric in COUNTED else 'of mail sent in the last'} "
        f"{escaped(data.window)}",
        "counted": f"spam rate reported by Gmail {escaped(reported_on(data.evidence, data.metric))}".strip()
        if reported
        else f"{number} of {data.denominator:,}"
        if rates
        else number + _usually(data),
        "rate": amount(data.metric, data.rate) if rates else "",
        "lower": amount(data.metric, data.lower) if rates and not reported else "",
        "upper": amount(data.metric, data.upper) if rates and not reported else "",
        "confidence": f"{data.confidence * 100:g} %" if rates and not reported else "",
        "threshold": amount(data.metric, data.threshold),
        "began": data.evidence.began or "",
        "usual": ""
        if usual is None or usual.denominator <= 0
        else f"{usual.numerator:,} of {usual.denominator:,}, "
        f"{percent(min(usual.numerator, usual.denominator) / usual.denominator)}",
        "left": _left(facts),
        "held": HELD_BECAUSE[data.held.reason] if data.held else "",
        "alert_id": escaped(data.alert_id),
        "opened": escaped(facts.opened),
        "changed": escaped(facts.changed),
        "policy": escaped(data.policy_version),
    }


def _usually(data: AlertData) -> str:
    return f" where {data.denominator:,} are usual at this time of day" if data.metric == SPIKE else ""


def _left(facts: AlertFacts) -> str:
    """`17 more complaints until excessive (24h)`, of the alert's own rule."""
    own = next((each for each in facts.left if each.rule == facts.data.rule), None)
    return (
        ""
        if own is None
        else f"{own.remaining:,} more {UNITS[own.metric][own.remaining != 1]} until {own.level} ({own.window})"
    )


def _lists(data: AlertData) -> dict[str, list[str]]:
    evidence = data.evidence
    return {
        "left_out": [escaped(not_counted(each)) for each in evidence.left_out],
        "providers": _shares(evidence.providers),
        "ips": _shares(evidence.ips),
        "from_domains": _shares(evidence.from_domains),
        "campaigns": _shares(evidence.campaigns),
        "bounces": _shares(evidence.bounce_classes),
        "listings": [escaped(each) for each in evidence.listings],
        "messages": [escaped(each) for each in evidence.sample_message_ids],
    }


def _shares(shares: Iterable[Share]) -> list[str]:
    return [
        f"{escaped(each.name)}: {each.count:,}"
        + (f" of {each.volume:,}" if each.volume else "")
        + (f", such as: {escaped(each.sample)}" if each.sample else "")
        for each in shares
    ]
