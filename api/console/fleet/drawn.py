"""Rows as they are drawn. They say the same to every viewer, so each is drawn once."""

import zlib
from collections.abc import Sequence

from markupsafe import Markup

from api.console.fleet.row_markup import draw_row
from api.console.fleet.rows import FleetRow

#: So many are kept.
MOST_DRAWN = 20_000


class DrawnRows:
    """Rows as they are drawn, which is the same for everybody: each is drawn once."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, str], tuple[FleetRow, Markup]] = {}

    def of(self, rows: Sequence[FleetRow], now_ms: int) -> dict[tuple[str, str], Markup]:
        """These rows, by key."""
        found = {}
        for row in rows:
            known = self._drawn.get(row.key)
            if known is None or known[0] is not row:
                known = self._drawn[row.key] = (row, draw_row(row, row_id(row.key), now_ms))
            found[row.key] = known[1]
        if len(self._drawn) > MOST_DRAWN:
            self._drawn.clear()
        return found


def row_id(key: tuple[str, str]) -> str:
    """What a row is called within a page."""
    customer, scope = (part.encode(errors="surrogatepass") for part in key)
    return f"r{zlib.crc32(customer):08x}{zlib.crc32(scope, zlib.crc32(customer)):08x}"
