"""The cells of one hour, of all customers at all mailbox providers, as arrays; and the providers at which they may fail
together. Pure.

A cell is what one customer had at one provider. It has a number for a name: the customer's hash, and in its last bits
the provider's place in a list. So the cells of a customer lie together.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from schemas.incident import EVERYWHERE
from streams.incidents.accounts import CellCounts
from streams.incidents.detect import LEAST_USUAL, MORE, Outcome

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
#: Raised rates (ratios) by which provider-hours are chosen, and what must speak for one: less than `detect` asks for.
TRIED = (0.003, 0.01, 0.05, 0.1, 0.3, 0.8)
LEAST_FAILING, LEAST_WEIGHT, LEAST_SHARE = 3, 2.5, 0.15
#: The last bits of a cell's name. Place 0 is of providers that are not in the list.
PLACE_BITS = 12
MOST_PLACES = (1 << PLACE_BITS) - 1
#: The fields of `CellCounts`, in that order, by cell. A customer has fewer than two thousand million of any in an hour.
Numbers = NDArray[np.int32]
Names = NDArray[np.uint64]
#: Of customers, by their hashes, whether it is known of their mail which was given up.
Told = Callable[[Names], NDArray[np.bool_]]
_FINISHED, _DELIVERED, _EXPIRED = (CellCounts._fields.index(name) for name in ("finished", "delivered", "expired"))
_FIELDS = len(CellCounts._fields)


class HourCells(NamedTuple):
    """Cells by name (sorted, each once), and their counts, of shape (6, cells)."""

    names: Names
    counts: Numbers

    def plus(self, more: "HourCells") -> "HourCells":
        """Both together. It costs little where `more` has few."""
        at = np.searchsorted(self.names, more.names)
        known = np.zeros(len(at), np.bool_)
        inside = at < len(self.names)
        known[inside] = self.names[at[inside]] == more.names[inside]
        new = ~known
        counts = np.insert(self.counts, at[new], more.counts[:, new], axis=1)
        # Each stands behind the new ones that were put before it.
        counts[:, at[known] + np.cumsum(new)[known]] += more.counts[:, known]
        return HourCells(np.insert(self.names, at[new], more.names[new]), counts)

    def minus(self) -> "HourCells":
        """What takes these away where it is added."""
        return HourCells(self.names, -self.counts)


NO_CELLS = HourCells(np.empty(0, np.uint64), np.empty((_FIELDS, 0), np.int32))


def added_up(some: Iterable[HourCells]) -> HourCells:
    """All together, without those in which nothing is left."""
    several = list(some)
    names, back = np.unique(np.concatenate([each.names for each in several]), return_inverse=True)
    numbers = np.concatenate([each.counts for each in several], axis=1)
    counts = np.array([np.bincount(back, each, len(names)) for each in numbers], np.int32)
    left = counts.any(axis=0)
    return HourCells(names[left], counts[:, left])


def by_hour(hours: NDArray[Any], names: Names, counts: Numbers) -> dict[int, HourCells]:
    """Cells of several hours (epoch s), each once, by hour."""
    order = np.lexsort((names, hours))
    hours, names, counts = hours[order], names[order], counts[:, order]
    starts = np.flatnonzero(np.diff(hours, prepend=-1)).tolist()
    if not starts:
        return {}
    return {
        int(hours[start]): HourCells(names[start:end], np.ascontiguousarray(counts[:, start:end]))
        for start, end in zip(starts, [*starts[1:], len(hours)], strict=True)
    }


def senders(cells: HourCells, number: int, least: int) -> int:
    """How many customers have `least` finished recipients or more at one place, of that number; at 0 of all mail."""
    finished = cells.counts[_FINISHED]
    if number:
        finished = finished[(cells.names & np.uint64(MOST_PLACES)) == number]
    elif len(finished):
        finished = np.add.reduceat(finished, _starts(cells))
    return int((finished >= least).sum())


def customers_of(cells: HourCells) -> Names:
    """The hash of the customer of each cell."""
    return np.asarray(cells.names >> np.uint64(PLACE_BITS), np.uint64)


def expired_customers(cells: HourCells) -> Names:
    """Those some of whose mail expired: their hashes, sorted, each once."""
    return np.unique(customers_of(cells)[cells.counts[_EXPIRED] > 0])


def failing_together(
    cells: HourCells,
    places: Sequence[str],
    usual: Mapping[str, CellCounts],
    outcomes: Collection[Outcome] = OUTCOMES,
    told: Told | None = None,
) -> frozenset[str]:
    """The places, of a list, at which customers may have failed together; `*` stands for all mail. `usual` is what the
    fleet had there in the weeks before. Those who are not `told` are not asked of what expires, unless some has.

    First each customer weighs by its own rate, which no raised one exceeds, and those against it by no more than the
    lowest raised rate: mostly nothing is left then. The others are asked with each raised rate, as `detect` does, with
    the fleet's usual rate for everybody.
    """
    if not len(cells.names):
        return frozenset()
    if not any(_may_fail(cells, outcome) for outcome in outcomes):
        return frozenset()
    customers, asked = customers_of(cells), (usual, outcomes, told)
    found = _chosen(
        cells.counts, (cells.names & np.uint64(MOST_PLACES)).astype(np.intp), customers, ("", *places), *asked
    )
    starts = _starts(cells)
    all_mail = np.add.reduceat(cells.counts, starts, axis=1)
    found |= _chosen(all_mail, np.zeros(len(starts), np.intp), customers[starts], (EVERYWHERE,), *asked)
    return frozenset(found - {""})


def _may_fail(cells: HourCells, outcome: Outcome) -> bool:
    return int((cells.counts[OUTCOMES.index(outcome)] > 0).sum()) >= LEAST_FAILING


def _starts(cells: HourCells) -> NDArray[np.intp]:
    """Where each customer's cells begin; there is at least one."""
    starts = np.flatnonzero(np.diff(customers_of(cells), prepend=np.uint64(0)))
    return starts if len(starts) and starts[0] == 0 else np.concatenate([[0], starts])


