"""The policy: which rates are judged, over which windows, against which thresholds.

Whether a customer is excessive is the operator's decision, so all that decides it is in one checked file.
`policy.toml` is the default.
"""

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import cache, cached_property
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from schemas import providers
from schemas.alert import Level
from schemas.customer import PlanName
from schemas.listing import Weight

DEFAULT_FILE = Path(__file__).with_name("policy.toml")
STREAM_PREFIX = "stream:"
#: The scope of an IP pool, of the small customers that use it: `pool:NAME`.
POOL = "pool"
POOL_PREFIX = f"{POOL}:"
#: The scope of a customer's bulk or transactional mail, where it sends both: `class:bulk`.
CLASS = "class"
CLASS_PREFIX = f"{CLASS}:"
UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
#: Counts are kept this long (clickhouse/0001_counts.sql); a longer window would be short of counts.
LONGEST_MS = 400 * UNIT_MS["d"]

#: What a rule judges. Those of `COUNTED` are numbers (of listings, or hours), those of `RATES` rates; a burn says how
#: many times faster than evenly an allowance is spent, `volume_spike` is a score of how unusual an hour's volume is.
Metric = Literal[
    "complaint",
    "failure",
    "block",
    "exposure",
    "critical_listing",
    "listing_count",
    "listed_hours",
    "attributed_listing",
    "complaint_burn",
    "failure_burn",
    "volume_spike",
    "unsubscribe",
    "unwanted",
    "sms_gateway",
    "unregistered_from",
    "new_from_domain",
]
NEW_FROM: Metric = "new_from_domain"
COUNTED: frozenset[Metric] = frozenset(
    {"critical_listing", "listing_count", "listed_hours", "attributed_listing", NEW_FROM}
)
#: What is read only where a rule asks for it (`streams.acceptable_use`), and is not replayed.
USE: frozenset[Metric] = frozenset({"unwanted", "sms_gateway", "unregistered_from", NEW_FROM})
#: The mail from which on a new From domain counts, where a rule does not say.
DEFAULT_LEAST_MAIL = 100
#: Those of which a rule may say which weights of lists count, and what counts where it does not.
WEIGHED: frozenset[Metric] = frozenset({"listing_count", "listed_hours"})
DEFAULT_WEIGHTS: tuple[Weight, ...] = ("critical", "major")
#: The share from which a customer is the cause of a listing, where a rule does not say.
DEFAULT_MIN_SHARE = 0.5
RATES: frozenset[Metric] = frozenset(
    {"complaint", "failure", "block", "exposure", "unsubscribe", "unwanted", "sms_gateway", "unregistered_from"}
)
#: What an allowance is of.
BURNS: Mapping[Metric, Metric] = {"complaint_burn": "complaint", "failure_burn": "failure"}
SPIKE: Metric = "volume_spike"
#: How many times the busiest time of the last weeks an hour must exceed, where a rule does not say.
DEFAULT_FACTOR = 2.0
#: Those that a rule may judge by the mail to some mailbox providers alone.
BY_PROVIDER: frozenset[Metric] = frozenset({"complaint", "failure", "block", "unsubscribe", *BURNS})
#: Verdicts on these do not tell whether somebody has enough mail to be called good.
TELLING_NOTHING: frozenset[Metric] = COUNTED | USE | {SPIKE}

Text = Annotated[str, Meta(min_length=1, max_length=256)]
RuleName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Window = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[mhd]$")]
Threshold = Annotated[float, Meta(gt=0)]
Volume = Annotated[int, Meta(ge=0)]
#: One for all windows of the rule, or one for each window by name.
MinVolume = Volume | dict[Window, Volume]


class PolicyError(ValueError):
    """The policy cannot be used; the message names the file, the rule and the field."""


