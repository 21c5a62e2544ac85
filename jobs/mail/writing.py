"""How a language writes numbers, shares, times and names. Pure.

What comes from outside is made harmless here: a mail client may follow what looks like an address, and a name may hold
what turns the direction of what stands after it.
"""

import re
import unicodedata
from datetime import date as date_type
from decimal import Decimal

from jobs.mail.phrases import WrittenForm, fill
from schemas.times import UNIT_MS, utc_time
from schemas.wording import on_one_line

#: In how many a share is said, the smallest that is exact enough.
BASES = (100, 1_000, 10_000, 100_000, 1_000_000)
ROUNDED = 0.12
#: A longer name is cut.
LONGEST_NAME = 256
#: Isolates a name that is written from right to left from what stands around it (Unicode Standard Annex 9, 2.4.2).
ISOLATE, END = "\u2068", "\u2069"
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
#: What is not shown and changes how the rest is: marks of direction, and what has no width.
_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_SCHEME = re.compile(r"://")
_WWW = re.compile(r"(?i)\b(www)\.")
_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d_])")


def clean(text: str, longest: int = LONGEST_NAME) -> str:
    """Text from outside as one line that is text and nothing else, at most so long; no client makes a link of it."""
    seen = on_one_line(_UNSEEN.sub("", text))
    line = " ".join(seen.split())
    line = _WWW.sub(r"\1[.]", _SCHEME.sub("[://]", line))
    if len(line) > longest:
        line = line[: longest - 1].rstrip() + "…"
    if any(unicodedata.bidirectional(each) in _RIGHT_TO_LEFT for each in line):
        return f"{ISOLATE}{line}{END}"
    return line


def clean_answer(text: str) -> str:
    """An answer of a host that nobody vouches for: besides, no name in it looks like one that can be visited."""
    return clean(_DOT.sub("[.]", text), 200)


def number(form: WrittenForm, value: float) -> str:
    """`1,234`, or with one digit behind the point where that is not 0."""
    said = f"{value:,.1f}".removesuffix(".0")
    return said.translate({ord(","): form.thousands, ord("."): form.decimal})


def percent(form: WrittenForm, ratio: float) -> str:
    """`4.25%`, `0.012%`."""
    value = ratio * 100
    said = f"{value:,.2f}" if value == 0 or value >= 0.1 else f"{Decimal(f'{value:.2g}'):f}"
    said = said.rstrip("0").rstrip(".")
    return fill(form.percent, number=said.translate({ord(","): form.thousands, ord("."): form.decimal}))


def date(form: WrittenForm, epoch_ms: float) -> str:
    """`12 March 2026, 09:00 UTC`."""
    at = utc_time(epoch_ms)
    return fill(form.date, day=str(at.day), month=form.months[at.month - 1], year=str(at.year), time=f"{at:%H:%M}")


def day(form: WrittenForm, text: str) -> str:
    """`12 March 2026` of `2026-03-12`; what is no such day stays."""
    try:
        at = date_type.fromisoformat(text)
    except ValueError:
        return clean(text)
    return fill(form.day, day=str(at.day), month=form.months[at.month - 1], year=str(at.year))


def period(form: WrittenForm, window: str) -> str:
    """`in the last 24 hours` of a window such as `24h`."""
    count = int(window[:-1])
    phrase = {"m": form.minutes, "h": form.hours, "d": form.days}[window[-1]]
    return fill(phrase.of(count), n=number(form, count))


def window_ms(window: str) -> int:
    """The length of a window in ms."""
    return int(window[:-1]) * UNIT_MS[window[-1]]


def share(form: WrittenForm, ratio: float, *others: float) -> str:
    """`3 of 1,000 (0.3%)`; in as many as `others` are said exactly enough in too, and told apart."""
    base = _base(ratio, others)
    count = ratio * base
    phrase = form.share.exact if abs(count - round(count)) < 1e-6 else form.share.about
    said = fill(phrase, n=number(form, round(count)), base=number(form, base))
    return f"{said} ({percent(form, ratio)})"


def _base(ratio: float, others: tuple[float, ...]) -> int:
    every = [each for each in (ratio, *others) if each > 0]
    for base in BASES:
        counts = [round(each * base) for each in every]
        exact = all(abs(count / base - each) <= ROUNDED * each for count, each in zip(counts, every, strict=True))
        if exact and len(set(counts)) == len(set(every)):
            return base
    return BASES[-1]
