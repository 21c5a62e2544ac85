"""One customer in full, over the table: what `repmon explain` says."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static


class DetailScreen(Screen[None]):
    """Lines of text, wrapped and scrolled; they are renewed as long as it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,backspace", "dismiss", "Back"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, whose: str) -> None:
        super().__init__()
        self.whose = whose

    def compose(self) -> ComposeResult:
        """The lines, and the keys."""
        yield VerticalScroll(Static(Text(f"{self.whose} ..."), id="lines"))
        yield Footer()

    def show(self, lines: Sequence[str]) -> None:
        """Put lines, already harmless for a terminal, in place of what is shown; where it is scrolled to stays."""
        self.query_one("#lines", Static).update(Text("\n".join(lines)))

    def action_scroll(self, rows: int) -> None:
        """So many rows down, or up."""
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)