class Contradiction(NamedTuple):
    """What does not fit together: `path` leads to it (keys, and places in lists), `said` begins with the field."""

    path: tuple[str | int, ...]
    said: str


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
        _raise_first(self.contradictions())

    def contradictions(self) -> Iterator[Contradiction]:
        """Every contradiction; of a rule that could be made there is none."""
        yield from _repeated("windows", self.windows)
        if isinstance(self.min_volume, dict):
            for window in self.windows:
                if window not in self.min_volume:
                    yield Contradiction(("min_volume",), f"min_volume: none for window {window}")
            for window in self.min_volume:
                if window not in self.windows:
                    said = f"min_volume: {window} is not a window of this rule"
                    yield Contradiction(("min_volume", window), said)
        if self.metric in COUNTED and self.min_volume != 0:
            said = f"min_volume: {self.metric} is a number of {_unit(self.metric)} and has no volume"
            yield Contradiction(("min_volume",), said)
        if self.weights is not UNSET:
            yield from _repeated("weights", self.weights)
            if self.metric not in WEIGHED:
                said = f"weights: {self.metric} has none; {' and '.join(sorted(WEIGHED))} have"
                yield Contradiction(("weights",), said)
        if self.min_share is not UNSET and self.metric != "attributed_listing":
            yield Contradiction(("min_share",), f"min_share: {self.metric} has none; attributed_listing has")
        yield from self._wrong_period()
        if self.metric == SPIKE and self.windows != ("1h",):
            yield Contradiction(("windows",), f"windows: {SPIKE} is judged over 1h alone")
        if self.metric != SPIKE and self.factor is not UNSET:
            yield Contradiction(("factor",), f"factor: {self.metric} has none; {SPIKE} has")
        if self.metric != NEW_FROM and self.least_mail is not UNSET:
            yield Contradiction(("least_mail",), f"least_mail: {self.metric} has none; {NEW_FROM} has")
        yield from self._wrong_providers()
        yield from _wrong_levels(self.levels, self.metric)

    def _wrong_providers(self) -> Iterator[Contradiction]:
        if self.providers is UNSET:
            return
        yield from _repeated("providers", self.providers)
        if self.metric not in BY_PROVIDER:
            said = f"providers: {self.metric} is not known by provider; {', '.join(sorted(BY_PROVIDER))} are"
            yield Contradiction(("providers",), said)
        for place, name in enumerate(self.providers):
            if name not in (known := provider_names()):
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
        """The levels, mildest first."""
        return tuple(Rung(level, at, at * self.resolve_ratio) for level, at in self.levels.given())

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
        return int(self.hold_minutes * 60_000)

    @property
    def cool_down_ms(self) -> int:
        """`cool_down_minutes` in ms."""
        return int((60.0 if self.cool_down_minutes is UNSET else self.cool_down_minutes) * 60_000)

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


class Override(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, dict=True):
    """Other numbers for one customer, or all customers of a `plan`: for all of their mail or (with `stream`) one
    stream, for good or `until` a time.

    `levels` and `min_volume` replace those of the rule as a whole. For a stream, its own override goes before
    the customer's, and that before the plan's. An override of a plan is in force where it was written out for the
    plan's customers (`streams.overrides.for_plans`).
    """

    rule: RuleName
    reason: Text
    customer: Annotated[str, Meta(max_length=256)] = ""
    # Not given it is not in the policy's version.
    plan: PlanName | UnsetType = UNSET
    stream: str = ""
    levels: Levels | None = None
    min_volume: MinVolume | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None

    def __post_init__(self) -> None:
        if self.levels is None and self.min_volume is None:
            raise ValueError("levels: neither levels nor min_volume is given, so nothing is changed")
        if not self.customer and not self.plan:
            raise ValueError("customer: neither a customer nor a plan is given")
        if self.customer and self.plan:
            raise ValueError("plan: an override is for a customer or for a plan, not for both")

    @property
    def whose(self) -> str:
        """Whom it is for, in words."""
        return self.customer or f"plan {self.plan}"

    @cached_property
    def until_ms(self) -> float:
        """The first moment (epoch ms, UTC) at which it is no longer in force."""
        return float("inf") if self.until is None else self.until.timestamp() * 1000

    def applied(self, rule: Rule) -> Rule:
        """The rule with what this override changes.

        Raises:
            ValueError: the changed rule contradicts itself.
        """
        return msgspec.structs.replace(
            rule,
            levels=rule.levels if self.levels is None else self.levels,
            min_volume=rule.min_volume if self.min_volume is None else self.min_volume,
        )

    def contradictions(self, rule: Rule) -> Iterator[Contradiction]:
        """For each part that changes the rule, the first thing in which the changed rule contradicts itself."""
        parts = {"levels": self.levels, "min_volume": self.min_volume}
        for field, value in parts.items():
            if value is not None:
                try:
                    msgspec.structs.replace(rule, **{field: value})
                except ValueError as error:
                    yield Contradiction((field,), str(error))