def _chosen(
    counts: Numbers,
    places: NDArray[np.intp],
    customers: Names,
    names: Sequence[str],
    usual: Mapping[str, CellCounts],
    outcomes: Collection[Outcome],
    told: Told | None,
) -> set[str]:
    """Of some places, given by their number in `names`."""
    found: set[int] = set()
    for outcome in outcomes:
        field = OUTCOMES.index(outcome)
        failing = np.flatnonzero(counts[field] > 0)
        if len(failing) < LEAST_FAILING:
            continue
        rates = np.array([_usual_rate(usual.get(name), outcome) for name in names])
        of = counts[_DELIVERED if outcome == "complained" else _FINISHED]
        suspected = _suspected(counts[field], of, places, failing, rates, outcome)
        if not suspected.any():
            continue
        some = np.flatnonzero(suspected[places] & (of > 0))
        if outcome == "expired" and told is not None:
            some = some[(counts[field][some] > 0) | told(customers[some])]
        asked = counts[field][some].astype(np.float64), of[some].astype(np.float64), places[some]
        for raised in TRIED:
            found |= set(_raised_at(*asked, rates, raised, outcome).tolist())
    return {names[place] for place in found}


def _usual_rate(usual: CellCounts | None, outcome: Outcome) -> float:
    return min(0.5, max(usual.seen(outcome).rate if usual is not None else 0.0, LEAST_USUAL[outcome]))


def _suspected(
    failed: NDArray[Any],
    of: NDArray[Any],
    places: NDArray[np.intp],
    failing: NDArray[np.intp],
    rates: NDArray[np.float64],
    outcome: Outcome,
) -> NDArray[np.bool_]:
    """At which places some may have been struck at all; no place that `_raised_at` would find is missing."""
    where = places[failing]
    n, total, rate = failed[failing].astype(np.float64), of[failing].astype(np.float64), rates[where]
    own = np.minimum(n / np.maximum(total, 1e-9), 0.999999)
    pro = n * np.log(own / rate) + np.maximum(0.0, total - n) * np.log((1 - own) / (1 - rate))
    pro = np.where(n > rate * total, np.minimum(3.0, pro), 0.0)
    size = len(rates)
    weight = np.bincount(where, pro, size)
    enough = (np.bincount(where, pro >= 1, size) >= LEAST_FAILING) & (weight >= LEAST_WEIGHT)
    if not enough.any():
        return enough
    if outcome == "expired":
        # Mail may still wait of which nothing has expired yet: who is to be asked is left to the closer look.
        return enough
    against = np.minimum(3.0, MORE[outcome] * of)
    against[failed != 0] = 0.0
    return np.asarray(enough & (weight >= LEAST_SHARE * (weight + np.bincount(places, against, size))), np.bool_)


def _raised_at(
    n: NDArray[np.float64],
    of: NDArray[np.float64],
    places: NDArray[np.intp],
    rates: NDArray[np.float64],
    raised: float,
    outcome: Outcome,
) -> NDArray[np.intp]:
    """At which places one raised rate may have been that of several."""
    usual = rates[places]
    weight = n * np.log(raised / usual) + np.maximum(0.0, of - n) * np.log((1 - raised) / (1 - usual))
    weight = np.where(raised >= usual + MORE[outcome], np.clip(weight, -3.0, 3.0), 0.0)
    size = len(rates)
    pro = np.bincount(places, np.maximum(weight, 0.0), size)
    enough = (np.bincount(places, weight >= 1, size) >= LEAST_FAILING) & (pro >= LEAST_WEIGHT)
    return np.flatnonzero(enough & (pro >= LEAST_SHARE * np.bincount(places, np.abs(weight), size)))
