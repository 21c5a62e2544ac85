"""Rates of customers by hour kept in memory, and up to date with the store: so a series over a month costs no query.

Nothing tells the interface what was counted, by which process and how late. But the store's parts never change, so what
is new is in parts that were not read yet: once a second, while anybody asks, these are summed by customer and minute,
and added to what is kept (`api.http.parts_follower`). Where that cannot be done everything is read again.

One thread reads. Who asks gets at once what is kept, if it is fresh enough; else it is read next, with what all others
wait for.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from api.http.kept_hours import BYTES, RING, CustomerSums, KeptHours, finely_kept
from api.http.models.parameters import Metric
from api.http.part_sums import OF_METRIC, CustomerNumbers, Numbers
from api.http.parts_follower import PartsChangingError, PartsFollower, PartsLostError
from api.http.ranges import end_of_minute
from api.http.rate_counts import NO_COUNTS, CountedArrays, CountsAsked, counted_arrays
from api.http.rates import Definition
from schemas.times import FOREVER_S, HOUR_S
from streams.io.store import QueryLimitError, Store, StoreBusyError, StoreError

#: Customers in one query: of those who wait, and of all while nobody does.
WAITING, AHEAD = 64, 200
#: How often customers are read again whose parts were merged meanwhile.
TRIES = 5
#: Everything had to be read again so soon, in s: then nothing is kept for so long. Where a balancer asks several
#: replicas in turn it would never end.
SOON_S, OFF_S = 10.0, 60.0
#: Nothing is kept once nobody has asked for so long, in s.
IDLE_S = 600.0
CUSTOMERS = "SELECT DISTINCT customer FROM counts WHERE dimension = 'provider' ORDER BY customer LIMIT {most:UInt32}"

log = logging.getLogger("repmon.api")


#: Whose rates are read together.
CustomersByRate = Mapping[Metric, Sequence[str]]


class WantedRate(NamedTuple):
    """Who waits for what, and since when (monotonic s)."""

    metric: Metric
    customer: str
    since: float
    done: "Future[None]"


class KeptRates:
    """See above. Any thread may call what has no underscore.

    `clock` gives epoch ms, `memory` is in bytes, and `age_s` is how long ago a look at the store may have begun whose
    result is an answer; with 0 there is one for each answer.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        definition: Definition,
        clock: Callable[[], int],
        memory: int,
        age_s: float,
    ) -> None:
        self._open = open_store
        self._definition = definition
        self._clock = clock
        self._most = memory // BYTES
        self._age_s = age_s
        self._every_s = max(0.5, age_s / 2)
        self._lock = threading.Condition()
        self._wanted: list[WantedRate] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        self._asked = self._off_until = -np.inf
        self._store: Store | None = None
        self._forget()

    def get(self, metric: Metric, customer: str, now: int, since: float) -> CustomerSums | None:
        """What is kept of a customer, if it is fresh enough for a request that came at `since` (monotonic s). `now` is
        the end of the running minute (epoch s)."""
        with self._lock:
            self._asked = time.monotonic()
            if self._looked < since - self._age_s:
                return None
            return self._found(metric, customer, now)

    def want(self, metric: Metric, customer: str, since: float) -> "Future[None] | None":
        """Have it kept and as fresh as for `get`: done when it is, or cannot be. None where there is no hope."""
        with self._lock:
            if self._closed or metric not in OF_METRIC or self._most < 1 or since < self._off_until:
                return None
            if self._odd.get((metric, customer)) == self._hour():
                return None
            done: Future[None] = Future()
            self._wanted.append(WantedRate(metric, customer, since, done))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="kept rates", daemon=True)
                self._thread.start()
            self._lock.notify()
        return done

    def hourly(self, metric: Metric, customers: Sequence[str], hours: int) -> dict[str, Numbers]:
        """Numerators and denominators of the last so many hours, `(2, hours)`, the running one last: of those of the
        customers who are kept, as it was at the last look. Nothing is read for it."""
        end = self._hour() + 1
        found = {}
        with self._lock:
            for customer in customers:
                if (one := self._kept.get((metric, customer))) is not None:
                    last = end - one.hours.first
                    found[customer] = np.stack((one.hours.above, one.hours.below))[:, max(0, last - hours) : last]
        return found

    def close(self) -> None:
        """End, and give the connection back."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        if self._thread is not None:
            self._thread.join()
        self._disconnect()

    def _forget(self) -> None:
        self._numbers = CustomerNumbers()
        self._kept = KeptHours(self._most, self._numbers)
        #: Rates that somebody asked for.
        self._rates: set[Metric] = set()
        self._follower: PartsFollower | None = None
        self._looked = self._begun = -np.inf
        #: Whom to read ahead, the next one last, and when.
        self._ahead: list[tuple[Metric, str]] = []
        self._ahead_at = -np.inf
        #: Who cannot be kept in this hour.
        self._odd: dict[tuple[Metric, str], int] = {}

    def _hour(self) -> int:
        return self._clock() // 1000 // HOUR_S

    def _found(self, metric: Metric, customer: str, now: int) -> CustomerSums | None:
        found = self._kept.get((metric, customer))
        if found is None or found.hours.first + RING <= now // HOUR_S or finely_kept(now)[0] not in found.minutes:
            return None
        return found

    # The rest is done by the one thread.

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._wanted and not self._closed:
                    self._lock.wait(self._rest_s())
                # From here on nobody who waits can take it back.
                waiting = [each for each in self._wanted if each.done.set_running_or_notify_cancel()]
                self._wanted = []
                if self._closed:
                    break
            try:
                self._work(waiting)
            except (QueryLimitError, StoreBusyError) as error:
                # More came at once than may be read at once: it is known once it is begun again.
                log.warning("rates are read from the store one by one for %g s: %s", SOON_S, error)
                self._start_over(SOON_S)
            except StoreError as error:
                log.warning("rates are read from the store one by one for %g s: %s", SOON_S, error)
                self._stop_for(SOON_S)
                self._disconnect()
            except PartsChangingError:
                self._stop_for(1.0)
            except Exception:
                log.exception("rates are read from the store one by one for %g s", OFF_S)
                self._start_over(OFF_S)
            finally:
                for each in waiting:
                    each.done.set_result(None)
        for each in waiting:
            each.done.set_result(None)

    def _rest_s(self) -> float | None:
        """For how long there is nothing to do; None until somebody asks."""
        if self._follower is None:
            return None
        due = self._looked + self._every_s
        now = time.monotonic()
        due = max(min(due, self._ahead_at) if self._ahead else due, self._off_until, now + 0.001)
        return due - now

    def _work(self, waiting: Sequence[WantedRate]) -> None:
        now = time.monotonic()
        if not waiting and now - self._asked > IDLE_S:
            with self._lock:
                self._forget()
            return
        if now >= self._looked + self._every_s or any(self._looked < each.since - self._age_s for each in waiting):
            self._look()
        minute = end_of_minute(self._clock())
        portions = []
        for metric in OF_METRIC:
            wanted = {each.customer for each in waiting if each.metric == metric}
            missing = sorted(each for each in wanted if self._found(metric, each, minute) is None)
            portions.append([(metric, missing[start : start + WAITING]) for start in range(0, len(missing), WAITING)])
        for together in zip_longest(*portions):
            self._try_load(dict(each for each in together if each is not None))
        if not waiting and time.monotonic() >= self._ahead_at:
            began = time.monotonic()
            self._load_ahead()
            # As long for whoever else needs the processor.
            self._ahead_at = 2 * time.monotonic() - began

    def _look(self) -> None:
        began, store = time.monotonic(), self._connected()
        try:
            follower = self._follower or PartsFollower(store, self._definition, self._numbers)
            new = follower.look(store)
        except PartsLostError:
            rates, is_soon = tuple(self._rates), began < self._begun + SOON_S
            self._start_over(OFF_S if is_soon else 0.0)
            self._begun = began
            if not is_soon:
                self._look()
                for metric in rates:
                    self._begin(metric)
            return
        with self._lock:
            if self._follower is None:
                self._follower, self._begun = follower, began
            self._kept.move_on(end_of_minute(self._clock()))
            self._kept.add(new)
            self._looked = began

    def _begin(self, metric: Metric) -> None:
        """Where a rate was not asked for before, read it ahead of all customers, if there is room for all."""
        if metric not in self._rates:
            self._rates.add(metric)
            room = max(0, self._kept.room - len(self._ahead))
            found = [str(name) for (name,) in self._connected().rows(CUSTOMERS, {"most": room + 1})]
            if len(found) <= room:
                self._ahead = [*((metric, each) for each in reversed(found)), *self._ahead]

    def _try_load(self, wanted: CustomersByRate) -> None:
        """The same as `_load`; where that takes more than a query may, they are asked for one by one in this hour."""
        try:
            self._load(wanted)
        except (QueryLimitError, StoreBusyError) as error:
            if len(wanted) > 1:
                for metric, customers in wanted.items():
                    self._try_load({metric: customers})
                return
            for metric, customers in wanted.items():
                log.warning("rates of %d customers are read from the store one by one: %s", len(customers), error)
                with self._lock:
                    for each in customers:
                        self._kept.forget((metric, each))
                        self._odd[metric, each] = self._hour()

    def _load(self, wanted: CustomersByRate) -> None:
        """Read customers' hours from the parts that were read, which must be there all the while: it is asked once,
        whatever the number of rates."""
        for metric in wanted:
            self._begin(metric)
        for _ in range(TRIES):
            if self._follower is None:
                return
            now = end_of_minute(self._clock())
            with self._lock:
                self._kept.move_on(now)
            finely = finely_kept(now)
            span = finely[0] * HOUR_S, (finely[1] + 1) * HOUR_S
            parts = [each.name for each in self._follower.parts]
            found: dict[tuple[Metric, str], tuple[CountedArrays, CountedArrays]] = {}
            for metric, customers in wanted.items():
                asked = CountsAsked(metric, "customer", HOUR_S, self._kept.oldest * HOUR_S, FOREVER_S, minutes=span)
                counts = counted_arrays(self._connected(), customers, asked, self._definition, parts)
                found |= {(metric, each): counts.get(each, (NO_COUNTS, NO_COUNTS)) for each in customers}
            if self._follower.holds(self._connected()):
                with self._lock:
                    for key, (hours, minutes) in found.items():
                        if not self._kept.put(key, hours, minutes, finely):
                            self._odd[key] = self._hour()
                return
            self._look()

    def _load_ahead(self) -> None:
        """Read some who are not kept yet, or whose minutes are needed in the next hour."""
        hour = self._hour()
        self._odd = {each: at for each, at in self._odd.items() if at == hour}
        now = end_of_minute(self._clock())
        some: list[tuple[Metric, str]] = []
        while self._ahead and len(some) < AHEAD and (not some or self._ahead[-1][0] == some[0][0]):
            metric, name = self._ahead.pop()
            if (metric, name) not in self._odd and self._found(metric, name, now) is None:
                some.append((metric, name))
        if some:
            self._try_load({some[0][0]: [name for _, name in some]})
            return
        late = self._kept.without_minutes(finely_kept(now)[1])
        if late:
            of_first = [name for metric, name in late[: 2 * AHEAD] if metric == late[0][0]]
            self._try_load({late[0][0]: of_first[:AHEAD]})

    def _start_over(self, off_s: float) -> None:
        with self._lock:
            self._forget()
            self._off_until = time.monotonic() + off_s

    def _stop_for(self, off_s: float) -> None:
        with self._lock:
            self._off_until = time.monotonic() + off_s

    def _connected(self) -> Store:
        self._store = self._store or self._open()
        return self._store

    def _disconnect(self) -> None:
        opened, self._store = self._store, None
        if opened is not None:
            opened.close()
