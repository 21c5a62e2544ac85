"""Counts what is sent, while it is sent; a snapshot of it is the truth."""

from collections import defaultdict

import msgspec

from jobs.simulate.fleet import Fleet, MailStream, SimulatedCustomer
from jobs.simulate.timed import NO_SLOT, SLOTS, TimedMessage
from jobs.simulate.truth import (
    SOLE_USER_FINISHED,
    Counts,
    CustomerTruth,
    DomainTruth,
    ListingTruth,
    StreamTruth,
    Truth,
    verdict,
)
from schemas.counts import MEASURES
from schemas.listing import BlocklistEvent


class Ledger:
    """Counts events as they are sent. One thread adds; any thread may take a snapshot at any moment."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._streams = [(customer, stream) for customer in fleet.customers for stream in customer.streams]
        self._sums = [0] * (len(self._streams) * len(fleet.domains) * SLOTS)
        self._users: dict[str, list[str]] = defaultdict(list)
        for customer in fleet.customers:
            for ip in customer.ips:
                self._users[ip].append(customer.name)
        self._listings: list[ListingTruth] = []
        self._listing_events = 0
        self._first_ms = 0
        self._last_ms = 0

    def record(self, sent: TimedMessage) -> None:
        """One message was sent."""
        if sent.slot == NO_SLOT:
            self._listed(msgspec.json.decode(sent.value, type=BlocklistEvent))
            return
        self._sums[sent.slot] += 1
        self._last_ms = sent.time_ms
        if not self._first_ms:
            self._first_ms = sent.time_ms

    def _listed(self, event: BlocklistEvent) -> None:
        self._listing_events += 1
        if event.type == "still_listed":
            return
        self._listings.append(
            ListingTruth(
                type=event.type,
                time=event.time_ms,
                resource=event.resource,
                zone=event.zone,
                weight=event.weight,
                users=tuple(self._users[event.resource]),
            )
        )

    def truth(self) -> Truth:
        """What has been sent so far, and the verdicts that follow from it."""
        sums = self._sums.copy()
        listings = tuple(self._listings)
        size = len(self.fleet.domains) * SLOTS
        by_customer: dict[str, list[StreamTruth]] = {each.name: [] for each in self.fleet.customers}
        for number, (customer, stream) in enumerate(self._streams):
            part = sums[number * size : (number + 1) * size]
            by_customer[customer.name].append(_stream_truth(stream, part, self.fleet))
        return Truth(
            seed=self.fleet.seed,
            first_ms=self._first_ms,
            last_ms=self._last_ms,
            events=sum(sums),
            duplicates=sum(sums[1::2]),
            listing_events=self._listing_events,
            fbl_domains=tuple(sorted(self.fleet.fbl_domains)),
            customers=tuple(_customer_truth(each, by_customer[each.name], listings) for each in self.fleet.customers),
            listings=listings,
        )


def _stream_truth(stream: MailStream, sums: list[int], fleet: Fleet) -> StreamTruth:
    totals: list[dict[str, int]] = [dict.fromkeys(Counts.__struct_fields__, 0) for _ in range(2)]
    domains: dict[str, DomainTruth] = {}
    for number, domain in enumerate(fleet.domains):
        part = sums[number * SLOTS : (number + 1) * SLOTS]
        for repeat, total in enumerate(totals):
            found = _measures(part[repeat::2])
            for name, value in found.items():
                total[name] += value
            if domain in fleet.fbl_domains:
                total["fbl_delivered"] += found["delivered"]
                total["fbl_complained"] += found["complained"]
                if not repeat:
                    domains[domain] = DomainTruth(fbl_delivered=found["delivered"], fbl_complained=found["complained"])
    return StreamTruth(
        stream=stream.name,
        stream_class=stream.stream_class,
        counts=Counts(**totals[0]),
        duplicates=Counts(**totals[1]),
        domains=domains,
    )


def _measures(sums: list[int]) -> dict[str, int]:
    """By name, with each late bounce, which has one slot, in both its measures."""
    found = {name: number for name, number in zip(MEASURES, sums, strict=True) if not name.startswith("undated_")}
    for kind in ("hard", "soft", "block"):
        found[kind] += found[f"late_{kind}"]
    return found


def _customer_truth(
    customer: SimulatedCustomer, streams: list[StreamTruth], listings: tuple[ListingTruth, ...]
) -> CustomerTruth:
    counts = sum((each.counts for each in streams), Counts())
    sole = sum(
        1 for each in listings if each.type == "listed" and each.weight == "critical" and each.users == (customer.name,)
    )
    # A monitor learns who uses an address from the mail through it; a handful need not touch every address.
    said, why = verdict(customer.profile, counts, sole if counts.finished >= SOLE_USER_FINISHED else 0)
    return CustomerTruth(
        name=customer.name,
        profile=customer.profile,
        verdict=said,
        why=why,
        counts=counts,
        duplicates=sum((each.duplicates for each in streams), Counts()),
        streams=tuple(streams),
    )
