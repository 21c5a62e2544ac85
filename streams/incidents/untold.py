"""Of customers who alarm those of whom nobody can tell whether it is they: what `undecided` asks for is read, and what
it says becomes what is suspected.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.incident import EVERYWHERE, Incident
from schemas.times import HOUR_S
from streams.incidents.accounts import NOTHING, Accounts, CellCounts, sum_of
from streams.incidents.alone import TELLING, FailedAt, Place
from streams.incidents.cells import Cells
from streams.incidents.detect import Account, Finding, Outcome, in_minutes
from streams.incidents.doubtful_hours import WHY_HOURS, failing_together, hours_with_most, may_be_of
from streams.incidents.finder import Finder, is_beside
from streams.incidents.hours import FoundHour
from streams.incidents.undecided import (
    WHY_FEW,
    WHY_GIVEN_UP,
    WHY_SEVERAL,
    failing_places,
    given_up_everywhere,
    nobody_can_tell,
    none_is_spared,
)
from streams.subjects.left_out import ProviderHour

#: What a single customer's mail may fail by at one place.
OF_FAILURES: tuple[Outcome, ...] = ("hard", "block", "expired")
#: Where so many send who can tell each, somebody surely can: nobody else's mail is read for one who alarms.
MANY = 30


class Suspicion(NamedTuple):
    """What is suspected where a customer's mail fails, and the pool of most of its mail of the hour, empty if none."""

    hour: FoundHour
    pool: str

    def is_of_a_pool(self, incidents: Iterable[Incident]) -> bool:
        """Whether one of these incidents is of that pool and says so already, while it goes on, or a person decided
        about it."""
        (_, place), outcome = self.hour.place, self.hour.outcome
        return bool(self.pool) and any(
            (each.dimension, each.value, each.outcome) == ("pool", f"{self.pool}@{place}", outcome)
            and self.hour.hour in each.hours
            and (each.open or each.state != "suspected")
            for each in incidents
        )


class Untold:
    """Asks those whom `cells` reads, as `finder` does. One thread at a time."""

    def __init__(self, cells: Cells, finder: Finder) -> None:
        self._cells = cells
        self._finder = finder

    def found(
        self,
        wanted: Mapping[str, ProviderHour],
        hit: Collection[ProviderHour],
        failed: FailedAt,
        senders: Callable[[str, int], int],
    ) -> dict[str, "Suspicion"]:
        """Of customers who fail most at a place and hour each, those of whom nobody can tell whether it is the place;
        with what is suspected there. `hit` are the provider-hours that are incidents.

        Of those whose mail elsewhere in that hour fails as well it is asked, too, whether it is several places, or all;
        and of who is left whether it is several hours, by all that `failed` of their mail. `senders` says how many sent
        enough to tell at a place and hour.

        Raises:
            StoreError: the store failed.
        """
        accounts = self._cells.read(set(wanted.values()))
        found: dict[str, Suspicion] = {}
        more: dict[str, ProviderHour] = {}
        for customer, at in wanted.items():
            if one := self._asked(accounts, customer, at, hit):
                found[customer] = Suspicion(one, accounts.company.get((customer, "pool"), ""))
            elif at[0] == EVERYWHERE:
                more[customer] = _worst_single(accounts, customer, at)
            elif self._fails_elsewhere(accounts, customer, at):
                more[customer] = at
        places = {(each, hour) for who, (_, hour) in more.items() for each in accounts.by_hour[hour][who]}
        everywhere = {(EVERYWHERE, hour) for _, hour in more.values() if _senders(accounts, hour) < MANY}
        if more:
            accounts = self._cells.read(places | everywhere)
        for customer, (place, hour) in more.items():
            one = self._asked_of_several(accounts, customer, place, hour, hit)
            if one is None and wanted[customer][0] != EVERYWHERE and (EVERYWHERE, hour) in everywhere:
                one = self._asked(accounts, customer, (EVERYWHERE, hour), hit)
            if one is not None:
                found[customer] = Suspicion(one, accounts.company.get((customer, "pool"), ""))
        for customer in sorted(wanted.keys() - found.keys()):
            theirs: dict[ProviderHour, int] = {(at.provider, at.hour): n for at, n in failed[customer].items()}
            places = hours_with_most(theirs, {at for at in theirs if senders(*at) < MANY})
            if suspicion := self._asked_of_hours(customer, places, theirs) if places else None:
                found[customer] = suspicion
        return found

    def _asked_of_hours(
        self, customer: str, places: Collection[ProviderHour], failed: Mapping[ProviderHour, int]
    ) -> "Suspicion | None":
        """Of several hours together."""
        accounts = self._cells.read(places)
        there = {at: _here(accounts, customer, at) for at in places}
        outcome = _worst(sum_of(there.values()))
        doubtful: dict[ProviderHour, list[Account]] = {}
        together: list[int] = []
        for (place, hour), cells in there.items():
            if cells.seen(outcome).failed:
                some = accounts.of(place, hour, outcome, ())
                count = failing_together(outcome, some, self._finder.usual(place, hour).seen(outcome), customer)
                if count > 1:
                    doubtful[place, hour] = some
                    together.append(count)
        if not doubtful:
            return None
        mine = [next(each for each in some if each.customer == customer) for some in doubtful.values()]
        every = self._cells.all_mail(customer, min(hour for _, hour in failed))
        usual = self._finder.usual(EVERYWHERE, min(doubtful)[1]).seen(outcome)
        cells_there = [there[at] for at in doubtful]
        if not may_be_of(outcome, mine, sum(failed.values()), every, cells_there, usual, min(together)):
            return None
        worst = max(sorted(doubtful), key=lambda at: there[at].seen(outcome).failed)
        one = self._suspected(accounts, customer, worst, outcome, doubtful[worst], WHY_HOURS)
        return Suspicion(one, accounts.company.get((customer, "pool"), ""))

    def _fails_elsewhere(self, accounts: Accounts, customer: str, at: ProviderHour) -> bool:
        outcome = _worst(_here(accounts, customer, at))
        rest = _here(accounts, customer, (EVERYWHERE, at[1])).minus(_here(accounts, customer, at)).seen(outcome)
        return rest.failed > 1 and rest.rate >= self._cells.bad[outcome]

    def _asked(
        self, accounts: Accounts, customer: str, at: ProviderHour, hit: Collection[ProviderHour]
    ) -> FoundHour | None:
        (place, hour), outcome = at, _worst(_here(accounts, customer, at))
        some = self._finder.witnesses(accounts, outcome, place, hour, hit)
        usual, beside = self._finder.usual(place, hour).seen(outcome), is_beside(place, hour, hit)
        why = WHY_FEW if nobody_can_tell(outcome, some, usual, customer, beside=beside) else ""
        if not why and place == EVERYWHERE and outcome == "expired":
            by_place = {each: cells.seen(outcome) for each, cells in accounts.by_hour[hour].get(customer, {}).items()}
            why = WHY_GIVEN_UP if given_up_everywhere(some, usual, customer, by_place) else ""
        if not why and beside:
            # It began, or ended, within the hour: mail of its other minutes does not tell.
            minutes = self._finder.minutes(some, place, hour, outcome, hit)
            failed = {minute for minute, seen in minutes.get(customer, {}).items() if seen.failed}
            why = WHY_FEW if none_is_spared(outcome, in_minutes(some, minutes, failed), usual, customer) else ""
        return self._suspected(accounts, customer, at, outcome, some, why) if why else None

    def _asked_of_several(
        self, accounts: Accounts, customer: str, place: str, hour: int, hit: Collection[ProviderHour]
    ) -> FoundHour | None:
        """Where mail to several places failed at once, elsewhere is what is at none of these."""
        outcome = _worst(_here(accounts, customer, (place, hour)))
        places = {
            each: (accounts.of(each, hour, outcome, ()), self._finder.usual(each, hour).seen(outcome))
            for each in accounts.by_hour[hour][customer]
        }
        failing = failing_places(outcome, places, customer)
        if failing <= {place}:
            return None
        some = self._finder.witnesses(accounts, outcome, place, hour, {*hit, *((each, hour) for each in failing)})
        usual, beside = self._finder.usual(place, hour).seen(outcome), is_beside(place, hour, hit)
        if not nobody_can_tell(outcome, some, usual, customer, beside=beside, several=True):
            return None
        return self._suspected(accounts, customer, (place, hour), outcome, some, WHY_SEVERAL)

    def _suspected(
        self, accounts: Accounts, customer: str, at: ProviderHour, outcome: Outcome, some: list[Account], why: str
    ) -> FoundHour:
        rate = min(_here(accounts, customer, at).seen(outcome).rate, 1.0)
        one = self._finder.found_hour(*at, outcome, some, Finding("", rate, (customer,), (), 0.0))
        return one._replace(suspected=True, why=why)


