"""Events as bytes: the canonical JSON of `schemas.event.MailEvent`, put together from rendered parts.

Building and encoding a struct for each event would cost several times as much; what differs from event to
event is only its number, time and outcome. Parts are in the order of the struct's fields.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from jobs.simulate.fleet import Fleet, MailStream, SimulatedCustomer
from jobs.simulate.profiles import ServerAnswer
from jobs.simulate.timed import first_slot, place

#: prefix, number, opening, time, sender, number, message, hash, address, body, ending
_EVENT = b"%b%x%b%d%b%x%b%016x%b%b%b"
#: Spreads message numbers over 64 bits (2^64 divided by the golden ratio): stands for a recipient's hash.
_SPREAD = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class EventTemplate:
    """One thing that can be reported of a message: its parts of the JSON, and its place in a ledger.

    `opening` is what follows the id's number, from the id's tag to the name `time`.
    """

    place: int
    opening: bytes
    body: bytes
    unsent: bool = False
    delivered: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """A stream's mail to one domain from one address: all that is the same for every event of it."""

    slot: int
    key: bytes
    domain: str
    sender: bytes
    message: bytes
    address: bytes
    address_unsent: bytes
    ending: bytes
    feedback_loop: bool


def outcome(measure: str, type_: str, tag: str, **fields: object) -> EventTemplate:
    """An outcome counted as `measure`. `tag` ends its event's id; `fields` are in the struct's order."""
    return EventTemplate(
        place=place(measure),
        opening=f'-{tag}","type":"{type_}","time":'.encode(),
        body=_fields(fields),
        unsent=type_ in ("suppressed", "rejected"),
        delivered=type_ == "delivered",
    )


def answered(answer: ServerAnswer, measure: str, type_: str, tag: str, **fields: object) -> EventTemplate:
    """An outcome with what the receiving server said."""
    return outcome(
        measure,
        type_,
        tag,
        smtp_code=answer.code,
        enhanced_status=answer.status,
        diagnostic=answer.text,
        **fields,
    )


def lanes(fleet: Fleet, number: int, customer: SimulatedCustomer, stream: MailStream) -> list[list[Lane]]:
    """The lanes of a stream (its number in the fleet): for each domain, one for each address."""
    key = customer.name.encode()
    sender = {"customer": customer.name, "stream": stream.name}
    if stream.stream_class != "bulk":
        sender["class"] = stream.stream_class
    return [
        [
            Lane(
                slot=first_slot(number, at, len(fleet.domains)),
                key=key,
                domain=domain,
                sender=_fields(sender) + b',"message_id":"',
                message=f'@{stream.from_domain}","recipient_hash":"'.encode(),
                address=b'"'
                + _fields(
                    {
                        "recipient_domain": domain,
                        "sending_ip": ip,
                        "ip_pool": customer.pool.name,
                        "from_domain": stream.from_domain,
                    }
                ),
                address_unsent=b'"' + _fields({"recipient_domain": domain, "from_domain": stream.from_domain}),
                ending=(_fields({"campaign": stream.campaign}) if stream.campaign else b"") + b"}",
                feedback_loop=domain in fleet.fbl_domains,
            )
            for ip in customer.ips
        ]
        for at, domain in enumerate(fleet.domains)
    ]


def prefix(seed: int, start_ms: int) -> bytes:
    """How every event of a run begins; ids of runs with another seed or start differ."""
    return f'{{"id":"{seed:x}-{start_ms:x}-'.encode()


def event(begin: bytes, number: int, time_ms: int, lane: Lane, what: EventTemplate, sent_ms: int = 0) -> bytes:
    """The event of message `number`. `begin` is from `prefix`. `sent_ms` (epoch ms) is stated where it is given."""
    return _EVENT % (
        begin,
        number,
        what.opening,
        time_ms,
        lane.sender,
        number,
        lane.message,
        number * _SPREAD & _MASK,
        lane.address_unsent if what.unsent else lane.address,
        what.body,
        lane.ending if not sent_ms else b'%b,"sent":%d}' % (lane.ending[:-1], sent_ms),
    )


def weighted(answers: Sequence[ServerAnswer], kind: str) -> tuple[list[ServerAnswer], list[float]]:
    """The answers of a kind, and their weights."""
    found = [each for each in answers if each.kind == kind]
    return found, [each.weight for each in found]


def _fields(fields: dict[str, object] | dict[str, str]) -> bytes:
    """Fields as they stand inside an object, with a comma before each."""
    return b"".join(
        b",%b:%b" % (msgspec.json.encode(name), msgspec.json.encode(value)) for name, value in fields.items()
    )