class Policy(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, dict=True):
    """The rules in force.

    `windows` are all windows that are counted, each rule judges some of them. `confidence` is that of the
    two-sided interval of a rate. With `expired_is_failure` mail that was given up counts as failed; deferred
    mail never does. `scopes` says whose mail is judged: all of a customer's, each stream where there are several, bulk
    and transactional mail by themselves where a customer sends both, and of each IP pool that of all customers together
    who are too small to be judged.

    Raises:
        ValueError: fields contradict each other; the message begins with the field.
    """

    rules: Annotated[tuple[Rule, ...], Meta(min_length=1)]
    name: Annotated[str, Meta(max_length=64)] = ""
    windows: Annotated[tuple[Window, ...], Meta(min_length=1)] = ("1h", "24h", "7d", "15d", "30d")
    confidence: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    expired_is_failure: bool = True
    scopes: Annotated[tuple[Literal["customer", "stream", "class", "pool"], ...], Meta(min_length=1)] = (
        "customer",
        "stream",
    )
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        _raise_first(self.contradictions())

    def contradictions(self) -> Iterator[Contradiction]:
        """Every contradiction between the parts; those within a rule are the rule's own."""
        for place, window in enumerate(self.windows):
            if window_ms(window) > LONGEST_MS:
                said = f"windows: {window} is longer than counts are kept ({LONGEST_MS // UNIT_MS['d']}d)"
                yield Contradiction(("windows", place), said)
        yield from _repeated("windows", self.windows)
        yield from _repeated("scopes", self.scopes)
        yield from _repeated("rules", [rule.name for rule in self.rules], "name")
        for place, rule in enumerate(self.rules):
            for nth, window in enumerate(rule.windows):
                if window not in self.windows:
                    said = f"rule {rule.name}: windows: {window} is not among the policy's windows"
                    yield Contradiction(("rules", place, "windows", nth), said)
        for place, rule in enumerate(self.rules):
            if rule.period is not UNSET and rule.period not in self.windows:
                said = f"rule {rule.name}: period: {rule.period} is not among the policy's windows"
                yield Contradiction(("rules", place, "period"), said)
        yield from self._differing("attributed_listing", "min_share", lambda rule: rule.least_share)
        yield from self._differing(NEW_FROM, "least_mail", lambda rule: rule.least_new)
        yield from _repeated("overrides", [_whose(each) for each in self.overrides])
        by_name = {rule.name: rule for rule in self.rules}
        for place, override in enumerate(self.overrides):
            if override.rule not in by_name:
                said = f"{_whose(override)}: rule: there is no rule {override.rule}"
                yield Contradiction(("overrides", place, "rule"), said)
                continue
            for path, said in override.contradictions(by_name[override.rule]):
                yield Contradiction(("overrides", place, *path), f"{_whose(override)}: {said}")

    def _differing(self, metric: Metric, field: str, value: Callable[[Rule], float]) -> Iterator[Contradiction]:
        """Rules of a metric that have another number than the first of them, where it is read once for all."""
        of_metric = [(place, rule) for place, rule in enumerate(self.rules) if rule.metric == metric]
        for place, rule in of_metric[1:]:
            if value(rule) != value(first := of_metric[0][1]):
                said = f"rule {rule.name}: {field}: {value(rule):g}, rule {first.name} has {value(first):g}"
                yield Contradiction(("rules", place, field), f"{said}; a policy has one")

    @property
    def attributed_share(self) -> float | None:
        """The share from which a listing is somebody's; None where no rule asks for causes."""
        return next((rule.least_share for rule in self.rules if rule.metric == "attributed_listing"), None)

    @property
    def spikes_from(self) -> int | None:
        """The smallest volume of an hour that anybody is judged by for being unusual; None where nobody is."""
        rules = [rule for rule in self.rules if rule.metric == SPIKE]
        rules += [each.applied(rule) for rule in rules for each in self.overrides if each.rule == rule.name]
        return min((least for rule in rules for _, least in rule.checks), default=None)

    @property
    def mail_to(self) -> frozenset[tuple[str, ...]]:
        """The groups of mailbox providers that rules judge by themselves."""
        return frozenset(rule.mail_to for rule in self.rules if rule.mail_to)

    @property
    def used(self) -> frozenset[Metric]:
        """The metrics of `USE` that any rule judges."""
        return USE & {rule.metric for rule in self.rules}

    @property
    def least_new(self) -> int:
        """The mail from which on a new From domain counts."""
        return next((rule.least_new for rule in self.rules if rule.metric == NEW_FROM), DEFAULT_LEAST_MAIL)

    @property
    def listed_weights(self) -> frozenset[Weight]:
        """The weights of the lists of which any rule counts a customer's own listings."""
        weighed = [weight for rule in self.rules if rule.metric in WEIGHED for weight in rule.counted_weights]
        critical: list[Weight] = ["critical" for rule in self.rules if rule.metric == "critical_listing"]
        return frozenset(weighed + critical)

    @cached_property
    def version(self) -> str:
        """A short hash of what the policy says, after its name if it has one: `default@5e0c0a7f19d2`.

        Comments, layout and written-out defaults do not change it.
        """
        content = msgspec.json.encode(self, order="deterministic")
        digest = hashlib.blake2b(content, digest_size=6).hexdigest()
        return f"{self.name}@{digest}" if self.name else digest

    def with_overrides(self, overrides: tuple[Override, ...]) -> "Policy":
        """The same policy, under the same version, with other overrides.

        Raises:
            ValueError: they contradict the rules or each other.
        """
        changed = msgspec.structs.replace(self, overrides=overrides)
        vars(changed)["version"] = self.version
        return changed

    @cached_property
    def _overrides(self) -> dict[str, tuple[Override, ...]]:
        # The customer's before its streams', so that a stream's own override is applied last.
        found: dict[str, list[Override]] = {}
        for each in sorted(self.overrides, key=lambda each: each.stream != ""):
            if each.customer:
                found.setdefault(each.customer, []).append(each)
        return {customer: tuple(some) for customer, some in found.items()}

    def rules_for(self, customer: str, scope: str, now_ms: int) -> tuple[Rule, ...]:
        """The rules of one subject, in the policy's order, with the overrides in force at `now_ms`.

        `scope` is `customer` or `stream:NAME`, `now_ms` epoch ms (UTC).
        """
        overrides = self.overrides_for(customer, scope, now_ms)
        if not overrides:
            return self.rules
        rules = {rule.name: rule for rule in self.rules}
        for override in overrides:
            rules[override.rule] = override.applied(rules[override.rule])
        return tuple(rules.values())

    def overrides_for(self, customer: str, scope: str, now_ms: int) -> tuple[Override, ...]:
        """The overrides of one subject in force at `now_ms` (epoch ms, UTC), in the order in which they apply."""
        overrides = self._overrides.get(customer)
        if overrides is None:
            return ()
        stream = scope.removeprefix(STREAM_PREFIX) if scope.startswith(STREAM_PREFIX) else ""
        return tuple(each for each in overrides if each.stream in ("", stream) and now_ms < each.until_ms)


