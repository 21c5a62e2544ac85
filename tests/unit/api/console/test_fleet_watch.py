"""The fleet is read for all viewers: what is shown when it changes, when it cannot be read, and when nobody looks."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from api.console.fleet.drawn import DrawnRows, row_id
from api.console.fleet.reader import Details, FleetRead
from api.console.fleet.rows import FleetRow
from api.console.fleet.table import FleetQuery, FleetTable
from api.console.fleet.watch import FleetState, FleetWatch
from api.console.going_on import going_on
from api.console.pages.fleet import news, notes_of
from api.explain.worst import WorstLine, WorstRate
from api.http.models.parameters import Metric
from schemas.incident import Incident
from streams.io.store import StoreError

PATIENCE_S = 30.0
NONE = WorstRate(0.0)


def _line(customer: str, standing: str = "good", place: int = 0) -> WorstLine:
    return WorstLine(
        customer=customer,
        scope="customer",
        standing=standing,
        since_ms=0,
        rule="",
        overridden=False,
        volume=0,
        complaint=NONE,
        failure=NONE,
        block=NONE,
        exposure=NONE,
        score=None,
        place=(place, 0.0, 0, customer, "customer"),
    )


class MadeUpReads:
    """A store that is told what to answer."""

    def __init__(self, *lines: WorstLine) -> None:
        self.fleet = {line.customer: line for line in lines}
        self.fails = False
        self.changes: list[str] = []
        self.asked = 0

    def everything(self, now_ms: int) -> FleetRead:
        self._ask()
        return FleetRead(sorted(self.fleet.values(), key=lambda line: line.place), {"a": "pro"}, {}, {})

    def changed(self, since_ms: int) -> list[str]:
        self._ask()
        return self.changes

    def lines(self, names: Collection[str], now_ms: int) -> list[WorstLine]:
        self._ask()
        return [self.fleet[name] for name in sorted(names) if name in self.fleet]

    def details(self, lines: Sequence[WorstLine], trends: Collection[tuple[str, Metric]], now_ms: int) -> Details:
        return Details({}, dict.fromkeys(trends, (0.1, 0.2)))

    def _ask(self) -> None:
        self.asked += 1
        if self.fails:
            raise StoreError("down")


async def _until(watch: FleetWatch, wanted: str) -> FleetState:
    """The first state in which a Python expression of `rows` and `state` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            state = watch.state
            names = {row.line.customer: row.line.standing for row in state.table.rows}
            if eval(wanted, {}, {"names": names, "state": state}):  # noqa: S307 - of this module's tests alone
                return state
            await watch.newer(state.version, PATIENCE_S)


def _watched(reads: MadeUpReads) -> FleetWatch:
    return FleetWatch(reads, lambda: 1_000, 0.01)


def test_change_is_shown_to_who_looks() -> None:
    async def look() -> None:
        reads = MadeUpReads(_line("a"), _line("b", place=1))
        watch = _watched(reads)
        first = await watch.look(FleetQuery(), PATIENCE_S)
        assert [row.line.customer for row in first.table.rows] == ["a", "b"]
        with watch.looking(FleetQuery()):
            reads.fleet["b"] = _line("b", "critical", place=-1)
            reads.changes = ["b"]
            state = await _until(watch, "names['b'] == 'critical'")
            assert [row.line.customer for row in state.table.rows] == ["b", "a"]
        watch.close()

    asyncio.run(look())


def test_row_that_says_the_same_is_the_same() -> None:
    async def look() -> None:
        reads = MadeUpReads(_line("a"))
        watch = _watched(reads)
        await watch.look(FleetQuery(), PATIENCE_S)
        with watch.looking(FleetQuery()):
            first = await _until(watch, "state.table.rows and state.table.rows[0].trend")
            later = await watch.newer(first.version, PATIENCE_S)
            assert later is not None
            assert later.table.rows[0] is first.table.rows[0]
            assert later.changed == first.changed
        watch.close()

    asyncio.run(look())


def test_store_that_fails_leaves_what_was_and_is_asked_again() -> None:
    async def look() -> None:
        reads = MadeUpReads(_line("a"))
        watch = _watched(reads)
        await watch.look(FleetQuery(), PATIENCE_S)
        with watch.looking(FleetQuery()):
            reads.fails = True
            state = await _until(watch, "state.failing")
            assert len(state.table.rows) == 1
            assert state.read_ms == 1_000
            reads.fails = False
            await _until(watch, "not state.failing")
        watch.close()

    asyncio.run(look())


def test_nothing_is_read_while_nobody_looks() -> None:
    reads = MadeUpReads(_line("a"))
    watch = _watched(reads)
    assert watch.state.read_ms == 0
    watch.close()
    assert reads.asked == 0


def test_viewer_is_sent_the_rows_that_changed_and_the_order_of_all() -> None:
    async def look() -> tuple[FleetState, FleetState]:
        reads = MadeUpReads(_line("a"), _line("b", place=1))
        watch = _watched(reads)
        await watch.look(FleetQuery(), PATIENCE_S)
        with watch.looking(FleetQuery()):
            before = await _until(watch, "len([each for each in state.table.rows if each.trend]) == 2")
            reads.fleet["b"] = _line("b", "critical", place=-1)
            after = await _until(watch, "names['b'] == 'critical'")
        watch.close()
        return before, after

    before, after = asyncio.run(look())
    order = (row_id(("a", "customer")), row_id(("b", "customer")))
    event, now = news(DrawnRows(), after, FleetQuery(), before.version, order, 1_000)
    data = msgspec.json.decode(event.removeprefix(b"data: "))
    assert now == (order[1], order[0])
    assert tuple(data["order"]) == now
    assert list(data["rows"]) == [order[1]]
    assert "s-critical" in data["rows"][order[1]]
    assert data["counts"] == {"critical": 1, "good": 1}


def test_incidents_that_go_on_and_who_is_held_stand_above_the_fleet() -> None:
    hours: dict[str, Any] = {"open": True, "hours": (0,), "outcome": "block"}
    found = [
        Incident(id="a1", dimension="pool", value="<pool>@gmail", state="suspected", **hours),
        Incident(id="b2", dimension="provider", value="gmail", state="dismissed", **hours),
        Incident(id="c3", dimension="all", value="*", state="declared", hours=(7_200,), outcome="declared"),
    ]
    assert [each.id for each in going_on(found, 10_000_000)] == ["c3", "a1"]
    assert [each.id for each in going_on(found, 11_000_000)] == ["a1"]

    held = FleetRow(line=replace(_line("a"), held=True, held_for="incident"))
    state = FleetState(FleetTable([held], {}), 1, 1_000, {held.key: 1}, incidents=going_on(found, 11_000_000))
    notes = notes_of(state)
    assert 'href="/console/incidents#holds">1 held: decide' in notes
    assert 'href="/console/incidents/a1">suspected incident: pool <bdi class="name">&lt;pool&gt;</bdi> at' in notes
    event, _ = news(DrawnRows(), state, FleetQuery(), 0, (), 1_000)
    assert msgspec.json.decode(event.removeprefix(b"data: "))["notes"] == notes
    assert notes_of(replace(state, table=FleetTable([], {}), incidents=())) == ""
