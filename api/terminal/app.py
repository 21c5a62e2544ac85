"""The live table: reads the worst customers every second and shows them as they are asked for."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Protocol

from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.widgets import DataTable, Footer, Input, Static

from api.explain.worst import WorstFilter, WorstLine
from api.terminal.detail import DetailScreen
from api.terminal.question import TopQuestion
from api.text.columns import GAP, Placed, cell, shortened
from api.text.harmless import harmless
from api.text.top import LEGEND, cells, placed
from schemas.errors import ExternalError
from schemas.wording import age

REFRESH_S = 1.0
#: Actions of the table alone.
OF_TABLE = {"find", "share", "sort", "pause", "help", "move", "ends"}
HELP = """Enter    why a customer stands where it stands (or a click on its line)
/        only customers with a text in their name; empty shows all
l        fewer standings: all, not well, excessive or critical, critical
s, S     the next order, the one before (or a click on a heading)
Space    pause, and go on
j, k     down, up; g, G the first, the last; Page Up and Page Down
q        end

In the table: n of m is too few to judge by; not seen: no feedback loop; +: more came of mail of an unknown time;
*: an override holds; ?: held, nobody is to act yet."""


class WorstReads(Protocol):
    """The worst customers now. Raises ExternalError: the store failed."""

    def read(self, limit: int, wanted: WorstFilter | None = None) -> list[WorstLine]: ...


class TopApp(App[None]):
    """Reads and explains on one thread at a time. What fails is said, beside what was read last and how old it is."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #title, #legend { height: 1; }
    #legend { color: $text-muted; }
    DataTable { height: 1fr; scrollbar-size-vertical: 0; overflow-x: hidden; }
    Input { display: none; height: 3; }
    #lines { padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "find", "Find", key_display="/"),
        Binding("l", "share", "Levels"),
        Binding("s", "sort(1)", "Sort"),
        Binding("S", "sort(-1)", show=False),
        Binding("space", "pause", "Pause"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q,ctrl+c", "quit", "End"),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
        Binding("g", "ends(False)", show=False),
        Binding("G", "ends(True)", show=False),
    ]

    def __init__(
        self,
        reader: WorstReads,
        explained: Callable[[str], Iterable[str]],
        title: str,
        *,
        limit: int,
        clock: Callable[[], int],
        stop: threading.Event | None = None,
    ) -> None:
        """`explained` gives the lines that say why a customer stands where it stands, and may raise ExternalError.
        `clock` is epoch ms. It ends when `stop` is set."""
        super().__init__()
        self._reader, self._explained = reader, explained
        self._title, self._limit, self._clock = title, limit, clock
        self._stop = stop or threading.Event()
        self._turn = asyncio.Lock()
        self._asked, self._paused, self._failed = TopQuestion(), False, ""
        self._lines: list[WorstLine] = []
        self._drawn = self._asked
        #: What the lines are an answer to.
        self._answered: TopQuestion | None = None
        self._read_ms = 0
        self._placed: list[Placed] = []
        self._table: DataTable[Text] = DataTable(cursor_type="row", cell_padding=0)
        self._said, self._legend = Static(id="title"), Static(id="legend")
        self._field = Input(placeholder="part of a customer's name; Enter to look, Esc to leave", id="find")

    def compose(self) -> ComposeResult:
        """Title, table, legend, the field of a text to look for, keys."""
        yield from (self._said, self._table, self._legend, self._field)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Read at once, then every second."""
        self._table.focus()
        self._fit(self.size.width)
        self.set_interval(REFRESH_S, self._look)
        self._look()

    def on_resize(self, event: Resize) -> None:
        """The terminal has another size."""
        if self._table.is_mounted:
            self._fit(event.size.width)

    def _fit(self, width: int) -> None:
        """Columns depend on the width alone."""
        self._placed = placed(width)
        self._table.clear(columns=True)
        for each in self._placed:
            heading = Text(cell(each.column.heading, each))
            # The gap belongs to the column before it: Textual's own stands on both sides and costs two cells more.
            gap = GAP if each is not self._placed[-1] else 0
            self._table.add_column(heading, width=each.width + gap, key=each.column.heading)
        self._legend.update(Text(shortened(LEGEND, width)))
        self._draw()

    def _look(self) -> None:
        """Read once, unless it is paused or a reading still runs, which is the case where the store is slow."""
        if self._stop.is_set():
            self.exit()
        elif self._paused or self._turn.locked():
            self._say()
        else:
            self.run_worker(self._read(), group="read")

    async def _read(self) -> None:
        """What is asked for, and then what is open of one customer. Keys are answered meanwhile."""
        async with self._turn:
            asked = self._asked
            try:
                lines = await asyncio.to_thread(self._reader.read, self._limit, asked.wanted)
            except ExternalError as error:
                self._failed = harmless(str(error))
            else:
                self._failed = ""
                # An answer to what is no longer asked would be shown under the new heading.
                if asked == self._asked:
                    self._lines, self._answered, self._read_ms = lines, asked, self._clock()
        self._draw()
        if isinstance(self.screen, DetailScreen):
            await self._explain(self.screen)

    def _draw(self) -> None:
        """The lines; the cursor stays on its customer and the view where it was, unless something else is asked."""
        if not self._placed:
            return
        table, now_ms = self._table, self._clock()
        at = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value if table.row_count else None
        top = table.scroll_offset.y
        with self.batch_update():
            table.clear()
            for each in self._lines:
                table.add_row(*cells(each, now_ms, self._placed), key=_key(each))
            if self._drawn != self._asked:
                table.scroll_to(y=0, animate=False, force=True)
            elif at is not None and at in table.rows:
                table.move_cursor(row=table.get_row_index(at), scroll=False)
                table.scroll_to(y=top, animate=False, force=True)
        self._drawn = self._asked
        self._say()

    def _say(self) -> None:
        """The first line: which customers, in which order, how fresh."""
        old = age(max(0, self._clock() - self._read_ms) / 1000)
        state = (
            "reading"
            if self._answered != self._asked
            else f"{self._table.cursor_row + 1} of {'the first ' * self._is_cut}{len(self._lines)}"
            if self._lines
            else "nobody"
        )
        if self._paused:
            state = f"paused, {old} old"
        said, width = f"{self._asked.said} ({state})", self.size.width
        whole = f"{said}  {self._title}"
        text = Text(shortened(whole if cell_len(whole) <= width else harmless(said), width), "bold")
        if self._failed:
            known = f"; what stands here is {old} old" if self._read_ms else ""
            text = Text(shortened(f"{self._failed}{known}", width), "bold red")
        self._said.update(text)

    @property
    def _is_cut(self) -> bool:
        """Whether there may be more than what is shown."""
        return len(self._lines) >= self._limit

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """What the keys of the table do is of no use over a customer."""
        return not isinstance(self.screen, DetailScreen) or action not in OF_TABLE

    def _ask(self, asked: TopQuestion) -> None:
        """Ask something else: at once, or as soon as the reading that runs has ended."""
        if asked != self._asked:
            self._asked = asked
            self._say()
            self.run_worker(self._read(), group="read")

    def action_sort(self, step: int) -> None:
        """The next order, or the one before."""
        self._ask(self._asked.next_order(step))

    def action_share(self) -> None:
        """Fewer standings, after the fewest all."""
        self._ask(self._asked.next_share())

    def action_pause(self) -> None:
        """What is shown stays, or is read again."""
        self._paused = not self._paused
        self._say()

    def action_find(self) -> None:
        """Open the field of a text to look for."""
        self._field.display = True
        # Not `focus`, which comes later than the next keys of somebody who types fast.
        self.screen.set_focus(self._field)

    def action_move(self, rows: int) -> None:
        """Down, or up."""
        self._table.move_cursor(row=self._table.cursor_row + rows)

    def action_ends(self, last: bool) -> None:
        """To the last line, or the first."""
        self._table.move_cursor(row=self._table.row_count - 1 if last else 0)

    def action_help(self) -> None:
        """The keys, in place of the table."""
        screen = DetailScreen("")
        self.push_screen(screen)
        screen.call_after_refresh(screen.show, HELP.splitlines())

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._say()

    @on(Input.Submitted)
    def _found(self, event: Input.Submitted) -> None:
        self._leave_find()
        self._ask(self._asked.named(event.value))

    def on_key(self, event: object) -> None:
        """Esc leaves the field of a text."""
        if getattr(event, "key", "") == "escape" and self._field.has_focus:
            self._leave_find()

    def _leave_find(self) -> None:
        self._field.display = False
        self.screen.set_focus(self._table)

    @on(DataTable.HeaderSelected)
    def _sorted(self, event: DataTable.HeaderSelected) -> None:
        self._ask(self._asked.by_heading(str(event.column_key.value)))

    @on(DataTable.RowSelected)
    def _chosen(self, event: DataTable.RowSelected) -> None:
        line = next((each for each in self._lines if _key(each) == event.row_key.value), None)
        if line is not None:
            screen = DetailScreen(line.customer or line.scope)
            self.push_screen(screen)
            self.run_worker(self._explain(screen), group="explain")

    async def _explain(self, screen: DetailScreen) -> None:
        if not screen.whose:
            return
        async with self._turn:
            try:
                lines: Sequence[str] = await asyncio.to_thread(lambda: list(self._explained(screen.whose)))
            except ExternalError as error:
                lines = [str(error)]
        if self.screen is screen and screen.is_mounted:
            screen.show([harmless(each) for each in lines])


def _key(line: WorstLine) -> str:
    return f"{line.scope}\0{line.customer}"