@cache
def provider_names() -> tuple[str, ...]:
    """The mailbox providers that a rule may name."""
    return (*(each.name for each in providers.load().all), providers.OTHER)


def window_ms(name: str) -> int:
    """The length of a window in ms: a whole number with `m`, `h` or `d`.

    Raises:
        PolicyError: not such a name.
    """
    if re.fullmatch(r"[1-9][0-9]{0,5}[mhd]", name) is None:
        raise PolicyError(f"{name!r} is not a window: give a number with m, h or d, such as 24h")
    return int(name[:-1]) * UNIT_MS[name[-1]]


def load(path: Path | None = None) -> Policy:
    """The policy of a TOML file; without `path` the default policy.

    Raises:
        PolicyError: naming file, rule and field.
    """
    file = DEFAULT_FILE if path is None else path
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"{file}: not valid TOML: {error}") from error
    return parse(text, str(file))


def parse(text: str, source: str) -> Policy:
    """The policy in a TOML text; `source` names it in errors.

    Raises:
        PolicyError: naming source, rule and field.
    """
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyError(f"{source}: not valid TOML: {error}") from error
    try:
        return msgspec.convert(raw, Policy)
    except msgspec.ValidationError as error:
        raise PolicyError(f"{source}: {located(str(error), raw)}") from error


