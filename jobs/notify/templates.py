"""What people read of an event: subject and text, by templates with `$names`. Pure but for a file read once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from string import Template

from jobs.notify.events import Event
from schemas.alert import AlertData
from schemas.notify import NotifyError
from schemas.wording import amount, decided_by, held_by, on_one_line, rfc3339, scope_name, shared_name
from schemas.written_file import read_written

#: Built in, for mail and chat.
TEXT = """$explanation

Customer:  $customer
What:      $metric (rule $rule), $scope
Level:     $level (before: $previous_level)
Rate:      $rate in $window, threshold $threshold
Counted:   $numerator of $denominator
Time:      $time
Remarks:   $remarks
Alert:     $alert_id
"""
OTHER_TEXT = """$explanation

Time:      $time

$data
"""
ALERT_ONLY = ("alert_id", "scope", "rule", "metric", "level", "previous_level", "rate", "window", "threshold")
NAMES = (
    "kind",
    "subject",
    "customer",
    "time",
    "id",
    "explanation",
    "data",
    "remarks",
    "numerator",
    "denominator",
    *ALERT_ONLY,
)
#: Characters of a subject and of a text.
LONGEST_SUBJECT, LONGEST_TEXT = 200, 20_000
#: Later is no time.
YEAR_5000_MS = 95_617_584_000_000
UNKNOWN = re.compile(r"'(.*)'")


class Words:
    """The templates of one route.

    Raises:
        NotifyError: the file cannot be read, or a template has a name that there is none of, or a `$` by itself.
    """

    def __init__(self, subject: str, text_file: str = "") -> None:
        self._subject = _checked(subject, "target.subject")
        self._text = _checked(_read(text_file), f"target.text_file: {text_file}") if text_file else None

    def subject(self, events: Sequence[Event]) -> str:
        """One line."""
        first = values(events[0])
        # An incident or a hold has neither customer nor level.
        line = self._subject.substitute(first) if events[0].alert else f"{first['kind']}: {first['subject']}"
        if len(events) > 1:
            line = f"{len(events)} events: {line}, ..."
        return on_one_line(line)[:LONGEST_SUBJECT]

    def text(self, events: Sequence[Event]) -> str:
        """The text: of several events one below the other."""
        return ("\n" + "-" * 72 + "\n\n").join(self._text_of(each) for each in events)[:LONGEST_TEXT]

    def _text_of(self, event: Event) -> str:
        template = self._text or Template(TEXT if event.alert else OTHER_TEXT)
        return template.substitute(values(event))


def values(event: Event) -> Mapping[str, str]:
    """What the names stand for; empty where the event has no such thing. None has a control character."""
    found = dict.fromkeys(NAMES, "")
    found |= {
        "kind": event.kind,
        "subject": event.subject,
        "customer": event.customer or event.subject,
        "time": rfc3339(event.time_ms),
        "id": event.id,
        "explanation": f"{event.kind}: {event.subject}",
    }
    if event.alert is not None:
        found |= _of_alert(event.alert)
    else:
        found["data"] = "\n".join(_data_lines(event.plain().get("data")))
    return {name: text if name == "data" else on_one_line(text) for name, text in found.items()}


def _data_lines(data: object) -> Iterator[str]:
    """The plain fields of an event's data, each in a line; what is empty is left out."""
    for name, value in data.items() if isinstance(data, dict) else ():
        if isinstance(value, str | int | float) and value not in ("", 0):
            text = (
                rfc3339(int(value))
                if name.endswith("_ms") and isinstance(value, int) and 0 < value < YEAR_5000_MS
                else str(value)
            )
            yield on_one_line(f"{name.removesuffix('_ms')}: {text}")


def _of_alert(data: AlertData) -> dict[str, str]:
    return {
        "explanation": data.explanation,
        "remarks": "; ".join(each for each in (held_by(data), decided_by(data)) if each) or "none",
        "numerator": f"{data.numerator:,}",
        "denominator": f"{data.denominator:,}",
        "alert_id": data.alert_id,
        "scope": shared_name(data.scope) or scope_name(data.scope),
        "rule": data.rule,
        "metric": data.metric,
        "level": data.level if data.kind != "resolved" else "resolved",
        "previous_level": data.previous_level,
        "rate": amount(data.metric, data.rate),
        "window": data.window,
        "threshold": amount(data.metric, data.threshold),
    }


def _checked(text: str, where: str) -> Template:
    template = Template(text)
    try:
        template.substitute(dict.fromkeys(NAMES, ""))
    except KeyError as error:
        name = error.args[0]
        line = text[: text.find(f"{name}")].count("\n") + 1
        raise NotifyError(f"{where}: line {line}: there is no name `${name}`; there are {', '.join(NAMES)}") from error
    except ValueError as error:  # "Invalid placeholder in string: line 1, col 5"
        place = str(error).partition(": ")[2]
        raise NotifyError(f"{where}: {place}: a `$` without a name; `$$` is one by itself") from error
    return template


def _read(path: str) -> str:
    try:
        return read_written(path)
    except OSError as error:
        raise NotifyError(f"target.text_file: {path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NotifyError(f"target.text_file: {path}: not UTF-8") from error
