"""Why a message bounced: from reply code, enhanced status and diagnostic text to one class and kind. Pure.

The rules are data, `schemas/bounce_rules.toml`; that file says in which order they are asked. Text comes
before codes because large providers use codes against their definition. Diagnostics are masked (addresses,
IPs, ids, long numbers) before a rule sees them, so one cached answer serves all bounces of one wording.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from schemas.event import MailEvent

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

DEFAULT_FILE = Path(__file__).parent.parent / "schemas" / "bounce_rules.toml"
#: What is looked at of a diagnostic, in characters; servers put the reason first.
MAX_TEXT = 1000
CACHE_MASKED = 65_536
CACHE_RAW = 8_192


class RulesError(ValueError):
    """The rules cannot be used; the message names the file, the rule and what is wrong."""


@dataclass(frozen=True, slots=True)
class Classified:
    """The verdict on one bounce: its class, its kind (`hard`, `soft`, `block`) and the rule that said so.

    `rule` is `source` where the sender of the event named the class, `none` where no rule applied.
    """

    bounce_class: str
    kind: Kind
    rule: str


#: From a bounced event to the verdict.
Classifier = Callable[[MailEvent], Classified]

Status = Annotated[str, msgspec.Meta(pattern=r"\A[x45]\.\d{1,3}\.(\d{1,3}|\*)\Z")]
Code = Annotated[str, msgspec.Meta(pattern=r"\A[45]\d\d\Z")]
Phrase = Annotated[str, msgspec.Meta(pattern=r"\A[^A-Z]{2,}\Z")]
RuleName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]+\Z")]


class TextRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Applies where one of the phrases `any` stands in the lower-cased, masked diagnostic, none of `unless`
    does, and the enhanced status is one of `status` (any, where `status` is empty).
    """

    name: RuleName
    bounce_class: BounceClass = msgspec.field(name="class")
    any: Annotated[tuple[Phrase, ...], msgspec.Meta(min_length=1)]
    unless: tuple[Phrase, ...] = ()
    status: tuple[Status, ...] = ()
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


class Rules(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file, in the order in which it is asked."""

    text: tuple[TextRule, ...]
    status: tuple[StatusRule, ...]
    code: tuple[CodeRule, ...]


# No quantifier stands inside another, and an address can only begin where a word does: linear time.
_MASK = re.compile(
    r"(?<![^\s<>@\"'(])[^\s<>@\"'(]{1,64}@[^\s<>\"')]+"  # addresses
    r"|\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"  # IPv4
    r"|\b[0-9a-f]{1,4}:[0-9a-f]{0,4}:[0-9a-f:]+"  # IPv6, times of day
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+"  # UUIDs
    r"|\b[a-z]{0,6}\d\w{8,}"  # queue and session ids
    r"|\b[0-9a-f]{12,}\b"
    r"|\d{4,}"
)
#: Reply code and enhanced status where the fields are empty: at the start, or after what quotes them.
_CODE = re.compile(r"(?:^|[\s'\":<(])([45]\d\d)[ -]")
_STATUS = re.compile(r"(?:^|[\s#('\":-])([45]\.\d{1,3}\.\d{1,3})\b")


def mask(diagnostic: str) -> str:
    """The diagnostic in lower case, cut to `MAX_TEXT`, with all that differs from bounce to bounce as `#`."""
    return " ".join(_MASK.sub("#", diagnostic[:MAX_TEXT].lower()).split())


class BounceClassifier:
    """The rules, indexed and cached. Calling it with a bounced event gives the verdict."""

    def __init__(self, rules: Rules) -> None:
        """Index the rules.

        Raises:
            RulesError: a rule's name, a status or a code is given twice.
        """
        self._text = rules.text
        self._status: dict[str, str] = {}
        self._code: dict[str, str] = {}
        names = [rule.name for rule in rules.text]
        for name in names:
            if names.count(name) > 1:
                raise RulesError(f"text rule `{name}` is defined twice")
        for status_rule in rules.status:
            for status in status_rule.status:
                _put(self._status, status, status_rule.bounce_class, "status")
        for code_rule in rules.code:
            for code in code_rule.code:
                _put(self._code, code, code_rule.bounce_class, "code")
        self._by_mask = lru_cache(maxsize=CACHE_MASKED)(self._judge)
        self._by_text = lru_cache(maxsize=CACHE_RAW)(self._masked)

    def __call__(self, event: MailEvent) -> Classified:
        """The verdict on a bounced event. A known class that the source gave is kept."""
        if event.bounce_class:
            kind = KINDS.get(event.bounce_class)
            if kind is not None:
                return Classified(event.bounce_class, kind, "source")
        return self._by_text(event.smtp_code, event.enhanced_status, event.diagnostic[:MAX_TEXT])

    def classify(self, smtp_code: int, enhanced_status: str, diagnostic: str) -> Classified:
        """The verdict on a reply code (0: not known), an enhanced status and a text (empty: not known)."""
        return self._by_text(smtp_code, enhanced_status, diagnostic[:MAX_TEXT])

    def _masked(self, smtp_code: int, enhanced_status: str, diagnostic: str) -> Classified:
        status = enhanced_status.strip()
        code = str(smtp_code) if 400 <= smtp_code <= 599 else ""
        # Codes of the reply itself, for sources that pass on the text alone.
        if not code and (found := _CODE.search(diagnostic)):
            code = found[1]
        if (not status or status.startswith("2.")) and (found := _STATUS.search(diagnostic)):
            status = found[1]
        return self._by_mask(code, status, mask(diagnostic))

    def _judge(self, code: str, status: str, text: str) -> Classified:
        for rule in self._text:
            if (
                any(phrase in text for phrase in rule.any)
                and not any(phrase in text for phrase in rule.unless)
                and (not rule.status or _covers(rule.status, status))
            ):
                return _verdict(rule.bounce_class, code, status, rule.name)
        for form in _forms(status):
            if form in self._status:
                return _verdict(self._status[form], code, status, f"status-{form}")
        if code in self._code:
            return _verdict(self._code[code], code, status, f"code-{code}")
        return Classified("other", "soft", "none")


def _put(table: dict[str, str], key: str, value: str, what: str) -> None:
    if key in table:
        raise RulesError(f"{what} {key} is given twice")
    table[key] = value


def _forms(status: str) -> Sequence[str]:
    """The ways in which rules may name a status, most exact first."""
    parts = status.split(".")
    if len(parts) != 3:
        return ()
    digit, subject, _ = parts
    return (status, f"x{status[1:]}", f"{digit}.{subject}.*", f"x.{subject}.*")


def _covers(wanted: Sequence[str], status: str) -> bool:
    return any(form in wanted for form in _forms(status))


def _verdict(bounce_class: str, code: str, status: str, rule: str) -> Classified:
    """A failure that the server called temporary is never hard, whatever its reason (RFC 5321 section 4.2.1,
    RFC 3463 section 2). The enhanced status, where given, outranks the reply code.
    """
    kind = KINDS[bounce_class]
    if kind == "hard" and (status or code).startswith("4"):
        kind = "soft"
    return Classified(bounce_class, kind, rule)


def load(path: Path | None = None) -> BounceClassifier:
    """The classifier with the rules in `path`, by default those that come with the project.

    Raises:
        RulesError: the file cannot be read, is not TOML, or breaks the schema.
    """
    file = DEFAULT_FILE if path is None else path
    try:
        return BounceClassifier(msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Rules))
    except OSError as error:
        raise RulesError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesError(f"{file}: not valid TOML: {error}") from error
    except (msgspec.ValidationError, RulesError) as error:
        raise RulesError(f"{file}: {error}") from error
