"""What an adapter is: the context it is given, the events it returns, the one error it raises."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from hashlib import blake2b
from typing import Any, Literal, Protocol

from schemas.blocklists import Zone
from schemas.errors import InvalidInputError
from schemas.event import MailEvent
from schemas.listing import BlocklistEvent, Weight
from schemas.providers import Providers
from streams.adapt.owners import Owners
from streams.adapt.report_budget import ReportBudget

#: The longest key that BLAKE2b takes, in bytes (RFC 7693 section 2.1).
MAX_HASH_KEY_BYTES = blake2b.MAX_KEY_SIZE
#: Characters kept of an error that had to be escaped.
MAX_ESCAPED = 1_000


@dataclass(frozen=True, slots=True)
class Lists:
    """What listings weigh that outside monitors report: by the table of zones, by the operator's own weights of lists,
    and on lists that neither knows; without `unknown` such are refused."""

    zones: Mapping[str, Zone] = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=dict)
    unknown: Weight | None = "informational"


class AdaptError(InvalidInputError):
    """A message cannot be turned into events; the text says to a person, in one line, which field and what is wrong."""

    def __init__(self, reason: str) -> None:
        """`reason` may repeat values of the message: see `printable`."""
        super().__init__(printable(reason))


def printable(text: str) -> str:
    """Text for logs and terminals: what cannot be printed is escaped, and then it is cut to `MAX_ESCAPED`."""
    if text.isprintable():
        return text
    escaped = (each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return "".join(escaped)[:MAX_ESCAPED]


@dataclass(frozen=True, slots=True)
class ReportTrust:
    """Which reports by mail are believed (`streams.adapt.trust`).

    `reporters` are any, those that a host with one of the `authserv_ids` (lower case) vouches for, or of these the
    known ones, to which those below `reporter_domains` belong. `max_recipients` are taken of a mail for whose reporter
    nobody vouches, `max_per_hour` of a reporter; 0 is the format's own, or no limit.
    """

    reporters: Literal["any", "authenticated", "known"] = "any"
    reporter_domains: tuple[str, ...] = ()
    authserv_ids: tuple[str, ...] = ()
    max_recipients: int = 0
    max_per_hour: int = 0


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """Where one format keeps what is ours alone. Empty text is the format's own default.

    `customer`, `stream`, `sub_account`, `pool` and `dkim_domain` name a place in the format's words: each adapter
    documents its places. `customer` may name several, the first of which that answers is taken. `default_customer` is
    used where none does; without it such a record is an error. `columns` names the fields of lines that come without a
    header line, with commas between them. `time_zone` is that of times without an offset. `trust` is for reports by
    mail. With `deliveries` notifications of success are events. `filters` and `smarthosts` are relays of Postfix, in
    lower case: names or addresses, with a port or without (`192.0.2.7`, `[192.0.2.7]:10024`).
    """

    customer: str | tuple[str, ...] = ""
    default_customer: str = ""
    stream: str = ""
    sub_account: str = ""
    pool: str = ""
    dkim_domain: str = ""
    columns: str = ""
    time_zone: tzinfo = UTC
    trust: ReportTrust = ReportTrust()
    deliveries: bool = False
    filters: frozenset[str] = frozenset()
    smarthosts: frozenset[str] = frozenset()

    @property
    def customer_places(self) -> tuple[str, ...]:
        """Where the customer is looked for, in this order; empty for the format's own default."""
        named = (self.customer,) if isinstance(self.customer, str) else self.customer
        return tuple(filter(None, named))

    def customer_or_default(self, found: str) -> str:
        """The customer that was found in a record; the default one where it is blank."""
        return found.strip() or self.default_customer


NO_OPTIONS = FormatOptions()


@dataclass(frozen=True, slots=True)
class Context:
    """What adapters need to know besides the bytes.

    `hash_key` keys the hash of recipient addresses (1 to 64 bytes). `mapping` holds options by format name. Without
    `hash_all` only recipients of negative events are hashed: of the others nobody keeps the hash. `clock` gives the
    time now (epoch ms, UTC), by which the year of times without one is found. `lists` are for listings. `owners` are
    whose domains and sending addresses are. `reported` is what reporters by mail reported in this hour.
    With `find_by_message` the caller finds customers by the ids of their messages (`streams.adapt.mail_report`).
    `replies` are kept from message to message, for a worker that reads a topic: what hosts last said of recipients.
    """

    hash_key: bytes
    providers: Providers
    mapping: Mapping[str, FormatOptions] = field(default_factory=dict)
    hash_all: bool = True
    clock: Callable[[], int] | None = None
    lists: Lists = field(default_factory=Lists)
    owners: Owners = field(default_factory=Owners)
    reported: ReportBudget = field(default_factory=ReportBudget)
    find_by_message: bool = False
    replies: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Check the key.

        Raises:
            ValueError: the key is empty or too long.
        """
        if not 1 <= len(self.hash_key) <= MAX_HASH_KEY_BYTES:
            raise ValueError(f"hash_key has {len(self.hash_key)} bytes; it must have 1 to {MAX_HASH_KEY_BYTES}")

    def options(self, name: str) -> FormatOptions:
        """The options of the format `name`."""
        return self.mapping.get(name, NO_OPTIONS)

    def now_ms(self) -> int | None:
        """The time now (epoch ms, UTC); None without a clock."""
        return self.clock() if self.clock else None


#: The bytes of one message in, its canonical events out: recipient hashed and emptied, recipient domain and
#: provider filled in. No events for a record that says nothing about a recipient's fate. Raises AdaptError.
Adapter = Callable[[bytes, Context], list[MailEvent]]
#: Events of many messages, and for each the place of its message among them.
Together = tuple[list[MailEvent], Sequence[int]]
#: The same as an `Adapter` for many messages at once; None where any of them must be looked at by itself. Of events
#: that are only counted, not kept, no more need be filled in than they are counted by.
BatchAdapter = Callable[[Sequence[bytes], Context], Together | None]


class OrderedAdapter(Protocol):
    """The adapter of a format in which an earlier record tells something of later ones, for the records of one file.

    `memory` is what was told so far, of plain classes, to be kept and given to another.
    """

    memory: Any

    def adapt(self, raw: bytes, context: Context, /) -> list[MailEvent]:
        """The events of the next record."""


#: The same for blocklist events.
ListingAdapter = Callable[[bytes, Context], list[BlocklistEvent]]


def fill(event: MailEvent, options: FormatOptions, look: Callable[[str], str]) -> MailEvent:
    """The event with stream, sub-account, IP pool and DKIM domain from where the options say; what is not there stays
    as it is.

    `look` gives the text at a place. A stream of a sub-account is named `SUB_ACCOUNT/STREAM`.
    """
    if options.stream:
        event.stream = look(options.stream).strip() or event.stream
    if options.sub_account and (account := look(options.sub_account).strip()):
        event.stream = f"{account.replace('/', '_')}/{event.stream}"
    if options.pool:
        event.ip_pool = look(options.pool).strip() or event.ip_pool
    if options.dkim_domain:
        event.dkim_domain = look(options.dkim_domain) or event.dkim_domain
    return event
