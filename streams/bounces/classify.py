"""Why a message bounced: from reply code, enhanced status, diagnostic text and provider to one class and kind. Pure.

Text comes before codes because large providers use codes against their definition. Diagnostics are masked (addresses,
IPs, ids, long numbers) before a rule sees them, so one cached answer serves all bounces of one wording.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas import providers
from schemas.event import MailEvent
from streams.bounces.rules import CLASSES, KINDS, Kind, RulesError, RuleSet, TextRule, read
from streams.bounces.text import MAX_TEXT, code_in, enclosed_in, hosts_in, mask, quoted_in, status_in

__all__ = [
    "CLASSES",
    "KINDS",
    "MAX_TEXT",
    "BounceClassifier",
    "Classified",
    "Classifier",
    "RulesError",
    "load_bounce_classifier",
    "mask",
]

CACHE_MASKED = 65_536
CACHE_RAW = 8_192
#: RFC 3463 section 2: class, subject and detail; of a failure.
_STATUS = re.compile(r"[45]\.\d{1,3}\.\d{1,3}")
_UNKNOWN = ("", providers.OTHER)


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
#: Reply code, enhanced status, text, provider.
_Asked = tuple[int, str, str, str]


class BounceClassifier:
    """The rules, cached. Calling it with a bounced event gives the verdict."""

    def __init__(self, rules: RuleSet, known: providers.Providers) -> None:
        """`known` tells whose host a diagnostic names, where the event does not say the provider."""
        self._rules = rules
        self._known = known
        # Two steps: texts that come again word for word, as those without addresses do, need not be masked.
        self._by_text: dict[_Asked, Classified] = {}
        self._by_mask: dict[_Asked, Classified] = {}

    def __call__(self, event: MailEvent) -> Classified:
        """The verdict on a bounced event. A known class that the source gave is kept."""
        if event.bounce_class:
            kind = KINDS.get(event.bounce_class)
            if kind is not None:
                return Classified(event.bounce_class, kind, "source")
        return self.classify(event.smtp_code, event.enhanced_status, event.diagnostic, event.provider)

    def classify(self, smtp_code: int, enhanced_status: str, diagnostic: str, provider: str = "") -> Classified:
        """The verdict on a reply code (0: not known), an enhanced status, a text and the name of a mailbox provider
        (empty: not known).
        """
        asked = (smtp_code, enhanced_status, diagnostic[:MAX_TEXT], provider)
        verdict = self._by_text.get(asked)
        if verdict is None:
            masked = (smtp_code, enhanced_status, mask(diagnostic), provider)
            verdict = self._by_mask.get(masked)
            if verdict is None:
                verdict = self.judge(*masked)
                _keep(self._by_mask, masked, verdict, CACHE_MASKED)
            if len(self._by_text) >= CACHE_RAW:
                self._by_text.clear()
            self._by_text[asked] = verdict
        return verdict

    def judge(self, smtp_code: int, enhanced_status: str, text: str, provider: str) -> Classified:
        """The verdict on a masked text, without a cache."""
        # Codes of the reply itself, for sources that pass on the text alone.
        code = str(smtp_code) if 400 <= smtp_code <= 599 else code_in(text)
        status = enhanced_status.strip()
        if reply := enclosed_in(text):
            text, status = reply, ""
        # A host that keeps what was refused for good (`soft_bounce` of Postfix) changes the status, not the reply.
        elif status[:1] == "4" and code[:1] == "5" and status_in(text)[:1] == "5":
            status = ""
        # Subject 0 says nothing: only x.0.0 is registered, and senders fill it in where the reply has no status.
        if not _STATUS.fullmatch(status) or status[1:4] == ".0.":
            status = status_in(text) or (f"{status[0]}.0.0" if _STATUS.fullmatch(status) else "")
        if provider in _UNKNOWN:
            found = (self._known.of_mx(host) for host in hosts_in(text))
            provider = next((name for name in found if name != providers.OTHER), providers.OTHER)
        forms = _forms(status)
        quoted = quoted_in(text)
        said = (text,) if quoted is text else (quoted, text)
        if rule := _first(self._rules.texts, said, forms, provider):
            return _verdict(rule.bounce_class, code, status, rule.name, rule.kind)
        for form in forms:
            if form in self._rules.statuses:
                return _verdict(self._rules.statuses[form], code, status, f"status-{form}")
        if rule := _first(self._rules.late, said, forms, provider):
            return _verdict(rule.bounce_class, code, status, rule.name, rule.kind)
        if code in self._rules.codes:
            return _verdict(self._rules.codes[code], code, status, f"code-{code}")
        return Classified("other", "soft", "none")


def _keep(cache: dict[_Asked, Classified], asked: _Asked, verdict: Classified, most: int) -> None:
    if len(cache) >= most:
        cache.clear()
    cache[asked] = verdict


def _first(rules: Sequence[TextRule], said: Sequence[str], forms: Sequence[str], provider: str) -> TextRule | None:
    """The first rule that applies to the first text, else to the next."""
    return next((rule for text in said for rule in rules if _applies(rule, text, forms, provider)), None)


def _applies(rule: TextRule, text: str, forms: Sequence[str], provider: str) -> bool:
    return (
        (not rule.provider or provider in rule.provider)
        and any(phrase in text for phrase in rule.any)
        and (not rule.besides or any(phrase in text for phrase in rule.besides))
        and not any(phrase in text for phrase in rule.unless)
        and (not rule.status or any(form in rule.status for form in forms))
    )


def _forms(status: str) -> Sequence[str]:
    """The ways in which rules may name a status, most exact first."""
    parts = status.split(".")
    if len(parts) != 3:
        return ()
    digit, subject, _ = parts
    return (status, f"x{status[1:]}", f"{digit}.{subject}.*", f"x.{subject}.*")


def _verdict(bounce_class: str, code: str, status: str, rule: str, kind: Kind | Literal[""] = "") -> Classified:
    """A failure that the server called temporary is not hard, whatever its reason (RFC 5321 section 4.2.1, RFC 3463
    section 2), unless the rule says so. The enhanced status, where given, outranks the reply code.
    """
    if not kind:
        kind = KINDS[bounce_class]
        if kind == "hard" and (status or code).startswith("4"):
            kind = "soft"
    return Classified(bounce_class, kind, rule)


def load_bounce_classifier(path: Path | None = None, own: Path | None = None) -> BounceClassifier:
    """The classifier with the rules in `path`, by default those that come with the project, after those in `own`.

    Raises:
        RulesError: a file cannot be read, is not TOML, or breaks the schema.
        ProvidersError: the provider table cannot be used.
    """
    return BounceClassifier(read(path, own), providers.load_providers())