def suspected_of(found: Mapping[str, FoundHour], incidents: Sequence[Incident]) -> dict[str, Incident]:
    """By customer the suspected incident of the hour that was found of it."""
    return {
        customer: incident
        for customer, each in found.items()
        for incident in incidents
        if incident.state == "suspected"
        and (incident.dimension, incident.value) == each.place
        and each.hour in incident.hours
        and (each.outcome == "complained") == (incident.outcome == "complained")
    }


def may_be_of_all_mail(incident: Incident, places: Mapping[Place, int], worst: int) -> bool:
    """Whether what failed there may be owed to a suspected incident of all mail: most of it was in its hours, or some
    while it goes on. It began and ended within an hour, so it is asked of the hours beside them, too."""
    if any(worst + step in incident.hours for step in (-HOUR_S, 0, HOUR_S)):
        return True
    return incident.open and any(place.hour in incident.hours for place in places)


def _here(accounts: Accounts, customer: str, at: ProviderHour) -> CellCounts:
    """What a customer had at one place in an hour."""
    place, hour = at
    cells = accounts.by_hour.get(hour, {}).get(customer, {})
    return sum_of(cells.values() if place == EVERYWHERE else [cells.get(place, NOTHING)])


def _worst_single(accounts: Accounts, customer: str, at: ProviderHour) -> ProviderHour:
    """The provider at which most of a customer's mail of the hour failed."""
    hour, outcome = at[1], _worst(_here(accounts, customer, at))
    cells = accounts.by_hour.get(hour, {}).get(customer, {})
    return max(cells, key=lambda place: (cells[place].seen(outcome).failed, place), default=EVERYWHERE), hour


def _worst(cells: CellCounts) -> Outcome:
    return max(OF_FAILURES, key=lambda each: cells.seen(each).failed)


def _senders(accounts: Accounts, hour: int) -> int:
    """How many sent enough in an hour to tell."""
    return sum(sum_of(cells.values()).finished >= TELLING for cells in accounts.by_hour[hour].values())
