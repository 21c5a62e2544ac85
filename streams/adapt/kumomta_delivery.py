"""Deliveries and deferrals of KumoMTA as nearly all are, in few steps.

The events are those that `streams.adapt.kumomta` makes of any record; where there is anything more to look at, that is
left to it. Pure.
"""

from functools import lru_cache

from schemas.event import DEFAULT_STREAM, EventType, MailEvent
from schemas.providers import OTHER
from streams.adapt.addresses import addresses_in
from streams.adapt.base import Context
from streams.adapt.canonical import domain_of, good_names, hash_recipient
from streams.adapt.common import MAX_TIME_MS, stable_id, time_ms
from streams.adapt.kumomta_names import NAME, queue_parts
from streams.adapt.kumomta_record import LoggedRecord, created_ms, status_of

#: Longer names and From headers are not remembered: anyone who sends mail may write any number of them.
LONGEST_CACHED = 500
#: So many are remembered: 50 MB at most, some MB of most senders.
MOST_SENDERS = 65_536

#: Customer, stream, pool, campaign and the domain of the From header.
Sender = tuple[str, str, str, str, str]


def usual_event(record: LoggedRecord, kind: EventType, context: Context, *, whole: bool) -> MailEvent | None:
    """The event of a delivery or a deferral; None for one that is not as nearly all are. Unless `whole`, only what is
    counted is filled in. What the same senders repeat is worked out once.

    Raises:
        AdaptError: a name or the time is not allowed.
    """
    address, pool, headers, when = record.recipient, record.egress_pool or "", record.headers, record.event_time
    header = headers.from_ if headers is not None else ""
    if not isinstance(address, str) or not isinstance(header, str) or record.queue is None:
        return None
    left, at, _ = record.queue.partition("@")
    sender = _SENDERS[left, pool, header] if at else None
    _, at, spelt = address.rpartition("@")
    if sender is None or not at:
        return None
    if when is not None and when.tzinfo is not None:
        time = round(when.timestamp() * 1000)
    elif (moment := when or record.timestamp) is None or abs(time := time_ms(moment)) > MAX_TIME_MS:
        return None
    customer, stream, good_pool, campaign, from_domain = sender
    domain, provider = context.providers.by_spelling[spelt]
    peer, source = record.peer_address, record.source_address
    host = peer.name if peer is not None else None
    if host and provider == OTHER:
        provider = context.providers.by_mx[host]
    sending_ip = source.address or "" if source is not None else ""
    if ":" in sending_ip:
        sending_ip = without_port(sending_ip)
    # Up to 15 arguments: with more it takes six times as long to make a structure (msgspec 0.22, measured).
    event = MailEvent(
        id=stable_id(NAME, record.id, record.type, address, 0, time, record.num_attempts),
        type=kind,
        time=time,
        customer=customer,
        stream=stream,
        message_id=record.id,
        recipient_domain=domain,
        provider=provider,
        sending_ip=sending_ip,
        ip_pool=good_pool,
        from_domain=from_domain or domain_of(record.sender or ""),
        campaign=campaign,
        sent=created_ms(record),
    )
    if whole:
        if (response := record.response) is not None:
            event.smtp_code = response.code if 0 <= response.code <= 999 else 0
            event.enhanced_status = status_of(response)
            event.diagnostic = response.content or ""
        if host:
            event.mx_host = host
        if context.hash_all:
            event.recipient_hash = hash_recipient(address, context.hash_key)
    return event


class _Senders(dict[tuple[str, str, str], Sender | None]):
    """By what stands before the `@` of a queue's name, pool and From header: what all their mail has; None where the
    queue names no customer. The same come again and again, and each is worked out once."""

    def __missing__(self, key: tuple[str, str, str]) -> Sender | None:
        left, pool, header = key
        campaign, tenant = queue_parts(f"{left}@")
        names = good_names(tenant, DEFAULT_STREAM, pool) if tenant.strip() else None
        sender = (*names, campaign, header_domain(header)) if names is not None else None
        if len(left) + len(pool) + len(header) <= LONGEST_CACHED:
            if len(self) >= MOST_SENDERS:
                self.clear()
            self[key] = sender
        return sender


_SENDERS = _Senders()


def without_port(address: str) -> str:
    """`192.0.2.1` of `192.0.2.1:25`, `2001:db8::1` of `[2001:db8::1]:25`; a bare address as it is."""
    bare, _, port = address.partition(":")
    if ":" not in port and bare[:1] != "[":
        return bare
    return address[1:].partition("]")[0] if address.startswith("[") else address


def header_domain(header: str) -> str:
    """The domain of a From header, lower-cased; empty where it has none."""
    return _found_domain(header) if len(header) <= LONGEST_CACHED else _found_domain.__wrapped__(header)


@lru_cache(maxsize=16_384)
def _found_domain(header: str) -> str:
    """Cached: a campaign's messages all have the same From header, and parsing one is slow."""
    return domain_of(next(iter(addresses_in(header)), ""))
