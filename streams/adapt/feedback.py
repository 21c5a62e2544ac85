"""Feedback reports (RFC 5965): their types, who reports, and what of a recipient is hidden."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast, get_args

from schemas.event import FeedbackType, MailEvent
from schemas.feedback_loops import load_feedback_loops
from schemas.providers import OTHER, Providers
from streams.adapt.addresses import addresses_in

_KNOWN: frozenset[str] = frozenset(get_args(FeedbackType))
#: Names of drafts and of reporters for registered types.
_OLD_NAMES = {"opt-out-list": "opt-out", "unsubscribe": "opt-out", "dkim": "auth-failure", "complaint": "abuse"}
#: Local parts that stand for a hidden one. RFC 6590 leaves the choice to the reporter; a hash cannot be recognized.
_HIDDEN = re.compile(
    r"[\[(]?(?:redacted|hidden|removed|undisclosed|anonymi[sz]ed|masked|suppressed)"
    r"(?:[-_.]?(?:address|recipients?|user|email|mail))?[\])]?|x{3,}|\W*|.*\*\*.*",
    re.IGNORECASE,
)
#: The same of domains: `redacted`, `redacted.invalid`, `xxxxx.xxx`; names below `invalid` are nobody's (RFC 2606).
_HIDDEN_DOMAIN = re.compile(
    r"(?:.*\.)?invalid|\[?(?:redacted|hidden|removed|undisclosed)\]?(?:\..*)?|x{3,}(?:\..*)?|.*[*\[\]()].*"
)
#: What an address alone does not have.
_SEVERAL = re.compile(r"[,<(]")
#: `rfc822;` before an address, as delivery status notifications have it (RFC 3464 section 2.1.2).
_TYPED = re.compile(r"\A\s*(?:rfc822|utf-8|smtp|x-\w+)\s*;\s*", re.IGNORECASE)


def feedback_type(value: str) -> FeedbackType:
    """The registered type, in any letter case.

    An unregistered type is read as `other`, a report without a type as `abuse`, the type that a complaint by
    the recipient has (RFC 5965 section 7.3).
    """
    name = re.split(r"[\s;,(]", value.strip().lower(), maxsplit=1)[0].replace("_", "-")
    if not name:
        return "abuse"
    name = _OLD_NAMES.get(name, name)
    return cast(FeedbackType, name) if name in _KNOWN else "other"


@dataclass(frozen=True, slots=True)
class Reporter:
    """What tells whose mailbox it was: the names that the report gives its provider (`Source`), the hosts that made and
    sent it, and the program that did (`User-Agent`)."""

    names: Iterable[str] = ()
    hosts: Iterable[str] = ()
    agent: str = ""


def reporting_provider(reporter: Reporter, providers: Providers) -> str:
    """The provider whose mailbox it was, by who reports; empty where that is not known.

    Reports often hide who complained. `arf.mail.yahoo.com` still tells that it was a Yahoo mailbox, and only
    then can the complaint enter a rate.
    """
    loops = load_feedback_loops()
    found = (
        *map(loops.by_name, reporter.names),
        *(loops.by_host(host, providers) for host in reporter.hosts if host),
        loops.by_agent(reporter.agent),
    )
    return next(filter(None, found), "")


def set_recipient(event: MailEvent, address: str, reporter: Reporter, providers: Providers) -> None:
    """Say in the event who complained, as far as the report does not hide it, and at which provider.

    The provider of the recipient's domain takes precedence over the reporter's; but of a domain for which none is known
    the reporter is asked, since a company's domain may have its mail there.
    """
    event.recipient = event.recipient_domain = ""
    local, _, domain = address.rpartition("@")
    domain = domain.lower().rstrip(".")
    if hides_domain(domain):
        domain = ""
    elif _HIDDEN.fullmatch(local):
        event.recipient_domain = domain
    else:
        event.recipient = address
    if providers.of(domain) == OTHER:
        event.provider = reporting_provider(reporter, providers)


def hides_domain(domain: str) -> bool:
    """Whether a recipient's domain is missing, or one that reporters put in place of the real one."""
    return not domain or domain in load_feedback_loops().hidden or _HIDDEN_DOMAIN.fullmatch(domain) is not None


def bare_address(value: str) -> str:
    """An address without a type before it, and without a name, angle brackets and blanks around it."""
    return next(iter(named_addresses(value)), "")


def named_addresses(value: str) -> list[str]:
    """The addresses of a report's field, which should have one: `rfc822; iris@shop.example`, `<iris@shop.example>`."""
    text = _TYPED.sub("", value).strip(" \t<>")
    return (addresses_in(text + ">" if "<" in text else text) if _SEVERAL.search(text) else []) or [text]
