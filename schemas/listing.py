"""Blocklist events: a listing began, continues, ended, or could not be checked (topic `mail.blocklistings`)."""

from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec

from schemas.event import MAX_CUSTOMER_BYTES, Name
from schemas.times import epoch_ms

ListingType = Literal["listed", "still_listed", "delisted", "check_failed", "complete"]
ResourceKind = Literal["ip", "domain"]
#: How much one listing on a list means for delivery, worst first.
Weight = Literal["critical", "major", "minor", "informational"]
WEIGHTS: tuple[Weight, ...] = get_args(Weight)
KINDS: tuple[ResourceKind, ...] = get_args(ResourceKind)


class BlocklistEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one look at one blocklist zone said about one IP address or domain.

    `codes` are the A records answered (RFC 5782 section 2.1), `meaning` the zone's own words for them.
    A `check_failed` event carries the error in `reason` and changes no listing. A `complete` event is of no one zone:
    its `zones` are all on which its `monitor` has the resource, so what else that one reported has ended.
    """

    id: Name
    type: ListingType
    time: int | datetime
    kind: ResourceKind
    resource: Name
    zone: Name
    weight: Weight
    codes: tuple[str, ...] = ()
    meaning: str = ""
    reason: str = ""
    #: False while a second look is still owed; critical zones count at once, unconfirmed.
    confirmed: bool = True
    #: Who looked, where that was not our own scan.
    monitor: Annotated[str, msgspec.Meta(max_length=MAX_CUSTOMER_BYTES)] = ""
    zones: tuple[str, ...] = ()

    @property
    def time_ms(self) -> int:
        """Epoch milliseconds, UTC."""
        return epoch_ms(self.time)
