"""Feedback reports (RFC 5965): their types, and who reports."""

from collections.abc import Iterable
from typing import cast, get_args

from schemas.event import FeedbackType
from schemas.providers import OTHER, Providers

_KNOWN: frozenset[str] = frozenset(get_args(FeedbackType))


def feedback_type(value: str) -> FeedbackType:
    """The registered type, in any letter case.

    An unregistered type is read as `other`, a report without a type as `abuse`, the type that a complaint by
    the recipient has (RFC 5965 section 7.3).
    """
    name = value.strip().lower().replace("_", "-")
    if not name:
        return "abuse"
    return cast(FeedbackType, name) if name in _KNOWN else "other"


def reporting_provider(hosts: Iterable[str], providers: Providers) -> str:
    """The provider to which the first known of these host names belongs; empty if none does.

    Reports often hide who complained. `arf.mail.yahoo.com` still tells that it was a Yahoo mailbox, and only
    then can the complaint enter a rate.
    """
    for host in hosts:
        labels = host.lower().rstrip(".").split(".")[-8:]
        for first in range(len(labels) - 1):
            name = providers.of(".".join(labels[first:]))
            if name != OTHER:
                return name
    return ""
