"""The fleet in memory: sorted, filtered, and a page of it at a time. Times are epoch ms.

Columns that are sorted by are arrays, so a question costs about a millisecond at 10,000 customers. The same question
of several viewers is answered once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.console.fleet.rows import FleetRow
from schemas.levels import LEVELS

Sort = Literal["worst", "customer", "since", "rule", "volume", "complaint", "failure", "block", "exposure", "score"]
SORTS: tuple[Sort, ...] = get_args(Sort)
#: Which end of a column comes first where nothing else is asked for.
ASCENDING: frozenset[Sort] = frozenset({"worst", "customer", "score", "rule"})
#: Rows of a page, and what else may be asked for.
PAGE = 50
SIZES = (50, 100, 250)
#: Answers that are kept of one state of the fleet.
MOST_KEPT = 64

Positions = NDArray[np.int64]


class FleetQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for: of these standings, by a metric of the deciding rule, with a text in the name of customer or
    stream, of a pool, of a plan, only with an open alert, only unobservable, only who waits for a decision; sorted by
    what, which page (from 1), and how many rows a page has."""

    standings: tuple[str, ...] = ()
    metric: str = ""
    text: str = ""
    pool: str = ""
    plan: str = ""
    only_open: bool = False
    unobservable: bool = False
    only_held: bool = False
    sort: Sort = "worst"
    descending: bool = False
    page: int = 1
    size: int = PAGE

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves anybody out."""
        return self != FleetQuery(sort=self.sort, descending=self.descending, page=self.page, size=self.size)


class FleetPage(msgspec.Struct, frozen=True):
    """A page: its rows, how many there are on all pages, and which page it is of how many (from 1; at least one)."""

    rows: tuple[FleetRow, ...]
    total: int
    number: int
    pages: int


class FleetTable:
    """All rows at one moment. `metrics` are those of rules, by rule."""

    def __init__(self, rows: Iterable[FleetRow], metrics: Mapping[str, str]) -> None:
        self.rows: tuple[FleetRow, ...] = tuple(rows)
        self._metrics = metrics
        self._answers: dict[FleetQuery, Positions] = {}

    @cached_property
    def by_standing(self) -> Mapping[str, int]:
        """How many customers stand how; parts of their mail do not count."""
        return Counter(row.line.standing for row in self.rows if row.line.scope == "customer")

    @cached_property
    def held(self) -> int:
        """How many customers have an alert that is held."""
        return len({row.line.customer for row in self.rows if row.line.held})

    @cached_property
    def plans(self) -> Sequence[str]:
        """The plans that there are."""
        return sorted({row.plan for row in self.rows if row.plan})

    @cached_property
    def pools(self) -> Sequence[str]:
        """The pools that there are."""
        return sorted({each for row in self.rows for each in row.pools})

    @cached_property
    def metrics(self) -> Sequence[str]:
        """The metrics by which anybody is judged now."""
        return sorted({metric for row in self.rows if (metric := self._metric(row))})

    def page(self, query: FleetQuery) -> FleetPage:
        """The page that is asked for; the last one where there are not so many."""
        found, size = self._found(query), query.size
        pages = max(1, -(-len(found) // size))
        number = min(max(1, query.page), pages)
        places = found[(number - 1) * size : number * size]
        return FleetPage(tuple(self.rows[place] for place in places.tolist()), len(found), number, pages)

    def _found(self, query: FleetQuery) -> Positions:
        same = msgspec.structs.replace(query, page=1, size=PAGE)
        found = self._answers.get(same)
        if found is None:
            order = self._order(query.sort, query.descending)
            found = order[self._kept(query)[order]] if query.is_filtered else order
            if len(self._answers) >= MOST_KEPT:
                self._answers.clear()
            self._answers[same] = found
        return found

    def _order(self, sort: Sort, descending: bool) -> Positions:
        places = np.arange(len(self.rows))
        if sort == "worst":  # as they are, which is the order of `worst`
            return places[::-1] if descending else places
        values = self._values(sort)
        # Of equals the worst comes first, whichever way it is sorted.
        return np.lexsort((places, -values if descending else values))

    def _values(self, sort: Sort) -> NDArray[np.float64]:
        lines = [row.line for row in self.rows]
        match sort:
            case "customer":
                return self._by_text([line.customer.casefold() for line in lines])
            case "rule":
                return self._by_text([line.rule or "\U0010ffff" for line in lines])
            case "since":
                return np.array([line.since_ms for line in lines], np.float64)
            case "volume":
                return np.array([line.volume for line in lines], np.float64)
            case "score":
                return np.array([101.0 if line.score is None else line.score for line in lines], np.float64)
            case "complaint" | "failure" | "block" | "exposure":
                return np.array([getattr(line, sort).ratio for line in lines], np.float64)
        raise ValueError(sort)

    def _by_text(self, texts: Sequence[str]) -> NDArray[np.float64]:
        ranks = {text: rank for rank, text in enumerate(sorted(set(texts)))}
        return np.array([ranks[text] for text in texts], np.float64)

    def _kept(self, query: FleetQuery) -> NDArray[np.bool_]:
        kept = np.ones(len(self.rows), np.bool_)
        if query.standings:
            kept &= self._standing_in(frozenset(query.standings))
        if text := query.text.casefold():
            kept &= np.array([text in each for each in self._texts], np.bool_)
        if query.metric:
            kept &= np.array([self._metric(row) == query.metric for row in self.rows], np.bool_)
        if query.pool:
            kept &= np.array([query.pool in row.pools for row in self.rows], np.bool_)
        if query.plan:
            kept &= np.array([row.plan == query.plan for row in self.rows], np.bool_)
        if query.only_open:
            kept &= np.array([is_open(row) for row in self.rows], np.bool_)
        if query.only_held:
            kept &= np.array([row.line.held for row in self.rows], np.bool_)
        if query.unobservable:
            kept &= np.array([row.is_unobservable for row in self.rows], np.bool_)
        return kept

    def _standing_in(self, wanted: frozenset[str]) -> NDArray[np.bool_]:
        return np.array([row.line.standing in wanted for row in self.rows], np.bool_)

    @cached_property
    def _texts(self) -> Sequence[str]:
        return [f"{row.line.customer}\n{row.line.scope}".casefold() for row in self.rows]

    def _metric(self, row: FleetRow) -> str:
        return self._metrics.get(row.line.rule, "") if row.line.rule else ""


def is_open(row: FleetRow) -> bool:
    """Whether an alert is open of it."""
    return bool(row.line.rule) and (row.line.standing in LEVELS[1:] or row.line.standing == "suspended")
