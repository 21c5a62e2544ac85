"""What the webhook collector is told: where it listens, how much it takes, and whose webhooks."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.errors import InvalidInputError
from schemas.event import MAX_EVENT_BYTES
from schemas.topics import MAIL_EVENTS, NAMES

#: A source's name is a part of its URL.
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
#: Legal names of Kafka topics (Kafka documentation, "Topic naming").
TOPIC_NAME = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]{1,249}")

Seconds = Annotated[float, Meta(gt=0, le=1e9)]


class CollectError(InvalidInputError):
    """A source is wrong; the message names it and what of it."""


class Source(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Whose webhooks are taken, in which format, and how it is proved that they are.

    `topic` is `mail.webhooks.FORMAT` where empty. `secret` is what the provider signs with (a signing key, a webhook's
    key, an API key), `public_key` what its signature is checked with (PEM, or DER in base64), `topic_arn` the SNS
    topic, `url` the webhook's address where it is signed too (Mandrill). `user` and `password` are asked for as HTTP
    basic authentication, `token` as a bearer token. `unsigned` takes webhooks of a format that signs without looking at
    the signature. `tolerance_s` is how old a signature with a time may be; without it the format's own limit holds.
    """

    format: str
    topic: str = ""
    secret: str = ""
    public_key: str = ""
    topic_arn: str = ""
    url: str = ""
    user: str = ""
    password: str = ""
    token: str = ""
    unsigned: bool = False
    tolerance_s: Seconds | None = None

    @property
    def into(self) -> str:
        """The topic its webhooks go to."""
        return self.topic or f"mail.webhooks.{self.format}"


class Collect(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The webhook collector. `sources` are by name, the last part of a webhook's address.

    A body has at most `max_bytes` and comes within `body_s`. A batch of events may have `batch_bytes`: it is handed on
    in several messages. All bodies being handled together have at most `max_inflight_bytes`. The broker has
    `acknowledge_s` to take one.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8090
    max_bytes: Annotated[int, Meta(ge=1, le=MAX_EVENT_BYTES)] = MAX_EVENT_BYTES
    batch_bytes: Annotated[int, Meta(ge=1, le=64_000_000)] = 8_000_000
    max_inflight_bytes: Annotated[int, Meta(ge=MAX_EVENT_BYTES)] = 64_000_000
    body_s: Seconds = 30.0
    acknowledge_s: Annotated[float, Meta(ge=0.1, le=600)] = 10.0
    sources: dict[str, Source] = {}


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
