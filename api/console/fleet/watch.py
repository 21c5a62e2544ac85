"""The fleet is read by one thread for all viewers, as long as anybody looks.

Everything is read now and then; who changed, and who is on somebody's page, often. What could not be read stays as it
was, with its age. A row that says the same as before is the same object, by which it is known what is new to a viewer.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from api.console.fleet.reader import Details, FleetRead, Key, trend_metric
from api.console.fleet.rows import FleetRow, RuleFigures
from api.console.fleet.table import FleetQuery, FleetTable
from api.explain.worst import WorstLine
from api.http.models.parameters import Metric
from schemas.errors import ExternalError
from schemas.incident import Incident

#: Who looked so long ago (s) looks no more, if their page is not live.
LOOKING_S = 60.0
#: How many times as long as it took it is rested after reading: often and in part, and everything; and at most, in s.
REST, MOST_REST_S = 3.0, 5.0
WHOLE_REST, MOST_WHOLE_REST_S = 30.0, 120.0
#: Everything is read no sooner after it was read, in s.
WHOLE_S = 20.0
#: Figures and trends of who is looked at are read again after so long, in s.
FIGURES_S, TREND_S = 10.0, 300.0
#: At most so many are read often; with more changes everything is read.
MOST_OFTEN = 1_000
#: Changes are looked for from so long before they were last, in ms: clocks differ, and what is written takes time.
OVERLAP_MS = 10_000
#: How long a reading that is under way may take to end, in s: what comes of it then is of no use.
END_S = 1.0
#: A store that fails is asked again after so long, in s.
AGAIN_S = 2.0

log = logging.getLogger("repmon.console")


class FleetReads(Protocol):
    """What is asked of the store (`api.console.fleet.reader`); each may raise a StoreError."""

    def everything(self, now_ms: int, /) -> FleetRead:
        """The whole fleet."""

    def changed(self, since_ms: int, /) -> list[str]:
        """Who changed."""

    def lines(self, names: Collection[str], now_ms: int, /) -> list[WorstLine]:
        """Some customers."""

    def details(self, lines: Sequence[WorstLine], trends: Collection[tuple[str, Metric]], now_ms: int, /) -> Details:
        """More about some."""


@dataclass(frozen=True, slots=True)
class FleetState:
    """The fleet at `read_ms` (epoch ms; 0 is never); `failing` says that it could not be read since. `version` is
    another with each state, `changed` the version in which each row came to be as it is, and `incidents` go on."""

    table: FleetTable
    version: int
    read_ms: int
    changed: Mapping[Key, int]
    failing: bool = False
    incidents: tuple[Incident, ...] = ()


class FleetWatch:
    """Keeps the state. `clock` is epoch ms."""

    def __init__(self, reads: FleetReads, clock: Callable[[], int], refresh_s: float) -> None:
        self._reads = reads
        self._clock = clock
        self._refresh_s = refresh_s
        self.state = FleetState(FleetTable((), {}), 0, 0, {})
        self._read: FleetRead | None = None
        self._figures: dict[Key, tuple[float, RuleFigures | None]] = {}
        self._trends: dict[tuple[str, Metric], tuple[float, tuple[float | None, ...]]] = {}
        self._since_ms = 0
        self._too_many = False
        self._looked_s = float("-inf")
        self._queries: dict[int, FleetQuery] = {}
        self._last: FleetQuery | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._due = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    async def look(self, query: FleetQuery, wait_s: float) -> FleetState:
        """The state for a page; where nothing was read yet it is waited for so long."""
        self._looked_s, self._last = time.monotonic(), query
        self._start()
        if not self.state.read_ms and not self.state.failing:
            await self.newer(self.state.version, wait_s)
        return self.state

    @contextmanager
    def looking(self, query: FleetQuery) -> Iterator[None]:
        """Somebody looks at what a question is answered with, until the end of the block."""
        mine = object()
        self._queries[id(mine)] = query
        self._start()
        try:
            yield
        finally:
            del self._queries[id(mine)]
            self._looked_s = time.monotonic()

    async def newer(self, version: int, wait_s: float) -> FleetState | None:
        """The next state after a version; None if there is none within a time."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[None] = loop.create_future()
        self._waiting.append(told)
        try:
            if self.state.version == version:  # else it came meanwhile
                await asyncio.wait_for(told, wait_s)
        except TimeoutError:
            return None
        finally:
            told.cancel()
            with suppress(ValueError):
                self._waiting.remove(told)
        return self.state

    def close(self) -> None:
        """Read no more. For any thread."""
        self._over.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join(END_S)

    def _start(self) -> None:
        self._due.set()
        if not self._over.is_set() and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
            self._thread.start()

    # What follows runs on the thread.

    def _run(self) -> None:
        whole_s = soonest_s = float("-inf")
        while not self._over.is_set():
            if not self._queries and time.monotonic() - self._looked_s > LOOKING_S:
                self._due.clear()
                self._due.wait()
                continue
            try:
                if time.monotonic() >= whole_s:
                    took_s = _timed(self._whole)
                    whole_s = time.monotonic() + max(WHOLE_S, min(MOST_WHOLE_REST_S, WHOLE_REST * took_s))
                    soonest_s = time.monotonic() + REST * took_s
                took_s = _timed(self._often)
                rest_s = max(self._refresh_s, min(MOST_REST_S, REST * took_s))
                if self._too_many:
                    whole_s = soonest_s
            except Exception as error:
                if self._over.is_set():
                    return
                if isinstance(error, ExternalError):
                    log.warning("the fleet is shown as it was: %s", error)
                else:
                    log.exception("the fleet is shown as it was")
                if not self.state.failing:
                    self._tell(replace(self.state, failing=True, version=self.state.version + 1))
                rest_s = AGAIN_S
            self._pause(rest_s)

    def _pause(self, rest_s: float) -> None:
        deadline = time.monotonic() + rest_s
        while not self._over.is_set() and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _whole(self) -> None:
        now_ms = self._clock()
        self._read = read = self._reads.everything(now_ms)
        self._since_ms = now_ms - OVERLAP_MS
        keys = {_key(line) for line in read.lines}
        self._figures = {key: known for key, known in self._figures.items() if key in keys}
        names = {name for name, _ in keys}
        self._trends = {each: known for each, known in self._trends.items() if each[0] in names}
        self._show([], read.lines, now_ms)

    def _often(self) -> None:
        """Read who changed and who is looked at."""
        now_ms, shown = self._clock(), self._shown()
        changed = self._reads.changed(self._since_ms)
        self._too_many = len(changed) > MOST_OFTEN
        self._since_ms = now_ms - OVERLAP_MS
        names = {*changed[:MOST_OFTEN], *(row.line.customer for row in shown)}
        if not names:
            self._show(self.state.table.rows, [], now_ms)
            return
        lines = self._reads.lines(names, now_ms)
        seen = {row.key for row in shown}
        kept = [row for row in self.state.table.rows if row.line.customer not in names]
        self._show(kept, lines, now_ms)  # before more is asked about them: a level is not to wait for its figures
        if self._more([line for line in lines if _key(line) in seen], now_ms):
            self._show(kept, lines, now_ms)

    def _shown(self) -> list[FleetRow]:
        queries = list(self._queries.values())  # at once: the event loop adds and removes some
        wanted = set(queries)
        if self._last is not None:
            wanted.add(self._last)
        rows: dict[Key, FleetRow] = {}
        for query in wanted:
            rows |= {row.key: row for row in self.state.table.page(query).rows}
            if len(rows) >= MOST_OFTEN // 2:
                break
        return list(rows.values())

    def _more(self, lines: Sequence[WorstLine], now_ms: int) -> bool:
        """Read the figures and trends of these, where they are not known or old; whether there was any."""
        now_s = time.monotonic()
        judged = [
            line
            for line in lines
            if line.rule and line.customer and now_s - self._figures.get(_key(line), _NO_FIGURES)[0] >= FIGURES_S
        ]
        wanted = {(line.customer, self._trend_of(line)) for line in lines if line.customer}
        old = {each for each in wanted if now_s - self._trends.get(each, _NO_TREND)[0] >= TREND_S}
        if not judged and not old:
            return False
        found = self._reads.details(judged, old, now_ms)
        self._figures |= {_key(line): (now_s, found.figures.get(_key(line))) for line in judged}
        self._trends |= {each: (now_s, found.trends.get(each, ())) for each in old}
        return True

    def _trend_of(self, line: WorstLine) -> Metric:
        return trend_metric(self._read.metrics.get(line.rule, "") if self._read else "")

    def _show(self, kept: Sequence[FleetRow], lines: Sequence[WorstLine], now_ms: int) -> None:
        """A new state of rows that stay as they are, and of lines."""
        if self._read is None:
            return
        before = {row.key: row for row in self.state.table.rows}
        version, changed = self.state.version + 1, {row.key: self.state.changed[row.key] for row in kept}
        rows = list(kept)
        for line in lines:
            row = self._row(self._read, line)
            known = before.get(row.key)
            if known == row:
                rows.append(known)
                changed[row.key] = self.state.changed[row.key]
            else:
                rows.append(row)
                changed[row.key] = version
        rows.sort(key=lambda row: row.line.place)
        self._tell(
            FleetState(FleetTable(rows, self._read.metrics), version, now_ms, changed, incidents=self._read.incidents)
        )

    def _row(self, read: FleetRead, line: WorstLine) -> FleetRow:
        trend_of = self._trend_of(line)
        return FleetRow(
            line=line,
            plan=read.plans.get(line.customer, ""),
            pools=read.pools.get(line.customer, ()),
            figures=self._figures.get(_key(line), _NO_FIGURES)[1] if line.rule else None,
            trend=self._trends.get((line.customer, trend_of), _NO_TREND)[1],
            trend_of=trend_of,
        )

    def _tell(self, state: FleetState) -> None:
        self.state = state
        waiting, self._waiting = self._waiting, []
        for told in waiting:
            with suppress(RuntimeError):  # its event loop has ended
                told.get_loop().call_soon_threadsafe(_wake, told)


_NO_FIGURES: tuple[float, RuleFigures | None] = (float("-inf"), None)
_NO_TREND: tuple[float, tuple[float | None, ...]] = (float("-inf"), ())


def _wake(told: "asyncio.Future[None]") -> None:
    if not told.done():
        told.set_result(None)


def _key(line: WorstLine) -> Key:
    return line.customer, line.scope


def _timed(step: Callable[[], None]) -> float:
    began_s = time.monotonic()
    step()
    return time.monotonic() - began_s
