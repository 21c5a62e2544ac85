"""The small table of a mail: what was counted, of how much, and where the limit is. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from jobs.mail.facts import ENDS, MailFacts
from jobs.mail.phrases import Language, MetricPhrases, fill
from jobs.mail.writing import date, number, percent, period, share, window_ms
from schemas.alert import AlertData
from schemas.policy_metric import BURNS, COUNTED, LISTED_METRICS, RATES, REPORTED_SPAM, SPIKE
from schemas.times import HOUR_MS
from schemas.wording import rfc3339_ms

#: Of windows up to this length it is known to the minute when it began (streams/alerts/evidence.py).
BY_MINUTE_MS = 6 * HOUR_MS


class FigureRow(NamedTuple):
    """One row: what it is, and how much."""

    name: str
    value: str


def rows(facts: MailFacts, alert: AlertData, language: Language, about: MetricPhrases) -> Iterator[FigureRow]:
    """The rows about an alert. Limits are left out of what is over: there they are those of another level."""
    form, words = language.form, language.rows
    limits = facts.kind not in ENDS
    moment = date(form, facts.time_ms)
    yield FigureRow(words.period, fill(words.period_value, period=period(form, alert.window), date=moment))
    if about.all:
        yield FigureRow(about.all, number(form, alert.denominator))
    if about.bad:
        yield FigureRow(about.bad, number(form, alert.numerator))
    yield from _measured(alert, language, limits=limits)
    yield from _usual(alert, language)
    if limits and (began := _epoch_ms(alert.evidence.began)) is not None:
        by_minute = window_ms(alert.window) <= BY_MINUTE_MS or alert.metric in LISTED_METRICS
        said = date(form, began) if by_minute else fill(words.began_value, date=date(form, began))
        yield FigureRow(words.began, said)
    if left_out := sum(each.count for each in alert.evidence.left_out if each.reason == "incident"):
        yield FigureRow(words.left_out, fill(words.left_out_value, n=number(form, left_out)))
    if limits and facts.left is not None and facts.left.remaining > 0 and facts.kind != "suspended":
        remaining = facts.left.remaining
        yield FigureRow(words.left, fill(about.unit.of(remaining), n=number(form, remaining)))


def _measured(alert: AlertData, language: Language, *, limits: bool) -> Iterator[FigureRow]:
    """The rate and its limit, in the same measure."""
    form, words = language.form, language.rows
    if alert.metric in BURNS:
        yield FigureRow(words.pace, fill(words.pace_value, n=number(form, alert.rate)))
        if limits:
            yield FigureRow(words.pace_limit, fill(words.pace_value, n=number(form, alert.threshold)))
    elif alert.metric in RATES and (alert.denominator > 0 or alert.metric == REPORTED_SPAM):
        rate = min(alert.rate, 1.0)
        if limits:
            yield FigureRow(words.share, share(form, rate, alert.threshold))
            yield FigureRow(words.limit, share(form, alert.threshold, rate))
        else:
            yield FigureRow(words.share, share(form, rate) if rate else percent(form, 0))
    elif alert.metric in COUNTED and limits:
        yield FigureRow(words.limit, number(form, alert.threshold))


def _usual(alert: AlertData, language: Language) -> Iterator[FigureRow]:
    form, words = language.form, language.rows
    before = alert.evidence.baseline
    if alert.metric == SPIKE and alert.denominator > 0:
        yield FigureRow(words.usual, fill(words.usual_volume, n=number(form, alert.denominator)))
    elif before is not None and before.denominator > 0:
        ratio = min(before.numerator, before.denominator) / before.denominator
        said = share(form, ratio) if ratio else percent(form, 0)
        yield FigureRow(words.usual, fill(words.usual_value, share=said))


def _epoch_ms(text: str | None) -> int | None:
    """A time in RFC 3339; None where there is none, or it is none."""
    try:
        return rfc3339_ms(text) if text else None
    except ValueError:
        return None
