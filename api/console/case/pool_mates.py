"""Who else sends through a customer's IP pools, and how they stand: is it one of them, or all of them?

It reads nothing. The fleet as it is read for all viewers (`api.console.fleet`) has both, so the store is not asked.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from api.console.fleet.rows import FleetRow
from schemas.levels import LEVELS
from schemas.scope import CUSTOMER

MOST = 12
ACCUSED = frozenset({"suspended", *LEVELS[1:]})


@dataclass(frozen=True, slots=True)
class PoolMate:
    """A customer on the same pool, with the rule that decides; `is_alike`: it is one that accuses this one too."""

    customer: str
    standing: str
    rule: str
    is_alike: bool


@dataclass(frozen=True, slots=True)
class PoolMates:
    """The pools of a customer and who else is on them: `total` customers, of whom `accused` stand at a level; those
    most like it first. `is_known`: the fleet was read already."""

    pools: tuple[str, ...] = ()
    mates: tuple[PoolMate, ...] = ()
    total: int = 0
    accused: int = 0
    is_known: bool = True


def pool_mates(rows: Sequence[FleetRow], customer: str, reasons: Collection[str]) -> PoolMates:
    """Who shares the customer's pools, of the whole fleet; `reasons` are the rules that accuse it."""
    pools = frozenset(pool for row in rows if row.line.customer == customer for pool in row.pools)
    if not pools:
        return PoolMates(is_known=bool(rows))
    found = [
        row for row in rows
        if row.line.scope == CUSTOMER and row.line.customer != customer and not pools.isdisjoint(row.pools)
    ]  # fmt: skip
    accused = sum(row.line.standing in ACCUSED for row in found)
    found.sort(key=lambda row: (not _is_alike(row, reasons), -_rank(row.line.standing), -row.line.volume))
    mates = tuple(
        PoolMate(row.line.customer, row.line.standing, row.line.rule, _is_alike(row, reasons)) for row in found[:MOST]
    )
    return PoolMates(tuple(sorted(pools)), mates, len(found), accused)


def _is_alike(row: FleetRow, reasons: Collection[str]) -> bool:
    return row.line.standing in ACCUSED and row.line.rule in reasons


def _rank(standing: str) -> int:
    levels: Sequence[str] = (*LEVELS, "suspended")
    return levels.index(standing) if standing in levels else -1
