"""The policy: which rates are judged, over which windows, against which thresholds.

Whether a customer is excessive is the operator's decision, so all that decides it is in one checked file.
`policy.toml` is the default.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from schemas.levels import Level
from schemas.listing import Weight
from schemas.plain_fault import in_plain_words, placed
from schemas.policy_metric import (
    DEFAULT_LEAST_MAIL,
    DEFAULT_MIN_OBSERVABLE,
    LONGEST_MS,
    NEW_FROM,
    SPIKE,
    USE,
    WEIGHED,
    Contradiction,
    Metric,
    PolicyError,
    Window,
    raise_first,
    repeated,
    window_ms,
)
from schemas.policy_override import Override, override_name
from schemas.policy_rule import Rule
from schemas.scope import STREAM_PREFIX, Scope
from schemas.settings_fault import choices
from schemas.times import MINUTE_MS, UNIT_MS
from schemas.written_file import read_written

if TYPE_CHECKING:
    from pathlib import Path

try:
    from _blake2 import blake2b  # what hashlib has, without OpenSSL, whose loading takes a tenth of `policy check`
except ImportError:  # another Python than CPython
    from hashlib import blake2b


#: The shares (ratios) from which on mail is not good, by what it is judged by: the mildest default levels.
NOT_GOOD: Mapping[Metric, float] = {"failure": 0.03, "complaint": 0.001}


class Brake(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """When more customers than `customers` and than `share` (a ratio) of those who sent in the last 24 h newly reach
    `excessive` or worse within `minutes`, their alerts are held until an operator decides. With a share of 1 never."""

    customers: Annotated[int, Meta(ge=1)] = 20
    share: Annotated[float, Meta(ge=0, le=1)] = 0.05
    minutes: Annotated[float, Meta(gt=0, le=1440)] = 10

    @property
    def period_ms(self) -> int:
        """`minutes` in ms."""
        return max(1, round(self.minutes * MINUTE_MS))


class Policy(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, dict=True):
    """The rules in force.

    `windows` are all windows that are counted, each rule judges some of them. `confidence` is how sure it must be, over
    all looks of 30 days, that the true rate is above nine tenths of a threshold, for its level to open; the rate itself
    must be at it. 0.92 is measured (docs/adr/0019-an-indifference-zone.md). With `expired_is_failure` mail that was
    given up counts as failed; deferred mail never does. `scopes` says whose mail is judged: all of a customer's, each
    stream where there are several, bulk and transactional mail by themselves where a customer sends both, each
    sub-account (streams named `NAME/...`), and of each IP pool, From domain or plan that of all customers together who
    are too small to be judged. `brake` says when so many are flagged at once that a person looks first.

    A rate that is seen at a part of the mail only is called good where that is at least `min_observable` of it (a
    ratio; 0.05 if not given). A customer or stream without mail for `inactive_after`, one of the windows (24h if not
    given), and for longer than its own rhythm explains, is inactive.

    Raises:
        ValueError: fields contradict each other; the message begins with the field.
    """

    rules: Annotated[tuple[Rule, ...], Meta(min_length=1)]
    name: Annotated[str, Meta(max_length=64)] = ""
    windows: Annotated[tuple[Window, ...], Meta(min_length=1)] = ("1h", "24h", "7d", "15d", "30d")
    confidence: Annotated[float, Meta(gt=0, lt=1)] = 0.92
    expired_is_failure: bool = True
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1)] = (
        "customer",
        "stream",
    )
    # Not given they are not in the policy's version, which so stays what it was before there were any.
    min_observable: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    inactive_after: Window | UnsetType = UNSET
    overrides: tuple[Override, ...] = ()
    brake: Brake | UnsetType = UNSET

    def __post_init__(self) -> None:
        raise_first(self.contradictions())

    def contradictions(self) -> Iterator[Contradiction]:
        """Every contradiction between the parts; those within a rule are the rule's own."""
        for place, window in enumerate(self.windows):
            if window_ms(window) > LONGEST_MS:
                said = f"windows: {window} is longer than counts are kept ({LONGEST_MS // UNIT_MS['d']}d)"
                yield Contradiction(("windows", place), said)
        yield from repeated("windows", self.windows)
        yield from repeated("scopes", self.scopes)
        yield from repeated("rules", [rule.name for rule in self.rules], "name")
        for place, rule in enumerate(self.rules):
            for nth, window in enumerate(rule.windows):
                if window not in self.windows:
                    said = f"rule {rule.name}: windows: {window} is not among the policy's windows"
                    yield Contradiction(("rules", place, "windows", nth), said)
        for place, rule in enumerate(self.rules):
            if rule.period is not UNSET and rule.period not in self.windows:
                said = f"rule {rule.name}: period: {rule.period} is not among the policy's windows"
                yield Contradiction(("rules", place, "period"), said)
        if self.inactive_after is not UNSET and self.inactive_after not in self.windows:
            said = f"inactive_after: {self.inactive_after} is not among the policy's windows"
            yield Contradiction(("inactive_after",), said)
        yield from self._differing("attributed_listing", "min_share", lambda rule: rule.least_share)
        yield from self._differing(NEW_FROM, "least_mail", lambda rule: rule.least_new)
        yield from repeated("overrides", [override_name(each) for each in self.overrides])
        by_name = {rule.name: rule for rule in self.rules}
        for place, override in enumerate(self.overrides):
            if override.rule not in by_name:
                said = f"{override_name(override)}: rule: there is no rule {override.rule}"
                yield Contradiction(("overrides", place, "rule"), said)
                continue
            for path, said in override.contradictions(by_name[override.rule]):
                yield Contradiction(("overrides", place, *path), f"{override_name(override)}: {said}")

    def _differing(self, metric: Metric, field: str, value: Callable[[Rule], float]) -> Iterator[Contradiction]:
        """Rules of a metric that have another number than the first of them, where it is read once for all."""
        of_metric = [(place, rule) for place, rule in enumerate(self.rules) if rule.metric == metric]
        for place, rule in of_metric[1:]:
            if value(rule) != value(first := of_metric[0][1]):
                said = f"rule {rule.name}: {field}: {value(rule):g}, rule {first.name} has {value(first):g}"
                yield Contradiction(("rules", place, field), f"{said}; a policy has one")

    @property
    def braking(self) -> Brake:
        """The brake in force."""
        return Brake() if self.brake is UNSET else self.brake

    @property
    def attributed_share(self) -> float | None:
        """The share from which a listing is somebody's; None where no rule asks for causes."""
        return next((rule.least_share for rule in self.rules if rule.metric == "attributed_listing"), None)

    @property
    def least_observable(self) -> float:
        """The `min_observable`."""
        return DEFAULT_MIN_OBSERVABLE if self.min_observable is UNSET else self.min_observable

    @property
    def inactive_window(self) -> Window:
        """The `inactive_after`; not given, the window that is a day, or else the shortest longer one."""
        return _day_of(self.windows) if self.inactive_after is UNSET else self.inactive_after

    @property
    def spikes_from(self) -> int | None:
        """The smallest volume of an hour that anybody is judged by for being unusual; None where nobody is."""
        rules = [rule for rule in self.rules if rule.metric == SPIKE]
        rules += [each.applied(rule) for rule in rules for each in self.overrides if each.rule == rule.name]
        return min((least for rule in rules for _, least in rule.checks), default=None)

    def levels_of(self, metric: Metric) -> list[tuple[Level, float]]:
        """The levels, with their thresholds, of all rules that judge a metric by mail to all providers."""
        rules = (rule for rule in self.rules if rule.metric == metric and not rule.mail_to)
        return [level for rule in rules for level in rule.levels.given()]

    def bad_from(self, metric: Metric) -> float:
        """The share (a ratio) of failures, or complaints, from which on somebody's mail is not good, where others are
        asked about: the mildest level for mail to all providers, where that is above the one of `NOT_GOOD`. Who is good
        by the policy in force is good. A stricter policy asks for no better ones: who fails a little can tell of an
        outage, or that a list errs, as well."""
        return max(NOT_GOOD[metric], min((at for _, at in self.levels_of(metric)), default=0.0))

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
        plain = self if self.brake is UNSET or self.brake != Brake() else msgspec.structs.replace(self, brake=UNSET)
        if self.min_observable == DEFAULT_MIN_OBSERVABLE:
            plain = msgspec.structs.replace(plain, min_observable=UNSET)
        if self.inactive_after is not UNSET and self.inactive_after == _day_of(self.windows):
            plain = msgspec.structs.replace(plain, inactive_after=UNSET)
        content = msgspec.json.encode(plain, order="deterministic")
        digest = blake2b(content, digest_size=6).hexdigest()
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


