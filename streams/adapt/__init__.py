"""Formats: how the messages of each kind of sender become canonical events. Pure.

In come the bytes of one message, line or record, and what the settings say of the format; out go events (or listings)
that are checked, with the recipient hashed, or an `AdaptError` that names the field. One module a format, each with a
function `adapt`, which `adapter` finds by the format's name; all end in `canonical.complete`. It uses no other room.
Intake and listings may import it, and jobs and api, which read files and webhooks.
"""

from collections.abc import Callable

from schemas.nearest import meant
from streams.adapt import (
    arf,
    brevo,
    canonical,
    dsn,
    exim,
    hetrixtools,
    kumomta,
    listings,
    mailersend,
    mailgun,
    mailjet,
    mailtrap,
    mandrill,
    postal,
    postfix,
    postmark,
    powermta,
    powermta_lines,
    resend,
    sendgrid,
    ses,
    socketlabs,
    sparkpost,
    unisender,
)
from streams.adapt.base import (
    Adapter,
    AdaptError,
    BatchAdapter,
    Context,
    FormatOptions,
    ListingAdapter,
    Lists,
    OrderedAdapter,
)

__all__ = [
    "EVERY_FORMAT",
    "FORMATS",
    "LISTING_FORMATS",
    "MAILS",
    "NO_LATE_MARK",
    "AdaptError",
    "Adapter",
    "BatchAdapter",
    "Context",
    "FormatOptions",
    "ListingAdapter",
    "Lists",
    "OrderedAdapter",
    "adapter",
    "batch_adapter",
    "file_adapter",
    "listing_adapter",
    "ordered_adapter",
]

_ADAPTERS: dict[str, Adapter] = {
    "canonical": canonical.adapt,
    "kumomta": kumomta.adapt,
    "sendgrid": sendgrid.adapt,
    "socketlabs": socketlabs.adapt,
    "arf": arf.adapt,
    "dsn": dsn.adapt,
    "postfix": postfix.adapt,
    "exim": exim.adapt,
    "powermta": powermta.adapt,
    "ses": ses.adapt,
    "mailgun": mailgun.adapt,
    "postmark": postmark.adapt,
    "sparkpost": sparkpost.adapt,
    "mailjet": mailjet.adapt,
    "brevo": brevo.adapt,
    "mandrill": mandrill.adapt,
    "mailersend": mailersend.adapt,
    "resend": resend.adapt,
    "postal": postal.adapt,
    "mailtrap": mailtrap.adapt,
    "unisender": unisender.adapt,
}

#: Formats of which a message is a whole mail.
MAILS = frozenset({"arf", "dsn"})
#: Formats whose bounces do not say whether they came after the delivery.
NO_LATE_MARK = frozenset(
    {
        "brevo", "mailersend", "mailjet", "mailtrap", "mandrill", "postmark", "resend", "sendgrid", "ses", "socketlabs",
        "unisender",
    }
)  # fmt: skip
#: Formats in which an earlier line of a file tells something of later ones.
_IN_ORDER: dict[str, Callable[[], OrderedAdapter]] = {
    "postfix": postfix.Journal,
    "exim": exim.MainLog,
    "kumomta": kumomta.LogFile,
    "powermta": powermta.Accounting,
}

#: Formats of outside blocklist monitors.
_LISTING_ADAPTERS: dict[str, ListingAdapter] = {"hetrixtools": hetrixtools.adapt, "listings": listings.adapt}

#: Names of the formats of mail events that can be read, of blocklist events, and of both.
FORMATS: tuple[str, ...] = tuple(_ADAPTERS)
LISTING_FORMATS: tuple[str, ...] = tuple(_LISTING_ADAPTERS)
EVERY_FORMAT = FORMATS + LISTING_FORMATS


def adapter(name: str) -> Adapter:
    """The adapter of the format `name`.

    Raises:
        AdaptError: there is no such format.
    """
    found = _ADAPTERS.get(name)
    if found is None:
        raise AdaptError(f"unknown format `{name}`; known are {', '.join(EVERY_FORMAT)}{meant(name, EVERY_FORMAT)}")
    return found


def batch_adapter(adapt: Adapter) -> BatchAdapter | None:
    """What does the same as an adapter for many messages at once; None where its format has no such way."""
    if adapt is canonical.adapt:
        return canonical.adapt_all
    return kumomta.adapt_all if adapt is kumomta.adapt else None


def listing_adapter(name: str) -> ListingAdapter:
    """The adapter of the format `name`, one of `LISTING_FORMATS`."""
    return _LISTING_ADAPTERS[name]


def file_adapter(name: str) -> Adapter:
    """An adapter of the format `name` for the records of one file, one after another.

    Raises:
        AdaptError: there is no such format.
    """
    return _IN_ORDER[name]().adapt if name in _IN_ORDER else adapter(name)


def ordered_adapter(name: str) -> OrderedAdapter | None:
    """One that remembers, for the lines of one file; None for formats whose records stand by themselves."""
    if name == powermta.NAME:
        return powermta_lines.AccountingLines()
    return _IN_ORDER[name]() if name in _IN_ORDER else None
