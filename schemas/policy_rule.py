"""A rule of the policy: one metric, its windows and its thresholds."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from math import inf, isinf
from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from schemas.levels import Level
from schemas.listing import Weight
from schemas.policy_metric import (
    BURNS,
    BY_PROVIDER,
    COUNTED,
    DEFAULT_FACTOR,
    DEFAULT_LEAST_MAIL,
    DEFAULT_MIN_SHARE,
    DEFAULT_WEIGHTS,
    NEW_FROM,
    RATES,
    REPORTED_SPAM,
    SPIKE,
    TELLING_NOTHING,
    WEIGHED,
    Contradiction,
    Metric,
    MinVolume,
    RuleName,
    Text,
    Threshold,
    Window,
    provider_names,
    raise_first,
    repeated,
    unit_of,
    window_ms,
)
from schemas.times import DAY_MS, MINUTE_MS


class Rung(NamedTuple):
    """One level of a rule: it opens at `threshold` and holds from `resolve_at` on."""

    level: Level
    threshold: float
    resolve_at: float


class Levels(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, omit_defaults=True):
    """The threshold of each level that is used: ratios (0.003 is 0.3 %), numbers of listings or hours, of a burn how
    many times faster than evenly the allowance is spent, of a spike the score.
    """

    watch: Threshold | None = None
    warning: Threshold | None = None
    excessive: Threshold | None = None
    critical: Threshold | None = None

    def given(self) -> list[tuple[Level, float]]:
        """The levels that are set, mildest first."""
        pairs: tuple[tuple[Level, float | None], ...] = (
            ("watch", self.watch),
            ("warning", self.warning),
            ("excessive", self.excessive),
            ("critical", self.critical),
        )
        return [(level, threshold) for level, threshold in pairs if threshold is not None]


class Rule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, dict=True):
    """One metric with its thresholds.

    A window is judged only where its denominator reaches `min_volume`. An open level resolves when the rate
    has stayed below threshold * `resolve_ratio` for `hold_minutes` in every window. What opens again within
    `cool_down_minutes` of its resolution is the same alert (60 if not given).

    `weights` are those of the lists that count in `listing_count` and `listed_hours`; critical and major if not given.
    `min_share` is the share (0 to 1) of a listing's causes from which it counts in `attributed_listing`; 0.5 if not
    given. All rules of a policy have the same.

    `allowance` (a ratio) and `period` are of `complaint_burn` and `failure_burn`: what may be complained of, or fail,
    of the period's mail. Their level opens when all windows reach it and holds by the longest. `factor` is of
    `volume_spike`: how many times the busiest time of the last weeks the hour must exceed; 2 if not given. `least_mail`
    is of `new_from_domain`: the recipients that a domain must have sent to since it was first seen; 100 if not given,
    and the same in all rules of a policy.

    With `providers` (names of `providers.toml`) only mail to these mailbox providers is judged.

    Raises:
        ValueError: fields contradict each other; the message begins with the field.
    """

    name: RuleName
    metric: Metric
    windows: Annotated[tuple[Window, ...], Meta(min_length=1)]
    levels: Levels
    min_volume: MinVolume = 0
    resolve_ratio: Annotated[float, Meta(gt=0, le=1)] = 0.8
    hold_minutes: Annotated[float, Meta(ge=0, le=43_200)] = 30.0
    # Not given they are not in the policy's version, which so stays what it was before there were any.
    weights: Annotated[tuple[Weight, ...], Meta(min_length=1)] | UnsetType = UNSET
    min_share: Annotated[float, Meta(gt=0, le=1)] | UnsetType = UNSET
    cool_down_minutes: Annotated[float, Meta(ge=0, le=43_200)] | UnsetType = UNSET
    allowance: Annotated[float, Meta(gt=0, lt=1)] | UnsetType = UNSET
    period: Window | UnsetType = UNSET
    factor: Annotated[float, Meta(ge=1)] | UnsetType = UNSET
    least_mail: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    providers: Annotated[tuple[Text, ...], Meta(min_length=1)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        raise_first(self.contradictions())

    def contradictions(self) -> Iterator[Contradiction]:
        """Every contradiction; of a rule that could be made there is none."""
        yield from repeated("windows", self.windows)
        if isinstance(self.min_volume, dict):
            for window in self.windows:
                if window not in self.min_volume:
                    yield Contradiction(("min_volume",), f"min_volume: none for window {window}")
            for window in self.min_volume:
                if window not in self.windows:
                    said = f"min_volume: {window} is not a window of this rule"
                    yield Contradiction(("min_volume", window), said)
        if self.metric in COUNTED and self.min_volume != 0:
            said = f"min_volume: {self.metric} is a number of {unit_of(self.metric)} and has no volume"
            yield Contradiction(("min_volume",), said)
        if self.weights is not UNSET:
            yield from repeated("weights", self.weights)
            if self.metric not in WEIGHED:
                said = f"weights: {self.metric} has none; {' and '.join(sorted(WEIGHED))} have"
                yield Contradiction(("weights",), said)
        if self.min_share is not UNSET and self.metric != "attributed_listing":
            yield Contradiction(("min_share",), f"min_share: {self.metric} has none; attributed_listing has")
        yield from self._wrong_reported()
        yield from self._wrong_period()
        yield from self._wrong_spike()
        if self.metric != NEW_FROM and self.least_mail is not UNSET:
            yield Contradiction(("least_mail",), f"least_mail: {self.metric} has none; {NEW_FROM} has")
        yield from self._wrong_providers()
        yield from _wrong_levels(self.levels, self.metric)

    def _wrong_reported(self) -> Iterator[Contradiction]:
        if self.metric != REPORTED_SPAM:
            return
        if self.min_volume != 0:
            yield Contradiction(("min_volume",), f"min_volume: {REPORTED_SPAM} is reported without a volume")
        for place, window in enumerate(self.windows):
            if window_ms(window) < DAY_MS:
                said = f"windows: {window} is less than a day, and {REPORTED_SPAM} is reported by day"
                yield Contradiction(("windows", place), said)

    def _wrong_spike(self) -> Iterator[Contradiction]:
        if self.metric == SPIKE and self.windows != ("1h",):
            yield Contradiction(("windows",), f"windows: {SPIKE} is judged over 1h alone")
        if self.metric != SPIKE and self.factor is not UNSET:
            yield Contradiction(("factor",), f"factor: {self.metric} has none; {SPIKE} has")
        if isinf(self.times):
            yield Contradiction(("factor",), "factor: no volume is inf times another")

    def _wrong_providers(self) -> Iterator[Contradiction]:
        if self.providers is UNSET:
            return
        yield from repeated("providers", self.providers)
        if self.metric not in BY_PROVIDER:
            said = f"providers: {self.metric} is not known by provider; {', '.join(sorted(BY_PROVIDER))} are"
            yield Contradiction(("providers",), said)
        for place, name in enumerate(self.providers):
            if name not in (known := provider_names()):
                from difflib import get_close_matches  # for who mistyped

                close = get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0]}?" if close else ""
                yield Contradiction(("providers", place), f"providers: there is no mailbox provider {name}{hint}")

    def _wrong_period(self) -> Iterator[Contradiction]:
        for field, value in (("allowance", self.allowance), ("period", self.period)):
            if self.metric in BURNS and value is UNSET:
                yield Contradiction((field,), f"{field}: missing, and {self.metric} needs one")
            if self.metric not in BURNS and value is not UNSET:
                said = f"{field}: {self.metric} has none; {' and '.join(sorted(BURNS))} have"
                yield Contradiction((field,), said)
        if self.metric in BURNS and self.period is not UNSET:
            for window in self.windows:
                if window_ms(window) >= window_ms(self.period):
                    yield Contradiction(("period",), f"period: {self.period} is not longer than window {window}")

    @property
    def counted_weights(self) -> tuple[Weight, ...]:
        """The weights of the lists that count."""
        return DEFAULT_WEIGHTS if self.weights is UNSET else self.weights

    @property
    def least_share(self) -> float:
        """The share of its causes from which a listing counts."""
        return DEFAULT_MIN_SHARE if self.min_share is UNSET else self.min_share

    @property
    def allowed(self) -> float:
        """The `allowance`; 0 without one."""
        return 0.0 if self.allowance is UNSET else self.allowance

    @property
    def times(self) -> float:
        """The `factor`."""
        return DEFAULT_FACTOR if self.factor is UNSET else self.factor

    @property
    def mail_to(self) -> tuple[str, ...]:
        """The `providers`; none where all mail is judged."""
        return () if self.providers is UNSET else self.providers

    @property
    def telling(self) -> bool:
        """Whether a verdict tells that somebody has enough mail to be called good."""
        return self.metric not in TELLING_NOTHING and self.providers is UNSET

    @property
    def least_new(self) -> int:
        """The `least_mail`."""
        return DEFAULT_LEAST_MAIL if self.least_mail is UNSET else self.least_mail

    @cached_property
    def ladder(self) -> tuple[Rung, ...]:
        """The levels, mildest first. No lower bound of a rate is 1, so a level from there on never opens, and does not
        hold either."""
        never = 1.0 if self.metric in RATES else inf
        return tuple(
            Rung(level, at, at * self.resolve_ratio if at < never else inf) for level, at in self.levels.given()
        )

    @cached_property
    def thresholds(self) -> tuple[float, ...]:
        """Where the levels of `ladder` open."""
        return tuple(rung.threshold for rung in self.ladder)

    @cached_property
    def resolve_marks(self) -> tuple[float, ...]:
        """Where the levels of `ladder` begin to hold."""
        return tuple(rung.resolve_at for rung in self.ladder)

    @property
    def hold_ms(self) -> int:
        """`hold_minutes` in ms."""
        return int(self.hold_minutes * MINUTE_MS)

    @property
    def cool_down_ms(self) -> int:
        """`cool_down_minutes` in ms."""
        return int((60.0 if self.cool_down_minutes is UNSET else self.cool_down_minutes) * MINUTE_MS)

    @cached_property
    def checks(self) -> tuple[tuple[str, int], ...]:
        """The windows, each with the denominator (at least 1) from which it is judged."""
        least = self.min_volume
        return tuple((window, max(1, least[window] if isinstance(least, dict) else least)) for window in self.windows)

    @cached_property
    def reads(self) -> tuple[Window, ...]:
        """All windows whose counts are needed."""
        return self.windows if self.period is UNSET else (*self.windows, self.period)

    @cached_property
    def longest(self) -> Window:
        """The longest of `windows`."""
        return max(self.windows, key=window_ms)

    @cached_property
    def paces(self) -> Mapping[Window, float]:
        """For each window the burn of a numerator as large as the period's denominator; none without a period."""
        if self.period is UNSET or self.allowance is UNSET:
            return {}
        return {window: window_ms(self.period) / window_ms(window) / self.allowance for window in self.windows}


def _wrong_levels(levels: Levels, metric: Metric) -> Iterator[Contradiction]:
    given = levels.given()
    if not given:
        yield Contradiction(("levels",), "levels: none is given")
    for (milder, low), (worse, high) in pairwise(given):
        if low >= high:
            yield Contradiction(("levels", worse), f"levels: {milder} ({low:g}) must be below {worse} ({high:g})")
    for level, threshold in given:
        if isinf(threshold):
            yield Contradiction(("levels", level), f"levels.{level}: nothing ever reaches inf")
            continue
        if metric in COUNTED and (threshold < 1 or threshold % 1 != 0):
            said = f"levels.{level}: {threshold:g} is not a whole number of {unit_of(metric)}"
            yield Contradiction(("levels", level), said)
        if metric in RATES and threshold > 1:
            said = f"levels.{level}: {threshold:g} is not a ratio from 0 to 1 (0.003 is 0.3 %)"
            yield Contradiction(("levels", level), said)
