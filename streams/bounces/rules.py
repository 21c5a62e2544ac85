"""The rules by which bounces are classified: their schema, and how a file of them is read.

The rules are data, `schemas/bounce_rules.toml`; that file says in which order they are asked. An operator may have a
file of their own, whose rules are asked before those.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

import msgspec

import schemas
from schemas.errors import InvalidInputError
from schemas.plain_fault import field_first
from schemas.providers import ProviderName
from schemas.written_file import read_written
from streams.bounces.text import mask

BounceClass = Literal[
    "invalid_recipient",
    "inactive_mailbox",
    "bad_domain",
    "quota",
    "blocked",
    "spam_content",
    "policy",
    "auth_failure",
    "rate_limited",
    "message_too_large",
    "routing_dns",
    "connection",
    "protocol",
    "expired",
    "virus",
    "other",
]
Kind = Literal["hard", "soft", "block"]

CLASSES: tuple[str, ...] = get_args(BounceClass)
_HARD = frozenset({"invalid_recipient", "inactive_mailbox", "bad_domain"})
_BLOCK = frozenset({"blocked", "spam_content", "policy", "auth_failure", "virus"})
KINDS: dict[str, Kind] = {name: "hard" if name in _HARD else "block" if name in _BLOCK else "soft" for name in CLASSES}

DEFAULT_FILE = Path(schemas.__file__).parent / "bounce_rules.toml"

Status = Annotated[str, msgspec.Meta(pattern=r"\A[x45]\.\d{1,3}\.(\d{1,3}|\*)\Z")]
Code = Annotated[str, msgspec.Meta(pattern=r"\A[45]\d\d\Z")]
Phrase = Annotated[str, msgspec.Meta(pattern=r"\A[^A-Z]{2,}\Z")]
RuleName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]+\Z")]


class RulesError(InvalidInputError):
    """The rules cannot be used; the message names the file, the rule and what is wrong."""


class TextRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Applies where one of the phrases `any` stands in the lower-cased, masked diagnostic, one of `besides` too, none
    of `unless` does, the enhanced status is one of `status` and the mailbox provider one of `provider`. What is not
    given asks nothing.

    `kind` is given where it is not that of the class: `soft` where the words do not prove what they say, `hard` where
    they do, whatever the codes. A `late` rule is asked after the statuses: its words say less than one of those.
    """

    name: RuleName
    bounce_class: BounceClass = msgspec.field(name="class")
    any: Annotated[tuple[Phrase, ...], msgspec.Meta(min_length=1)]
    besides: tuple[Phrase, ...] = ()
    unless: tuple[Phrase, ...] = ()
    status: tuple[Status, ...] = ()
    provider: tuple[ProviderName, ...] = ()
    kind: Literal["hard", "soft", ""] = ""
    late: bool = False
    source: str = ""


class StatusRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Applies to enhanced statuses. `x` stands for 4 or 5; a `*` detail is asked after every exact one."""

    bounce_class: BounceClass = msgspec.field(name="class")
    status: Annotated[tuple[Status, ...], msgspec.Meta(min_length=1)]
    source: str = ""


class CodeRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Applies to reply codes."""

    bounce_class: BounceClass = msgspec.field(name="class")
    code: Annotated[tuple[Code, ...], msgspec.Meta(min_length=1)]
    source: str = ""


class RulesFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A whole file, in the order in which it is asked."""

    text: tuple[TextRule, ...]
    status: tuple[StatusRule, ...]
    code: tuple[CodeRule, ...]


class OwnRules(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An operator's file: any part may be missing."""

    text: tuple[TextRule, ...] = ()
    status: tuple[StatusRule, ...] = ()
    code: tuple[CodeRule, ...] = ()


File = TypeVar("File", RulesFile, OwnRules)


class RuleSet:
    """Rules, indexed: text rules in order (`late` ones by themselves), the class of each form of a status and of each
    reply code.
    """

    __slots__ = ("codes", "late", "statuses", "texts")

    def __init__(self, rules: RulesFile | OwnRules) -> None:
        """Index the rules.

        Raises:
            RulesError: a rule's name, a status or a code is given twice, or a phrase could never be found.
        """
        self.texts = tuple(rule for rule in rules.text if not rule.late)
        self.late = tuple(rule for rule in rules.text if rule.late)
        self.statuses: dict[str, str] = {}
        self.codes: dict[str, str] = {}
        _refuse_twice(rules.text)
        _refuse_masked(rules.text)
        for status_rule in rules.status:
            for status in status_rule.status:
                _put(self.statuses, status, status_rule.bounce_class, "status")
        for code_rule in rules.code:
            for code in code_rule.code:
                _put(self.codes, code, code_rule.bounce_class, "code")

    def before(self, others: "RuleSet") -> "RuleSet":
        """These rules, asked before others; a status or code that both name has the class that these give.

        Raises:
            RulesError: both name a rule alike.
        """
        together = RuleSet(OwnRules())
        together.texts = self.texts + others.texts
        together.late = self.late + others.late
        _refuse_twice(together.texts + together.late)
        together.statuses = others.statuses | self.statuses
        together.codes = others.codes | self.codes
        return together


def _refuse_twice(rules: tuple[TextRule, ...]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise RulesError(f"text rule `{rule.name}` is defined twice")
        seen.add(rule.name)


def _refuse_masked(rules: tuple[TextRule, ...]) -> None:
    for rule in rules:
        for phrase in (*rule.any, *rule.besides, *rule.unless):
            if mask(phrase) != " ".join(phrase.split()):
                raise RulesError(
                    f"text rule `{rule.name}`: `{phrase}` is never found, since diagnostics are looked at with "
                    f"addresses, ids and long numbers as `#`: write `{mask(phrase)}`"
                )


def _put(table: dict[str, str], key: str, value: str, what: str) -> None:
    if key in table:
        raise RulesError(f"{what} {key} is given twice")
    table[key] = value


def read(path: Path | None = None, own: Path | None = None) -> RuleSet:
    """The rules in `path`, by default those that come with the project, after those in `own`.

    Raises:
        RulesError: a file cannot be read, is not TOML, or breaks the schema.
    """
    rules = _shipped() if path is None else _read(path, RulesFile)
    return rules if own is None else _read(own, OwnRules, rules)


@cache
def _shipped() -> RuleSet:
    """Those that come with the project, read once a process: nobody changes a set of rules."""
    return _read(DEFAULT_FILE, RulesFile)


def _read(file: Path, form: type[File], after: RuleSet | None = None) -> RuleSet:
    try:
        rules = RuleSet(msgspec.convert(tomllib.loads(read_written(file)), form))
        return rules if after is None else rules.before(after)
    except OSError as error:
        raise RulesError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RulesError(f"{file}: not valid TOML: {error}") from error
    except (msgspec.ValidationError, RulesError) as error:
        raise RulesError(f"{file}: {field_first(str(error))}") from error
