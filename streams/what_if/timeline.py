"""What is replayed: counts by the hour of some subjects, and all else that they are judged by. Plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.listing import Weight
from schemas.times import HOUR_S
from streams.decisions.overrides import PastOverride
from streams.judge.fleet import FleetVolume
from streams.subjects.arrays import Counts
from streams.subjects.reported import ReportedDay

Steps = NDArray[np.int64]
#: Names of mailbox providers; empty stands for all mail.
Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnListing:
    """A listing from `from_s` to `to_s` (epoch s) that is a customer's own; `stream` is the only stream that sent
    there, where that is known."""

    from_s: int
    to_s: float
    weight: Weight = "critical"
    stream: str | None = None


@dataclass(frozen=True, slots=True)
class AttributedListing:
    """A listing from `from_s` to `to_s` (epoch s) of which a customer is the likeliest cause, by this share."""

    from_s: int
    to_s: float
    share: float


@dataclass(frozen=True, slots=True)
class Cut:
    """A fresh start that holds from `decided_ms` (epoch ms) on: what was counted before `since_s` (epoch s) is in no
    window.

    `partial` is what of the hour of `since_s` lies before that: by group of providers, of each subject of the customer
    by its place, by field. `tails` is the same of the last minutes of that hour, by group and window, and `seen` the
    rows.
    """

    decided_ms: int
    since_s: int
    partial: Mapping[Group, Mapping[int, Counts]] = field(default_factory=dict)
    tails: Mapping[tuple[Group, str], Mapping[int, Counts]] = field(default_factory=dict)
    seen: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PastRelease:
    """An operator released the alert of a scope and rule at `time_ms` (epoch ms)."""

    scope: str
    rule: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class UnwantedMail:
    """One message (by its id) to somebody who had refused it, each time that it was reported (epoch s)."""

    stream: str
    times_s: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DomainUse:
    """Mail from one From domain: `hours` (epoch s, when each begins), the first minute (epoch s) with mail in each, and
    how much each stream sent."""

    hours: Counts
    first_s: Counts
    mail: Mapping[str, Counts]


class FleetVolumes(Protocol):
    """What the whole fleet sent."""

    @property
    def most(self) -> float:
        """How many times its usual at the most, in any hour."""

    def at(self, now_ms: int) -> FleetVolume:
        """How many times its usual at a step (epoch ms), and in the hours before."""


@dataclass(frozen=True, slots=True)
class History:
    """Counts by the hour: `counts` has the axes subject, hour, field; the first hour begins at `start_s` (epoch s).

    It is judged at the end of each of the hours from number `first` on (counted from 1). `listings` are
    a customer's own, `attributed` those of which it is the likeliest cause.

    `by_provider` are the counts of mail to groups of mailbox providers alone. `tails` are, by group and window of less
    than an hour, those of the last so many minutes of each hour, of customers for whom they may matter; None where they
    were not read, and the hour stands for them. `seen` are the rows of each subject in each hour: who has none in any
    window is not judged, and None says that all are. `cuts` are the fresh starts of customers, oldest first,
    `overrides` and `releases` what operators decided, `unwanted` and `domains` what acceptable use is judged by,
    `reported` the spam rates of their domains, `fleet` what the whole fleet sent.
    """

    customers: Sequence[str]
    scopes: Sequence[str]
    start_s: int
    first: int
    counts: Counts
    listings: Mapping[str, Sequence[OwnListing]] = field(default_factory=dict)
    attributed: Mapping[str, Sequence[AttributedListing]] = field(default_factory=dict)
    by_provider: Mapping[Group, Counts] = field(default_factory=dict)
    tails: Mapping[tuple[Group, str], Mapping[int, Counts]] | None = None
    seen: Counts | None = None
    cuts: Mapping[str, Sequence[Cut]] = field(default_factory=dict)
    overrides: Mapping[str, Sequence[PastOverride]] = field(default_factory=dict)
    releases: Mapping[str, Sequence[PastRelease]] = field(default_factory=dict)
    unwanted: Mapping[str, Sequence[UnwantedMail]] = field(default_factory=dict)
    domains: Mapping[str, Sequence[DomainUse]] = field(default_factory=dict)
    reported: Mapping[str, Sequence[ReportedDay]] = field(default_factory=dict)
    fleet: FleetVolumes | None = None

    @property
    def steps(self) -> Steps:
        """How many hours are over at each step."""
        return np.arange(self.first, self.counts.shape[1] + 1)

    @property
    def times_s(self) -> Steps:
        """The time of each step, epoch s."""
        return self.start_s + self.steps * HOUR_S

    def mail_to(self, group: Group) -> Counts:
        """The counts of mail to a group of mailbox providers; without any, of all mail."""
        return self.by_provider.get(group, np.zeros_like(self.counts)) if group else self.counts
