"""The live table as an operator uses it: keys, clicks, a store that fails, terminals of several widths."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from api.explain.worst import WorstFilter, WorstLine
from api.terminal.app import TopApp
from streams.io.store import StoreError
from tests.support.worst_lines import LINE, NAMES, NOW_MS

FLEET = [replace(LINE, customer=f"customer-{number:03}", volume=1_000 + number) for number in range(60)]
EVIL = NAMES["escapes"]


@dataclass
class Reader:
    """Gives the lines of a fleet, and keeps what it was asked; with `fails` the store does not answer."""

    lines: list[WorstLine] = field(default_factory=lambda: list(FLEET))
    asked: list[WorstFilter] = field(default_factory=list)
    fails: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    def read(self, limit: int, wanted: WorstFilter | None = None) -> list[WorstLine]:
        assert wanted is not None
        self.asked.append(wanted)
        if self.fails:
            raise StoreError(self.fails)
        found = [each for each in self.lines if wanted.name in each.customer]
        return sorted(found, key=lambda each: -each.volume)[:limit] if wanted.order == "mail" else found[:limit]


def explained(whose: str) -> Iterable[str]:
    return [f"{whose} stands so because of {EVIL}"]


Uses = Callable[["TopApp", "Pilot[None]", Reader], Awaitable[None]]


def used(use: Uses, size: tuple[int, int] = (80, 24), reader: Reader | None = None) -> None:
    """Start it on a terminal of a size, wait for its first lines, use it."""
    reads = reader or Reader()

    async def run() -> None:
        app = TopApp(reads, explained, "at here", limit=200, clock=lambda: NOW_MS, stop=reads.stop)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: bool(reads.asked) and "reading" not in title(app))
            await use(app, pilot, reads)

    asyncio.run(run())


async def until(pilot: "Pilot[None]", holds: Callable[[], bool]) -> None:
    for _ in range(200):
        if holds():
            return
        await pilot.pause(0.05)
    raise AssertionError("nothing of the kind within 10 s")


def title(app: TopApp) -> str:
    return str(app.query_one("#title", Static).render())


def rows(app: TopApp) -> list[str]:
    table = app.query_one(DataTable)
    return ["  ".join(str(cell) for cell in table.get_row_at(place)) for place in range(table.row_count)]


def cursor(app: TopApp) -> str:
    table = app.query_one(DataTable)
    return str(table.get_row_at(table.cursor_row)[0]).strip()


class SlowReader(Reader):
    """Answers the first question only once `answers` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()

    def read(self, limit: int, wanted: WorstFilter | None = None) -> list[WorstLine]:
        is_first = not self.asked
        found = super().read(limit, wanted)
        if is_first:
            assert self.answers.wait(10)
        return found


def test_nobody_is_not_said_before_the_store_has_answered_what_is_asked() -> None:
    """A key that is pressed before the first answer asks something else; the late answer is none to that."""
    reader, seen = SlowReader(), list[str]()

    async def run() -> None:
        app = TopApp(reader, explained, "at here", limit=200, clock=lambda: NOW_MS, stop=reader.stop)
        async with app.run_test() as pilot:
            await until(pilot, lambda: bool(reader.asked))
            await pilot.press("s")
            say = app._say

            def said() -> None:
                say()
                seen.append(title(app))

            app._say = said  # type: ignore[method-assign]
            reader.answers.set()
            await until(pilot, lambda: "1 of 60" in title(app))

    asyncio.run(run())
    assert seen
    assert not [each for each in seen if "nobody" in each]


def test_of_many_customers_it_says_that_these_are_the_first() -> None:
    many = [replace(LINE, customer=f"customer-{number:05}") for number in range(10_000)]

    async def use(app: TopApp, pilot: "Pilot[None]", _: Reader) -> None:
        assert "1 of the first 200" in title(app)
        await pilot.press("G")
        assert cursor(app) == "customer-00199"
        await pilot.press("slash", *"00007", "enter")
        await until(pilot, lambda: "1 of 1" in title(app))

    used(use, reader=Reader(many))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)], ids=str)
