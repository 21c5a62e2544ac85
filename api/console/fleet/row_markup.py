"""A row of the fleet as markup.

It is written here and not in a template, which takes five times as long: rows are drawn whenever they change, for all
who look. So each text from outside goes through `_text`, which a test holds for any text in any place.
"""

from collections.abc import Iterator

from markupsafe import Markup, escape

from api.console.fleet import marks
from api.console.fleet.rows import FleetRow, RuleFigures
from api.console.templating import customer_url
from api.console.wording import (
    age_ms,
    amount,
    iso,
    metric_text,
    number,
    ratio_as_percent,
    scope_text,
    standing_text,
    utc,
)
from api.explain.worst import WorstLine, WorstRate
from api.text.harmless import harmless
from schemas.scope import CUSTOMER

_HOLDS = "/console/incidents#holds"
#: Where the figures of the deciding rule would be.
_NO_FIGURES = '<td class="num"></td><td class="sure"></td><td class="num"></td><td class="num of"></td>'


def draw_row(row: FleetRow, row_id: str, now_ms: int) -> Markup:
    """The row, with its id, at a moment (epoch ms)."""
    return Markup("".join(_parts(row, row_id, now_ms)))  # noqa: S704 - texts are escaped where they are put in


def _text(text: str) -> str:
    """A text from outside: it steers nothing, and is no markup, nor the end of an attribute."""
    return str(escape(harmless(text)))


def _parts(row: FleetRow, row_id: str, now_ms: int) -> Iterator[str]:
    line = row.line
    yield f'<tr id="{row_id}" class="lv-{_text(line.standing)}">\n<td data-label="Customer" class="whose">'
    yield _whose(line)
    yield from _marks(line)
    yield (
        f'</td>\n<td data-label="Standing"><span class="standing s-{_text(line.standing)}">'
        f"{_text(standing_text(line.standing))}</span></td>\n"
        f'<td data-label="For" class="num"><time class="n" data-age datetime="{iso(line.since_ms)}" '
        f'title="{utc(line.since_ms)}">{age_ms(now_ms - line.since_ms)}</time></td>\n'
    )
    if line.rule:
        yield f'<td data-label="Rule" class="rule"><bdi>{_text(line.rule)}</bdi></td>\n'
    else:
        yield '<td class="rule"></td>\n'
    yield _figures(row.figures) if row.figures else _NO_FIGURES
    yield _trend(row)
    yield f'\n<td data-label="Mail" class="num">{number(line.volume)}</td>\n'
    for metric, rate in row.rates:
        yield _rate(metric_text(metric), rate)
    yield f'<td data-label="Score" class="num">{number(line.score)}</td>\n</tr>\n'


def _whose(line: WorstLine) -> str:
    part = _text(scope_text(line.scope)) if line.scope != CUSTOMER else ""
    if not line.customer:
        return f'<bdi class="name">{part}</bdi>'
    name = _text(line.customer)
    address = escape(customer_url(line.customer))
    link = f'<a class="customer" href="{address}"><bdi class="name" title="{name}">{name}</bdi></a>'
    return f'{link} <span class="part"><bdi>{part}</bdi></span>' if part else link


def _marks(line: WorstLine) -> Iterator[str]:
    if line.held_for == "incident":
        why = "An incident is suspected that struck this customer; nobody acts on it until somebody decides"
        yield f' <a class="mark incident" href="{_HOLDS}" title="{why}">incident</a>'
    elif line.held:
        why = "Held: too many rose at once; nobody acts on it until somebody decides"
        yield f' <a class="mark held" href="{_HOLDS}" title="{why}">held</a>'
    if line.acknowledged:
        yield ' <span class="mark" title="Somebody looks after it">seen</span>'
    if line.overridden:
        yield ' <span class="mark" title="An override of a rule is in force">override</span>'


def _figures(figures: RuleFigures) -> str:
    metric = figures.metric
    rate, threshold = amount(metric, figures.rate), amount(metric, figures.threshold)
    surely = f"surely from {amount(metric, figures.lower)} to {amount(metric, figures.upper)}"
    if figures.is_number:
        surely = f"counted {rate}"
    window, counted, of = _text(figures.window), number(figures.numerator), ""
    if not figures.is_number:
        of = number(figures.denominator)
        counted, of = f"{counted} of {of}", f"{of} "
    return (
        f'<td data-label="Found" class="num strong" title="{counted} in {window}">{rate}</td>\n'
        f'<td data-label="How sure" class="sure" title="{surely}; the threshold is {threshold}">{_interval(figures)}'
        f'<span class="sr">{surely}</span></td>\n'
        f'<td data-label="Threshold" class="num dim">{threshold}</td>\n'
        f'<td data-label="Of" class="num dim of">{of}<span class="window">{window}</span></td>\n'
    )


def _interval(figures: RuleFigures) -> str:
    drawn = marks.interval_mark(figures)
    if drawn is None:
        return ""
    return (
        '<svg class="interval" width="72" height="14" viewBox="0 0 72 14" aria-hidden="true">'
        f'<rect class="range" x="{drawn.lower}" y="5" width="{drawn.width}" height="4" rx="2"/>'
        f'<path class="limit" d="M{drawn.threshold} 1V13"/><circle cx="{drawn.rate}" cy="7" r="2.6"/></svg>'
    )


def _trend(row: FleetRow) -> str:
    lines, span = marks.trend_lines(row.trend, row.trend_of), marks.trend_text(row.trend)
    if not lines or span is None:
        return '<td class="trend"></td>'
    said = f"{row.trend_of} rate by hour, from {ratio_as_percent(span[0])} to {ratio_as_percent(span[1])}"
    drawn = "".join(f'<polyline points="{each}"/>' for each in lines)
    return (
        '<td data-label="Trend" class="trend"><svg class="spark" width="72" height="18" viewBox="0 0 72 18" role="img" '
        f'aria-label="{said}">{drawn}</svg></td>'
    )


def _rate(label: str, rate: WorstRate) -> str:
    dim = "" if rate.enough and not rate.unseen else " dim"
    title, said = "", ratio_as_percent(rate.ratio)
    if rate.unseen:
        seen, mail = map(number, rate.unseen)
        title, said = f"Of {mail} recipients only {seen} are with providers that report complaints", "not seen"
    elif rate.counts:
        numerator, denominator = map(number, rate.counts)
        title = f"{numerator} of {denominator}" + ("" if rate.enough else ", too few to be judged by")
        said = said if rate.counts[1] else number(None)
    title = f' title="{title}"' if title else ""
    return f'<td data-label="{label}" class="num{dim}"{title}>{said}</td>\n'
