"""The worst customers as a table that fits the terminal, and as plain lines for a pipe. Text in, text out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rich.cells import cell_len
from rich.console import Group
from rich.text import Text

from api.explain.worst import WorstLine, WorstRate
from api.text.columns import GAP, Column, Placed, cell, fitted, line, padded, shortened
from api.text.harmless import harmless
from schemas.scope import CUSTOMER, STREAM_PREFIX
from schemas.wording import age, percent, shared_name

STYLES = {
    "suspended": "magenta",
    "reinstated": "green",
    "critical": "bold red",
    "excessive": "red",
    "warning": "yellow",
    "watch": "cyan",
    "good": "green",
    "insufficient_volume": "dim",
    "inactive": "dim",
}
#: What a standing is called here, where that is shorter.
NAMES = {"insufficient_volume": "too few"}
OVERRIDDEN, HELD = " *", " ?"
UNSEEN = "not seen"
LEGEND = "24 h; n of m: too few; not seen: no feedback loop; +: more; *: override; ?: held"
#: There is more, most likely of mail sent before.
OUTSIDE = " +"
#: Lines of a table besides those of its customers: title, headings, legend.
AROUND = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """A column, what is in it of a customer at a moment (epoch ms) on so many cells, and in which style."""

    column: Column
    text: Callable[[WorstLine, int, int], str]
    style: Callable[[WorstLine], str] = lambda _: ""


def table(lines: Sequence[WorstLine], title: str, now_ms: int, width: int) -> Group:
    """The table on a terminal so many cells wide, at a moment (epoch ms). No line of it is wider."""
    columns = placed(width)
    rows = [Text(" " * GAP).join(cells(customer, now_ms, columns)) for customer in lines]
    for row in rows:
        row.rstrip()
    return Group(
        Text(shortened(_in_cell(title), width)),
        Text(line([each.column.heading for each in columns], columns), "bold"),
        *rows,
        Text(shortened(LEGEND, width), "dim"),
    )


def placed(width: int) -> list[Placed]:
    """The columns that a table so many cells wide shows."""
    return fitted([each.column for each in COLUMNS], width)


def cells(customer: WorstLine, now_ms: int, columns: Sequence[Placed]) -> list[Text]:
    """What stands in these columns of a customer at a moment (epoch ms), each padded to its width."""
    shown = {each.column: each for each in COLUMNS}
    found = ((each, shown[each.column]) for each in columns)
    return [Text(cell(what.text(customer, now_ms, at.width), at), what.style(customer)) for at, what in found]


def plain(customer: WorstLine, now_ms: int) -> str:
    """One line of text for a pipe, with names in full, at a moment (epoch ms)."""
    rates = {
        "complaints": customer.complaint,
        "failures": customer.failure,
        "blocks": customer.block,
        "exposure": customer.exposure,
    }
    score = "-" if customer.score is None else customer.score
    return "  ".join(
        [
            f"{_standing(customer):<11}",
            padded(_in_cell(_whose(customer)), 28),
            padded(_in_cell(_part(customer) or "all"), 16),
            f"{customer.volume:>9,}",
            *(f"{name} {_in_full(rate):>8}" for name, rate in rates.items()),
            f"score {score:>3}",
            f"for {_age(customer, now_ms):>7}",
            *([f"rule {_in_cell(customer.rule)}"] if customer.rule else []),
        ]
    )


def _in_cell(text: str) -> str:
    """Without tabs, whose width depends on where they stand."""
    return harmless(text).replace("\t", "\\t")


def _whose(customer: WorstLine) -> str:
    return customer.customer or shared_name(customer.scope)


def _part(customer: WorstLine) -> str:
    """Which of the customer's mail; empty where it is all of it, or of no single customer."""
    if customer.scope == CUSTOMER or not customer.customer:
        return ""
    return customer.scope.removeprefix(STREAM_PREFIX)


def _name(customer: WorstLine, _: int, width: int) -> str:
    """The customer, and in brackets the stream; each keeps its beginning and its end."""
    whose, part = _in_cell(_whose(customer)), _in_cell(_part(customer))
    if not part:
        return whose
    room = width - len(" []")
    part = shortened(part, max(room - cell_len(whose), room // 2))
    return f"{shortened(whose, room - cell_len(part))} [{part}]"


def _standing(customer: WorstLine) -> str:
    mark = HELD if customer.held else OVERRIDDEN if customer.overridden else ""
    return NAMES.get(customer.standing, customer.standing) + mark


def _age(customer: WorstLine, now_ms: int) -> str:
    return age(max(0, now_ms - customer.since_ms) / 1000)


def _rate(which: Callable[[WorstLine], WorstRate], customer: WorstLine, _: int, width: int) -> str:
    """The rate; where it is of too few, how many of how many; nothing where hardly any of the mail could be seen."""
    rate = which(customer)
    if rate.unseen:
        return UNSEEN
    more = OUTSIDE if rate.outside else ""
    if rate.enough or rate.counts is None:
        return percent(rate.ratio) + more
    numerator, denominator = rate.counts
    said = f"{numerator:,} of {denominator:,}" if denominator else "-"
    return said + more if len(said + more) <= width else f"{numerator}/{denominator}{more}"


def _in_full(rate: WorstRate) -> str:
    if rate.unseen:
        return "not observable ({:,} of {:,})".format(*rate.unseen)
    more = f" ({rate.outside:,} more most likely of mail sent before)" if rate.outside else ""
    if rate.enough or rate.counts is None:
        return percent(rate.ratio) + more
    numerator, denominator = rate.counts
    return (f"{percent(rate.ratio)} ({numerator:,} of {denominator:,}, too few)" if denominator else "-") + more


def _of_rate(heading: str, importance: int, which: Callable[[WorstLine], WorstRate]) -> Shown:
    column = Column(heading, 10, 13, importance, right=True)
    return Shown(
        column, partial(_rate, which), lambda each: "dim" if which(each).unseen or not which(each).enough else ""
    )


COLUMNS = (
    Shown(Column("customer", 20, 64, 10), _name),
    Shown(
        Column("standing", 11, 11, 9), lambda each, _, __: _standing(each), lambda each: STYLES.get(each.standing, "")
    ),
    Shown(Column("for", 7, 7, 5, right=True), lambda each, now_ms, _: _age(each, now_ms)),
    Shown(Column("rule", 12, 24, 6), lambda each, _, __: _in_cell(each.rule)),
    Shown(Column("mail", 10, 14, 4, right=True), lambda each, _, __: f"{each.volume:,}"),
    _of_rate("complaints", 8, lambda each: each.complaint),
    _of_rate("failures", 7, lambda each: each.failure),
    _of_rate("blocks", 3, lambda each: each.block),
    _of_rate("exposure", 2, lambda each: each.exposure),
    Shown(Column("score", 5, 5, 1, right=True), lambda each, _, __: "" if each.score is None else str(each.score)),
)