def test_every_line_fits_whatever_it_holds(size: tuple[int, int]) -> None:
    lines = [replace(LINE, customer=name) for name in NAMES.values()]

    async def use(app: TopApp, _: "Pilot[None]", __: Reader) -> None:
        table = app.query_one(DataTable)
        assert sum(each.get_render_width(table) for each in table.ordered_columns) <= size[0]
        assert len(rows(app)) == len(NAMES)
        assert not any("\x1b" in each or "\n" in each for each in rows(app))

    used(use, size, Reader(lines))


def test_keys_sort_and_filter_what_the_store_is_asked_for() -> None:
    async def use(app: TopApp, pilot: "Pilot[None]", reader: Reader) -> None:
        await pilot.press("s", "s", "s")
        await until(pilot, lambda: reader.asked[-1].order == "mail")
        await until(pilot, lambda: rows(app)[0].startswith("customer-059"))
        assert "the most mail first" in title(app)
        await pilot.press("l", "l", "l")
        await until(pilot, lambda: reader.asked[-1].standings == ("critical",))
        await pilot.press("slash", *"r-01", "enter")
        await until(pilot, lambda: reader.asked[-1].name == "r-01")
        await until(pilot, lambda: len(rows(app)) == 10)
        assert "named like 'r-01'" in title(app)

    used(use)


def test_mouse_sorts_by_a_heading_and_opens_a_line() -> None:
    async def use(app: TopApp, pilot: "Pilot[None]", reader: Reader) -> None:
        await pilot.click(DataTable, offset=(2, 0))
        await until(pilot, lambda: reader.asked[-1].order == "customer")
        await pilot.click(DataTable, offset=(2, 3))
        await pilot.click(DataTable, offset=(2, 3))
        await until(pilot, lambda: bool(app.screen.query("#lines")))

    used(use)


def test_cursor_stays_on_its_customer_when_the_order_changes() -> None:
    async def use(app: TopApp, pilot: "Pilot[None]", reader: Reader) -> None:
        await pilot.press("j", "j")
        assert cursor(app) == "customer-002"
        asked = len(reader.asked)
        reader.lines.reverse()
        await until(pilot, lambda: len(reader.asked) > asked and rows(app)[0].startswith("customer-059"))
        assert cursor(app) == "customer-002"

    used(use)


def test_enter_explains_a_customer_and_escape_leads_back() -> None:
    async def use(app: TopApp, pilot: "Pilot[None]", _: Reader) -> None:
        await pilot.press("j", "enter")
        await until(pilot, lambda: bool(app.screen.query("#lines")))
        await until(pilot, lambda: "because" in str(app.screen.query_one("#lines", Static).render()))
        shown = str(app.screen.query_one("#lines", Static).render())
        assert shown.startswith("customer-001 stands so because of ev")
        assert "\x1b" not in shown
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.query("#lines"))

    used(use)


def test_pause_keeps_what_is_shown() -> None:
    async def use(app: TopApp, pilot: "Pilot[None]", reader: Reader) -> None:
        await pilot.press("space")
        assert "paused" in title(app)
        reader.lines = []
        await pilot.press("space")
        await until(pilot, lambda: "nobody" in title(app))
        assert rows(app) == []

    used(use)


def test_store_that_fails_is_said_and_the_last_lines_stay() -> None:
    async def use(app: TopApp, pilot: "Pilot[None]", reader: Reader) -> None:
        reader.fails = "127.0.0.1:8123 cannot be reached\x1b[2J"
        await until(pilot, lambda: "cannot be reached" in title(app))
        assert "\x1b" not in title(app)
        assert len(rows(app)) == len(FLEET)
        reader.fails = ""
        await until(pilot, lambda: "cannot be reached" not in title(app))

    used(use)


def test_it_ends_by_its_key_and_by_a_signal() -> None:
    async def by_key(app: TopApp, pilot: "Pilot[None]", _: Reader) -> None:
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)

    async def by_signal(app: TopApp, pilot: "Pilot[None]", reader: Reader) -> None:
        reader.stop.set()
        await until(pilot, lambda: not app.is_running)

    used(by_key)
    used(by_signal)
