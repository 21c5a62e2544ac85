"""Incidents: what hit many customers together, so that it says nothing about any of them."""

from hashlib import blake2b
from typing import Literal

import msgspec

from schemas.customer_event import decision_id
from schemas.times import HOUR_S
from schemas.wording import rfc3339

#: A mailbox provider, everything that was sent (the platform's own network), one IP pool, or a blocklist. Of a
#: `customer` it is none: what an incident does not excuse.
Dimension = Literal["provider", "all", "pool", "listing", "customer"]
#: Of `detected` and `declared` ones the mail (the listings) is left out of what customers are judged by, of `suspected`
#: and `dismissed` ones it is not. `not_excused`: of one customer it counts though an incident struck it.
State = Literal["detected", "declared", "suspected", "dismissed", "not_excused"]
LEAVING_OUT: frozenset[State] = frozenset({"detected", "declared"})
#: The provider that stands for all of them.
EVERYWHERE = "*"

#: What happens to an incident.
IncidentEventKind = Literal["began", "declared", "dismissed", "ended"]

INCIDENT_SOURCE = "/repmon/incidents"
#: The schema of `data`, in schemas/json/reputation.incidents.schema.json, whose `$id` this begins with.
INCIDENT_DATA = "urn:repmon:reputation.incidents#/$defs/Incident"
INCIDENT_TYPE = "org.repmon.incident.{kind}.v1"


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A customer who was struck: how many of its recipients there failed (for complaints: complained), and an answer of
    a receiving host that is typical, in which addresses are masked. Of a mass listing: how many of its addresses or
    domains began to be listed, of how many it has, and one of them."""

    customer: str
    failed: int
    total: int
    sample: str = ""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident: `outcome` is what many recipients met at `value` in `hours` (epoch s of their beginnings, UTC,
    ascending; never empty). `value` is a provider, a pool (`pool@provider`), `*` for everything, a blocklist
    (`zen.spamhaus.org`), one network on a blocklist (`192.0.2.0/24@zen.spamhaus.org`), or a customer whose mail of
    these hours counts though an incident struck it (`not_excused`): `outcome` and `rate` are its own then, `usual` is
    what the others had.

    `confirmed` are the hours whose mail shows it; an open one also covers the hour that has begun since. `rate` and
    `usual` are ratios: of those who were struck, and of the fleet in the weeks before. `struck` and `spared` count
    customers with a good history. `detected_ms` and `closed_ms` are epoch ms, UTC.
    """

    id: str
    dimension: Dimension
    value: str
    outcome: str
    state: State
    hours: tuple[int, ...]
    confirmed: tuple[int, ...] = ()
    open: bool = False
    rate: float = 0.0
    usual: float = 0.0
    struck: int = 0
    spared: int = 0
    examples: tuple[Example, ...] = ()
    detected_ms: int = 0
    closed_ms: int | None = None
    by: str = ""
    why: str = ""

    @property
    def from_s(self) -> int:
        """The beginning of its first hour (epoch s)."""
        return self.hours[0]

    @property
    def until_s(self) -> int:
        """The end of its last hour (epoch s)."""
        return self.hours[-1] + HOUR_S

    @property
    def leaves_out(self) -> bool:
        """Whether its mail, or what began to be listed, is left out of what customers are judged by."""
        return self.state in LEAVING_OUT


def incident_id(dimension: Dimension, value: str, outcome: str, first_hour: int) -> str:
    """The id of an incident that begins in this hour (epoch s): 16 hex digits. Who finds it again finds the same id."""
    digest = blake2b(digest_size=8)
    for part in (dimension, value, outcome, str(first_hour)):
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


class IncidentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The CloudEvent that operators get when an incident begins, when it is over, and when somebody declares or
    dismisses one (`type` says which). A repeat has the same id, and a consumer drops it. `time` is RFC 3339, UTC."""

    id: str
    type: str
    subject: str
    time: str
    data: Incident
    specversion: Literal["1.0"] = "1.0"
    source: str = INCIDENT_SOURCE
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = INCIDENT_DATA


def incident_event(incident: Incident, kind: Literal["began", "ended"], time: str) -> IncidentEvent:
    """The event of its begin or end; one that goes on after its end has another end."""
    end = f"-{incident.until_s}" if kind == "ended" else ""
    return _event(f"{incident.id}-{kind}{end}", incident, kind, time)


def incident_decided(incident: Incident, now_ms: int) -> IncidentEvent:
    """The event of what somebody decided at `now_ms` (epoch ms): that it is `declared`, or `dismissed`."""
    return _event(decision_id(incident.state, incident.id, str(now_ms)), incident, incident.state, rfc3339(now_ms))


def declared_end(incident: Incident) -> IncidentEvent:
    """The event of the end of an incident that is declared, which is known beforehand."""
    until_ms = incident.until_s * 1000
    return incident_event(msgspec.structs.replace(incident, closed_ms=until_ms), "ended", rfc3339(until_ms))


def _event(name: str, incident: Incident, kind: str, time: str) -> IncidentEvent:
    return IncidentEvent(
        id=name, type=INCIDENT_TYPE.format(kind=kind), subject=incident.value, time=time, data=incident
    )