def json_schema() -> str:
    """The JSON Schema of a policy file; `json/policy.schema.json` holds it."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sending reputation policy",
        **msgspec.json.schema(Policy),
    }
    for described in schema["$defs"].values():
        if "description" in described:
            described["description"] = cleandoc(described["description"]).partition("\n\nRaises:")[0]
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def _raise_first(contradictions: Iterator[Contradiction]) -> None:
    for each in contradictions:
        raise ValueError(each.said)


def _wrong_levels(levels: Levels, metric: Metric) -> Iterator[Contradiction]:
    given = levels.given()
    if not given:
        yield Contradiction(("levels",), "levels: none is given")
    for (milder, low), (worse, high) in pairwise(given):
        if low >= high:
            yield Contradiction(("levels", worse), f"levels: {milder} ({low:g}) must be below {worse} ({high:g})")
    for level, threshold in given:
        if metric in COUNTED and (threshold < 1 or threshold % 1 != 0):
            said = f"levels.{level}: {threshold:g} is not a whole number of {_unit(metric)}"
            yield Contradiction(("levels", level), said)
        if metric in RATES and threshold > 1:
            said = f"levels.{level}: {threshold:g} is not a ratio from 0 to 1 (0.003 is 0.3 %)"
            yield Contradiction(("levels", level), said)


def _unit(metric: Metric) -> str:
    return {"listed_hours": "hours", NEW_FROM: "domains"}.get(metric, "listings")


def _repeated(field: str, names: Sequence[str], key: str = "") -> Iterator[Contradiction]:
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            yield Contradiction((field, place, key) if key else (field, place), f"{field}: {name} is given twice")
        seen.add(name)


def _whose(override: Override) -> str:
    stream = f", stream {override.stream}" if override.stream else ""
    return f"override of rule {override.rule} for {override.whose}{stream}"


def located(message: str, raw: dict[str, Any]) -> str:
    """`Expected X - at `$.rules[0].levels.warning`` as `rule complaint: levels.warning: Expected X`."""
    said = re.fullmatch(r"(.*) - at (?:`key` in )?`\$\.?(.*)`", message, re.DOTALL)
    if said is None or not said[2]:
        return message
    return ": ".join([*_place(said[2], raw), said[1]])


def _place(path: str, raw: dict[str, Any]) -> Iterator[str]:
    entry = re.fullmatch(r"(rules|overrides)\[(\d+)\]\.?(.*)", path)
    if entry is None:
        yield path
        return
    kind, index, field = entry[1], int(entry[2]), entry[3]
    given = raw[kind][index]
    name = given.get("name" if kind == "rules" else "customer", "") if isinstance(given, dict) else ""
    label = "rule" if kind == "rules" else "override for"
    yield f"{label} {name}" if isinstance(name, str) and name else f"{kind}[{index}]"
    if field:
        yield field


if __name__ == "__main__":
    Path(__file__).with_name("json").joinpath("policy.schema.json").write_text(json_schema(), encoding="utf-8")
