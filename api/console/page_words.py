"""What a page says and how it writes numbers and times, in a language: of pictures for everybody, of a customer's own
page all of it. The phrases are those of the files of mail (docs/mail.md)."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Literal, get_args

from markupsafe import Markup, escape

from jobs.mail.languages import fitting, load_languages
from jobs.mail.page_phrases import PagePhrases
from jobs.mail.phrases import Language, fill
from jobs.mail.writing import clean, date, number, percent
from schemas import wording
from schemas.policy_metric import Metric
from schemas.scope import CLASS_PREFIX, STREAM_PREFIX, SUB_ACCOUNT_PREFIX
from schemas.times import SECOND_MS, utc_time
from streams.judge.allowance import Allowance

#: Where there is no number.
NONE = "-"
Rate = Literal["complaint", "failure", "block", "exposure"]
RATES: tuple[Rate, ...] = get_args(Rate)


class PageWords:
    """The words of a language; `tag` is its name as BCP 47 writes it, `page` its phrases."""

    def __init__(self, tag: str, language: Language, page: PagePhrases) -> None:
        self.tag = tag
        self.page = page
        self._language = language

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return self._language.form.direction

    def number(self, value: float | None) -> str:
        """`12,345`; a dash where there is none."""
        return NONE if value is None else number(self._language.form, value)

    def percent(self, ratio: float | None) -> str:
        """`0.43%`; a dash where there is none."""
        return NONE if ratio is None else percent(self._language.form, ratio)

    def share(self, numerator: int, denominator: int) -> str:
        """`3 of 1,000`."""
        exact = self._language.form.share.exact
        return fill(exact, n=self.number(numerator), base=self.number(denominator))

    def date(self, epoch_ms: float) -> str:
        """`12 March 2026, 09:00 UTC`."""
        return date(self._language.form, epoch_ms)

    def standing(self, which: str) -> str:
        """What a standing or a level is called."""
        return str(getattr(self.page.standings, which, which))

    def well(self, standing: str) -> str:
        """What is said where nothing is to be done; empty where something is."""
        return str(getattr(self.page.well, standing, ""))

    def name(self, rate: Rate) -> str:
        """What a rate is called."""
        return str(getattr(self.page.names, rate))

    def level(self, level: str, ratio: float) -> str:
        """`warning 0.1%`."""
        return fill(self.page.level, level=self.standing(level), rate=self.tick(ratio))

    def tick(self, ratio: float) -> str:
        """A value of an axis: `0.5%`."""
        return self.percent(float(f"{ratio:.4g}"))

    def caption(self, rate: Rate, window: str, sure: float) -> str:
        """What a picture shows; `sure` is how sure the band is (a ratio)."""
        defined = str(getattr(self.page.defined, rate))
        return fill(self.page.charts.caption, defined=defined, window=window, sure=self.percent(sure))

    def between(self, lower: float | None, upper: float | None) -> str:
        """`0.2% and 0.5%`; empty where nothing is known."""
        if lower is None or upper is None:
            return ""
        return fill(self.page.charts.between_value, lower=self.percent(lower), upper=self.percent(upper))

    def left(self, metric: Metric, room: Allowance) -> str:
        """`17 more complaints until excessive (24h)`."""
        unit = self._language.metrics[metric].unit.of(room.remaining)
        more = fill(unit, n=self.number(room.remaining))
        return fill(self.page.left_line, more=more, level=self.standing(room.level), window=room.window)

    def part(self, scope: str) -> str:
        """Which part of a customer's mail it is."""
        parts = self.page.parts
        for prefix, phrase in ((STREAM_PREFIX, parts.stream), (SUB_ACCOUNT_PREFIX, parts.sub_account)):
            if scope.startswith(prefix):
                return fill(phrase, name=clean(scope.removeprefix(prefix)))
        kinds = {f"{CLASS_PREFIX}bulk": parts.bulk, f"{CLASS_PREFIX}transactional": parts.transactional}
        return kinds.get(scope, wording.shared_name(scope) or wording.scope_name(scope))

    def weight(self, which: str) -> str:
        """What a listing means, in a word."""
        return str(getattr(self.page.listings, which))

    def exposed(self, count: int) -> str:
        """How many messages went through a listed address."""
        return fill(self.page.listings.exposed.of(count), n=self.number(count))

    def marked(self, phrase: str, **parts: str) -> Markup:
        """A phrase with parts that are markup; what is none is escaped."""
        return Markup(fill(str(escape(phrase)), **{name: str(escape(part)) for name, part in parts.items()}))  # noqa: S704

    def said(
        self,
        title: str,
        window: str,
        last: tuple[float, int, int],
        between: tuple[float | None, float | None],
        worst: tuple[float, int],
        levels: Mapping[str, float],
    ) -> str:
        """A picture, for who cannot see it. `last` is the last rate (a ratio) with numerator and denominator, `worst`
        the highest and when (epoch s)."""
        charts, (lower, upper) = self.page.charts, between
        surely = ""
        if lower is not None and upper is not None:
            surely = fill(charts.said_between, lower=self.percent(lower), upper=self.percent(upper))
        said = fill(
            charts.said,
            name=title,
            window=window,
            rate=self.percent(last[0]),
            share=self.share(last[1], last[2]),
            between=surely,
            most=self.percent(worst[0]),
            date=self.date(worst[1] * SECOND_MS),
        )
        marks = ", ".join(self.level(level, ratio) for level, ratio in levels.items())
        return f"{said} {fill(charts.said_levels, levels=marks)}" if marks else said


