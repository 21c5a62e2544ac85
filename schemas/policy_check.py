"""Every mistake in a policy's text, each with its line. `schemas.policy.parse` names the first alone, and no line."""

import contextlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec

from schemas.nearest import meant
from schemas.plain_fault import in_plain_words, placed
from schemas.policy import Policy, located, policy_from
from schemas.policy_metric import PolicyError
from schemas.policy_override import Override
from schemas.policy_rule import Rule
from schemas.settings_fault import choices
from schemas.toml_lines import Path, line_of, lines

T = TypeVar("T")


class Mistake(NamedTuple):
    """One mistake, on a line counted from 1; `said` names rule and field."""

    line: int
    said: str


def mistakes(text: str) -> list[Mistake]:
    """All mistakes by line; none where the policy can be used. See `checked`."""
    return checked(text).mistakes


class Checked(NamedTuple):
    """What a text comes to: a policy, or else its mistakes."""

    policy: Policy | None
    mistakes: list[Mistake]


def checked(text: str) -> Checked:
    """The policy in a text, or all of its mistakes by line.

    Text that is not TOML has one, since nothing can be said about what follows it. What may only follow from another
    mistake is not said.
    """
    try:
        raw = tomllib.loads(text)
        faults = list(_Reading(raw).faults())
        if not faults:
            return Checked(policy_from(raw, "policy"), [])
        known = lines(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return Checked(None, [Mistake(_syntax_line(str(error), text), f"not valid TOML: {error}")])
    except PolicyError as error:
        return Checked(None, [Mistake(1, str(error).removeprefix("policy: "))])
    return Checked(None, sorted({Mistake(line_of(path, known), said) for path, said in faults}))


class _UncheckedRule(Rule, frozen=True, kw_only=True):
    """A rule that may contradict itself."""

    def __post_init__(self) -> None:
        pass


class _UncheckedOverride(Override, frozen=True, kw_only=True):
    """An override that may change nothing."""

    def __post_init__(self) -> None:
        pass


class _UncheckedPolicy(Policy, frozen=True, kw_only=True):
    """A policy that may contradict itself."""

    def __post_init__(self) -> None:
        pass


#: In place of a needed field that cannot be used, so that the others can be looked at.
RULE_STAND_INS: Mapping[str, Any] = {"name": "unnamed", "levels": {"watch": 1}}
OVERRIDE_STAND_INS: Mapping[str, Any] = {"reason": "unsaid"}
POLICY_STAND_INS: Mapping[str, Any] = {"rules": [{**RULE_STAND_INS, "metric": "failure", "windows": ["1h"]}]}
#: A value of which nothing can be used.
BAD = object()


class _Reading:
    """One policy as plain data: first field by field, then what does not fit together among what could be read."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._raw = raw
        self._wrong: dict[Path, str] = {}

    def faults(self) -> Iterator[tuple[Path, str]]:
        """Where each mistake is, and what it is."""
        found = self._cleaned(self._raw, Policy, ())
        clean: dict[str, Any] = {} if found is BAD else found
        for path, said in self._wrong.items():
            yield path, self._placed(path, said)
        rules: dict[int, Rule] = {**_made(clean.get("rules"), _UncheckedRule, RULE_STAND_INS)}
        for place, rule in rules.items():
            contradictions = list(rule.contradictions())
            for path, said in contradictions:
                if not self._is_wrong(("rules", place, *path)):
                    yield ("rules", place, *path), self._placed(("rules", place), said)
            if not contradictions:
                # Only a rule that was checked refuses what an override makes of it.
                rules[place] = Rule(**msgspec.structs.asdict(rule))
        overrides = _made(clean.get("overrides"), _UncheckedOverride, OVERRIDE_STAND_INS)
        for place, override in overrides.items():
            whole: Path = ("overrides", place)
            for path, said in override.bad_names():
                yield (*whole, *path), self._placed((*whole, *path), said)
            if not self._is_wrong(whole) and (said := _refused(self._raw["overrides"][place], Override)):
                yield whole, self._placed(whole, said)
        yield from self._between(clean, rules, overrides)

    def _between(
        self, clean: dict[str, Any], rules: Mapping[int, Rule], overrides: Mapping[int, Override]
    ) -> Iterator[tuple[Path, str]]:
        """What does not fit between the parts."""
        places = {"rules": list(rules), "overrides": list(overrides)}
        plain = _usable({name: value for name, value in clean.items() if name not in places})
        policy = msgspec.convert({**POLICY_STAND_INS, **plain}, _UncheckedPolicy)
        windows = policy.windows
        if self._is_wrong(("windows",)):
            windows = tuple(dict.fromkeys([*windows, *(each for rule in rules.values() for each in rule.windows)]))
        policy = msgspec.structs.replace(
            policy, windows=windows, rules=tuple(rules.values()), overrides=tuple(overrides.values())
        )
        unread = {
            each.get("name")
            for place, each in enumerate(_listed(self._raw.get("rules")))
            if place not in rules and isinstance(each, dict) and isinstance(each.get("name"), str)
        }
        # What a rule whose name cannot be used is called elsewhere, nobody knows.
        nameless = any(self._is_wrong(("rules", place, "name")) for place in rules)
        for inner, said in policy.contradictions():
            part, *rest = inner
            path: Path = (part, places[str(part)][int(rest[0])], *rest[1:]) if part in places else inner
            follows = path[2:] == ("rule",) and (nameless or overrides[int(path[1])].rule in unread)
            if not follows and not self._is_wrong(path):
                yield path, said

    def _is_wrong(self, path: Path) -> bool:
        """Whether something on the way to `path`, or within what it leads to, is already known to be wrong."""
        return any(path[: len(each)] == each[: len(path)] for each in self._wrong)

    def _cleaned(self, value: Any, kind: Any, path: Path) -> Any:
        """What of a value can be used, `BAD` where nothing; what cannot is recorded."""
        known = len(self._wrong)
        for option in _options(kind):
            if isinstance(value, dict) and isinstance(option, type) and issubclass(option, msgspec.Struct):
                clean: Any = self._cleaned_struct(value, option, path)
                whole = option not in (Policy, Rule, Override)
            elif isinstance(value, dict) and get_origin(option) is dict:
                key, of = get_args(option)
                clean = {name: self._cleaned_entry(name, each, key, of, path) for name, each in value.items()}
                whole = True
            elif isinstance(value, list) and get_origin(option) is tuple:
                of = get_args(option)[0]
                clean = [self._cleaned(each, of, (*path, place)) for place, each in enumerate(value)]
                whole, kind = True, _outer(kind)
            else:
                continue
            if whole and len(self._wrong) == known and (said := _refused(value, kind)):
                self._wrong[path] = said
                return BAD
            return clean if _usable(clean) or not value else BAD
        if said := _refused(value, kind):
            self._wrong[path] = said
            return BAD
        return value

    def _cleaned_struct(self, value: dict[str, Any], kind: type[msgspec.Struct], path: Path) -> dict[str, Any]:
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        for name in value.keys() - fields.keys():
            self._wrong[*path, name] = f"there is no such field{meant(name, fields)}"
        for name, field in fields.items():
            if field.required and name not in value:
                self._wrong[*path, name] = "missing"
        return {name: self._cleaned(value[name], fields[name].type, (*path, name)) for name in fields if name in value}

    def _cleaned_entry(self, name: str, value: Any, key: Any, of: Any, path: Path) -> Any:
        if said := _refused(name, key):
            self._wrong[*path, name] = said
            return BAD
        return self._cleaned(value, of, (*path, name))

    def _placed(self, path: Path, said: str) -> str:
        """What is said, after rule and field."""
        dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        return located(f"{said} - at `${dotted}`", self._raw)


def _made(given: Any, kind: type[T], stand_ins: Mapping[str, Any]) -> dict[int, T]:
    """Those of a list that can be looked at as a whole, by their places."""
    found = {}
    for place, each in enumerate(_listed(given)):
        with contextlib.suppress(msgspec.ValidationError):
            found[place] = msgspec.convert({**stand_ins, **_usable(each)} if isinstance(each, dict) else each, kind)
    return found


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _usable(value: Any) -> Any:
    """The value without what is `BAD` in it."""
    if isinstance(value, dict):
        return {name: _usable(each) for name, each in value.items() if each is not BAD}
    if isinstance(value, list):
        return [_usable(each) for each in value if each is not BAD]
    return value


def _options(kind: Any) -> Iterator[Any]:
    """The types that a value may have, without their bounds."""
    if get_origin(kind) is Annotated:
        yield from _options(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for each in get_args(kind):
            yield from _options(each)
    else:
        yield kind


def _outer(kind: Any) -> Any:
    """The type of a list with its bounds, whatever its elements."""
    return Annotated[(list[Any], *get_args(kind)[1:])] if get_origin(kind) is Annotated else list[Any]


def _refused(value: Any, kind: Any) -> str:
    """Why a value is not of a type; empty if it is."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        path, said = placed(str(error))
        return in_plain_words(said + choices(said, path, kind))
    return ""


def _syntax_line(said: str, text: str) -> int:
    line = re.search(r"\(at line (\d+), column \d+\)", said)
    if line is not None:
        return int(line[1])
    return max(1, len(text.rstrip().splitlines())) if "at end of document" in said else 1
