"""How figures, times and scopes are written for people. Pure."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from schemas.policy_metric import BURNS, COUNTED, SPIKE
from schemas.scope import CLASS_PREFIX, SHARED, STREAM_PREFIX, SUB_ACCOUNT_PREFIX, shared_by
from schemas.times import DAY_S, HOUR_S, MINUTE_S, epoch_ms

if TYPE_CHECKING:
    from schemas.alert import AlertData, Held  # a policy is checked without

#: So much of an answer is shown.
SAMPLE_LENGTH = 300
#: The blank between a number and a unit.
_UNIT = re.compile(r"(?<=\d) (?=(?:%|(?:ms|s|min|h|d|[kKMG]?B)\b))")
#: What is said of something and goes on from its name.
_GOES_ON = re.compile(r"(?:is|are|was|has|lies|must|may|contains|holds|needs|cannot)\b")
#: What stands before the domain of an address.
ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"@]+@(?=[\w\[])")


def percent(ratio: float) -> str:
    """A ratio as percent with two decimals, or with two significant digits where that is finer: `0.43 %`."""
    value = ratio * 100
    if 0 < value < 0.1:
        return f"{Decimal(f'{value:.2g}'):f} %"
    return f"{value:.2f} %"


def amount(metric: str, value: float) -> str:
    """What a metric or its threshold amounts to: `0.43 %`, `3` listings, `14.4 times the allowed pace`, `score 6`."""
    if metric in COUNTED:
        return f"{value:g}"
    if metric in BURNS:
        return f"{value:,.1f}".removesuffix(".0") + " times the allowed pace"
    if metric == SPIKE:
        return "score " + f"{value:,.1f}".removesuffix(".0")
    return percent(value)


def together(text: str) -> str:
    """A text in which no line ends between a number and its unit: the blank is one that does not break (U+00A0). For
    pages: in a terminal or a file it would be found by nobody who looks for `10.00 %`."""
    return _UNIT.sub("\u00a0", text)


def said_of(name: str, said: str) -> str:
    """What is said of something, with its name before it, as a sentence where it is one: `why is empty`,
    `rule: there is no 'x'`."""
    return f"{name} {said}" if _GOES_ON.match(said) else f"{name}: {said}"


def age(seconds: float) -> str:
    """So long, in the largest unit that fits: `40 s`, `12 min`, `3.5 h`, `2.0 d`."""
    if seconds < MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    return f"{seconds / HOUR_S:.1f} h" if seconds < 2 * DAY_S else f"{seconds / DAY_S:.1f} d"


def rfc3339(epoch_ms: int) -> str:
    """Epoch milliseconds as RFC 3339, UTC, with milliseconds: `2026-01-31T12:00:00.000Z`."""
    at = datetime.fromtimestamp(epoch_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"


def rfc3339_ms(text: str) -> int:
    """The same back: RFC 3339 as epoch milliseconds.

    Raises:
        ValueError: it is no such time.
    """
    return epoch_ms(datetime.fromisoformat(text))


def scope_name(scope: str) -> str:
    """What of a customer's mail is meant: `All mail`, `Stream news`, `Bulk mail`."""
    if scope.startswith(STREAM_PREFIX):
        return f"Stream {scope.removeprefix(STREAM_PREFIX)}"
    if scope.startswith(CLASS_PREFIX):
        return f"{scope.removeprefix(CLASS_PREFIX).capitalize()} mail"
    if scope.startswith(SUB_ACCOUNT_PREFIX):
        return f"Sub-account {scope.removeprefix(SUB_ACCOUNT_PREFIX)}"
    return "All mail"


def shared_name(scope: str) -> str:
    """What small customers share: `pool shared-1`, `From domain shop.example`; empty where the scope is one
    customer's."""
    shared = shared_by(scope)
    return "" if shared is None else f"{SHARED[shared[0]]} {shared[1]}"


def decided_by(data: "AlertData") -> str:
    """Who decided what the alert's last transition tells, and why; empty where nobody did. Not for the customer."""
    if data.kind == "acknowledged" and data.acknowledged is not None:
        return f"by {data.acknowledged.by}" + (f": {data.acknowledged.why}" if data.acknowledged.why else "")
    if data.kind == "overridden" and data.override is not None:
        return f"by {data.override.by} until {rfc3339(data.override.until_ms)}: {data.override.why}"
    if data.decided is not None:
        verb = "released " if data.kind == "resolved" else ""
        return f"{verb}by {data.decided.by}" + (f": {data.decided.why}" if data.decided.why else "")
    return ""


def held_by(data: "AlertData") -> str:
    """`hold 3f9c, because 23 customers rose at once`; empty where the alert is not held. Not for the customer."""
    if data.held is None:
        return ""
    return f"hold {data.held.id}, because {held_because(data.held)}"


def held_because(held: "Held") -> str:
    """Why an alert is held, and of an incident where it is told: what it may be is asked there (a provider, a pool, all
    mail, a blocklist, a batch of complaints). Not for the customer."""
    if held.reason == "brake":
        return f"{held.customers:,} customers rose at once"
    return f"it may be owed to an incident, not to the customer (repmon incidents show {held.id})"


def on_one_line(text: str) -> str:
    """Text from outside as one line that cannot steer a terminal: each character that does not print is a blank."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def masked(diagnostic: str) -> str:
    """An answer of a receiving host in one line, shortened, and without the names of the addresses in it."""
    line = " ".join(on_one_line(diagnostic).split())
    return ADDRESS.sub("*@", line)[:SAMPLE_LENGTH]