class OperatorWords(PageWords):
    """English, with numbers and times as operators have them everywhere."""

    def percent(self, ratio: float | None) -> str:
        """`0.43 %`; a threshold has few digits: `0.3 %`."""
        return NONE if ratio is None else wording.percent(ratio)

    def level(self, level: str, ratio: float) -> str:
        """`warning 0.1 %`."""
        return f"{level} {self.tick(ratio)}"

    def tick(self, ratio: float) -> str:
        """`0.3 %`: a ratio that somebody chose has few digits."""
        return f"{ratio * 100:.4g} %"

    def caption(self, rate: Rate, window: str, sure: float) -> str:
        """As of a customer's page."""
        return f"{getattr(self.page.defined, rate)}; sliding window of {window}, band {sure * 100:g} %"

    def date(self, epoch_ms: float) -> str:
        """`2026-03-12 12:34 UTC`."""
        return f"{utc_time(epoch_ms):%Y-%m-%d %H:%M UTC}"


@cache
def operators() -> OperatorWords:
    """What operators read: English, as it comes with the project."""
    language = load_languages()["en"]
    assert language.page is not None  # noqa: S101 - the built-in languages say everything
    return OperatorWords("en", language, language.page)


def wanted_language(chosen: str, accepted: str, account: str, known: tuple[str, ...]) -> str:
    """The language in which a page is read: as `chosen` in its address, else as the browser accepts (RFC 9110 section
    12.5.4), else as it is known of the account. Empty where there is none of these."""
    for tag in (chosen, *_accepted(accepted), account):
        if found := fitting(tag[:64], known):
            return found
    return ""


def _accepted(header: str) -> Iterator[str]:
    """Tags of an `Accept-Language`, those that are wanted most first; what cannot be read is passed over."""
    found = []
    for part in header[:1_000].split(","):
        tag, _, rest = part.strip().partition(";")
        name, _, value = rest.strip().partition("=")
        try:
            weight = float(value) if name.strip().lower() == "q" else 1.0
        except ValueError:
            continue
        if tag.strip() not in ("", "*") and 0 < weight <= 1:
            found.append((tag.strip(), weight))
    yield from (tag for tag, _ in sorted(found, key=lambda pair: -pair[1]))