def _day_of(windows: Sequence[Window]) -> Window:
    """The window that is a day, or else the shortest longer one, or the longest."""
    long = [window for window in windows if window_ms(window) >= UNIT_MS["d"]]
    return min(long, key=window_ms) if long else max(windows, key=window_ms)


def default_file() -> "Path":
    """The built-in policy's file."""
    from pathlib import Path

    return Path(__file__).with_name("policy.toml")


def load_policy(path: "Path | None" = None) -> Policy:
    """The policy of a TOML file; without `path` the default policy.

    Raises:
        PolicyError: naming file, rule and field.
    """
    file = default_file() if path is None else path
    try:
        text = read_written(file)
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
    return policy_from(raw, source)


def policy_from(raw: dict[str, Any], source: str) -> Policy:
    """The policy in what `tomllib` read; `source` names it in errors.

    Raises:
        PolicyError: naming source, rule and field.
    """
    try:
        policy = msgspec.convert(raw, Policy)
    except msgspec.ValidationError as error:
        raise PolicyError(f"{source}: {located(str(error), raw)}") from error
    for place, override in enumerate(policy.overrides):
        for (field, *_), said in override.bad_names():
            raise PolicyError(f"{source}: {located(f'{said} - at `$.overrides[{place}].{field}`', raw)}")
    return policy


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


def located(message: str, raw: dict[str, Any]) -> str:
    """`Expected `float`, got `str` - at `$.rules[0].levels.warning`` as
    `rule complaint: levels.warning: must be a number, not text`."""
    path, said = placed(message)
    said += choices(said, path, Policy)
    return ": ".join([*(_place(path, raw) if path else ()), in_plain_words(said)])


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
    default_file().with_name("json").joinpath("policy.schema.json").write_text(json_schema(), encoding="utf-8")
