"""Who shares a customer's pools: those accused by the same rule first, then the worst."""

from api.console.case.pool_mates import PoolMates, pool_mates
from api.console.fleet.rows import FleetRow
from api.explain.worst import WorstLine, WorstRate


def row(customer: str, standing: str, rule: str = "", pools: tuple[str, ...] = ("east",), scope: str = "") -> FleetRow:
    rate = WorstRate(0.0)
    line = WorstLine(
        customer=customer,
        scope=scope or "customer",
        standing=standing,
        since_ms=0,
        rule=rule,
        overridden=False,
        volume=100,
        complaint=rate,
        failure=rate,
        block=rate,
        exposure=rate,
        score=None,
    )
    return FleetRow(line=line, pools=pools)


def test_those_accused_by_the_same_rule_come_first_then_the_worst() -> None:
    rows = [
        row("good", "good"),
        row("me", "excessive", "failure"),
        row("worse", "critical", "block"),
        row("alike", "warning", "failure"),
        row("elsewhere", "critical", "failure", pools=("west",)),
        row("alike", "warning", "failure", scope="stream:news"),
    ]
    found = pool_mates(rows, "me", {"failure"})
    assert [each.customer for each in found.mates] == ["alike", "worse", "good"]
    assert [each.is_alike for each in found.mates] == [True, False, False]
    assert (found.pools, found.total, found.accused) == (("east",), 3, 2)


def test_who_has_no_pool_has_no_mates_and_a_fleet_not_read_yet_is_not_known() -> None:
    assert pool_mates([row("me", "good", pools=()), row("other", "good")], "me", set()) == PoolMates()
    assert not pool_mates([], "me", set()).is_known
