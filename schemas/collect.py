"""What the webhook collector is given: where it listens, how much it takes, and whose webhooks."""

import re
from typing import Annotated

from msgspec import Meta

from schemas.errors import InvalidInputError
from schemas.event import MAX_EVENT_BYTES
from schemas.quantities import Seconds
from schemas.secrets import Address, Secret, Section
from schemas.topics import MAIL_EVENTS, NAMES

#: A source's name is a part of its URL.
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
#: Legal names of Kafka topics (Kafka documentation, "Topic naming").
TOPIC_NAME = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]{1,249}")


class CollectError(InvalidInputError):
    """A source is wrong; the message names it and what of it."""


class Source(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Whose webhooks are taken, in which format, and how it is proved that they are (docs/webhooks.md)."""

    format: str
    """The webhook's format."""
    topic: str = ""
    """Where its bodies go; empty is `mail.webhooks.FORMAT`."""
    secret: Secret = ""
    """What the provider signs with: a signing key, a webhook's key, an API key."""
    public_key: str = ""
    """What its signature is checked with: PEM, or DER in base64."""
    topic_arn: str = ""
    """The SNS topic (SES)."""
    url: Address = ""
    """The webhook's address, where it is signed too (Mandrill)."""
    user: str = ""
    """Asked for with `password`, as HTTP basic authentication."""
    password: Secret = ""
    """See `user`."""
    token: Secret = ""
    """Asked for as a bearer token."""
    addresses: tuple[str, ...] = ()
    """Mail to these comes in by LMTP (`arf`, `dsn`); `*` is anything, as in `bounce+*@mail.example.com`."""
    unsigned: bool = False
    """Take webhooks of a format that signs without looking at the signature."""
    tolerance_s: Seconds | None = None
    """How old a signature with a time may be; without it the format's own limit holds."""

    @property
    def into(self) -> str:
        """The topic its webhooks go to."""
        return self.topic or f"mail.webhooks.{self.format}"


class Collect(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The webhook collector (docs/webhooks.md)."""

    host: str = "127.0.0.1"
    """Where it listens."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8090
    """Its port; 0 is any free one."""
    lmtp: str = ""
    """Where mail for `addresses` of sources comes in by LMTP: the path of a unix socket, or a port of this host such as
    `127.0.0.1:8024`; empty is nowhere."""
    max_bytes: Annotated[int, Meta(ge=1, le=MAX_EVENT_BYTES, extra={"unit": "bytes"})] = MAX_EVENT_BYTES
    """How large a body may be."""
    batch_bytes: Annotated[int, Meta(ge=1, le=64_000_000, extra={"unit": "bytes"})] = 8_000_000
    """How large a batch of events may be; it is handed on in several messages."""
    max_inflight_bytes: Annotated[int, Meta(ge=MAX_EVENT_BYTES, extra={"unit": "bytes"})] = 64_000_000
    """How large all bodies being handled may be together."""
    body_s: Seconds = 30.0
    """How long a body may take to come."""
    acknowledge_s: Annotated[float, Meta(ge=0.1, le=600, extra={"unit": "s"})] = 10.0
    """How long the broker may take to acknowledge one."""
    sources: dict[str, Source] = {}
    """By name, the last part of a webhook's address."""


def with_sources(formats: dict[str, str], collect: Collect) -> dict[str, str]:
    """The formats of all topics: those that are set, and those that the collector's sources bring.

    Raises:
        CollectError: a name that cannot be one, or two formats for one topic.
    """
    found = dict(formats)
    for name, source in collect.sources.items():
        if not SOURCE_NAME.fullmatch(name):
            raise CollectError(
                f"collect.sources: {name!r} cannot be a name: small letters, digits, `.`, `_`, `-`, at most 64"
            )
        where = f"collect.sources.{name}"
        if not TOPIC_NAME.fullmatch(source.into):
            raise CollectError(f"{where}: {source.into!r} cannot be the name of a topic")
        if source.into in NAMES and source.into != MAIL_EVENTS:
            raise CollectError(f"{where}: the topic {source.into} has its own format and takes no other")
        if (other := found.setdefault(source.into, source.format)) != source.format:
            raise CollectError(
                f"{where}: the topic {source.into} is read as {other}; {source.format} needs another topic"
            )
    return found
