"""The timers of a monitor: who is judged although no change says so, and what is looked at now and then.

Windows slide without any event, people decide, listings and incidents begin and end. Each timer lasts as long as the
monitor.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from schemas.alert import AlertEvent
from schemas.kafka_security import PLAIN
from schemas.policy import Policy
from schemas.settings import Kafka, MonitorSettings
from schemas.times import utc_now_ms
from streams.io import tracing
from streams.io.broker_security import security_of
from streams.io.store import StoreError
from streams.monitor.batch import BatchJudge
from streams.monitor.broker_login import check_login
from streams.windows.pools import NOBODY

log = logging.getLogger("repmon.monitor")

EVERYBODY_S = 600.0
#: Pools are judged for at most one part of so many of the time: all customers' counts are read for that. Where they
#: would not be looked at for so long (s) then, it may be the larger part.
POOLS_PART, POOLS_REST_S, POOLS_LARGER_PART = 20, 120.0, 10
#: How often it is looked whether another policy was applied.
POLICY_S = 2.0
#: How often it is looked whether a customer was given a fresh start.
FRESH_STARTS_S = 2.0
#: How often it is looked for listings that began, were confirmed or ended.
CAUSES_S = 5.0
#: How often it is looked for incidents while nobody alarms, if that takes little of the time: one part of so many.
INCIDENTS_S, INCIDENTS_PART = 10.0, 20
#: How often it is looked for holds that other monitors began.
HOLDS_S = 2.0
#: What people decided is sent within this time.
OUTGOING_S = 1.0
#: How often it is looked whether the broker still lets Faust's client in.
LOGIN_S = 60.0

T = TypeVar("T")


class OnJudgeThread(Protocol):
    """Asks on the thread of all that asks the store."""

    def __call__(self, question: Callable[[], T], /) -> Awaitable[T]:
        """What it answers."""


class TimedOnJudgeThread(Protocol):
    """The same, with how long it took (s)."""

    def __call__(self, question: Callable[[], T], /) -> Awaitable[tuple[T, float]]:
        """What it answers, and the time."""


@dataclass(frozen=True, slots=True)
class Timers:
    """`changed` and `spare` take customers that are to be judged at once, and when there is room. `gained` is set when
    everybody is to be judged. `newer_policy` and `refresh_causes` are those of the monitor."""

    kafka: Kafka
    settings: MonitorSettings
    judge: BatchJudge
    asked: OnJudgeThread
    timed: TimedOnJudgeThread
    is_ours: Callable[[str], bool]
    changed: Callable[[Iterable[str]], None]
    spare: Callable[[Iterable[str]], None]
    gained: asyncio.Event
    newer_policy: Callable[[], Policy | None] | None = None
    refresh_causes: Callable[[int], set[str]] | None = None

    def all(self) -> Iterator[Callable[[], Coroutine[Any, Any, None]]]:
        """Those that are to run."""
        yield from (self.everybody, self.sweep, self.pools, self.incidents_watched, self.holds_watched)
        yield from (self.fresh_starts_watched, self.decisions_sent)
        if security_of(self.kafka).protocol != PLAIN:
            yield self.login_watched
        if self.newer_policy is not None:
            yield self.policy_watched
        if self.refresh_causes is not None:
            yield self.causes_kept

    async def sweep(self) -> None:
        while True:
            found = await self.asked(self.judge.not_good)
            self.changed(found)
            await asyncio.sleep(self.settings.sweep_s)

    async def pools(self) -> None:
        """One of several monitors judges the pools, on every sweep, if that takes little of the time."""
        while True:
            took = 0.0
            if self.is_ours(NOBODY):
                alerts, took = await self.timed(lambda: self.judge.judge_pools(utc_now_ms()))
                log_alerts(alerts)
            await asyncio.sleep(pools_rest_s(took, self.settings.sweep_s))

    async def everybody(self) -> None:
        """Everybody is judged when a partition is gained, in case the one who had it left changes unjudged;
        when another policy is in force; and now and then, in case a change was lost."""
        while True:
            # Not `asyncio.wait_for`: in Python 3.11 that keeps a cancellation to itself which comes along with what it
            # waits for (https://github.com/python/cpython/issues/86296), and a monitor that has just gained its
            # partitions did not stop.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERYBODY_S):
                    await self.gained.wait()
            self.gained.clear()
            try:
                # In the order of the table: those who are judged together then lie together in it.
                found = await self.asked(lambda: sorted(self.judge.everybody(utc_now_ms())))
            except BaseException:
                self.gained.set()
                raise
            self.spare(found)

    async def policy_watched(self) -> None:
        """Everybody is judged again when another policy was applied."""
        while self.newer_policy is not None:
            try:
                policy = await self.asked(self.newer_policy)
            except StoreError as error:
                # The next look comes as soon as any: a new policy is in force within seconds.
                log.warning("%s; the policy is looked for again in %.1f s", error, POLICY_S)
                policy = None
            if policy is not None:
                await self.asked(partial(self.judge.set_policy, policy))
                log.info("judging by policy %s from now on", policy.version)
                self.gained.set()
            await asyncio.sleep(POLICY_S)

    async def causes_kept(self) -> None:
        """A customer that became the likely cause of a listing is judged again."""
        while (refresh := self.refresh_causes) is not None:
            found = await self.asked(lambda: refresh(utc_now_ms()))
            self.changed(found)
            await asyncio.sleep(CAUSES_S)

    async def incidents_watched(self) -> None:
        """Who has mail in an incident that begins, goes on or turns out to be none is judged again."""
        while True:
            found, took = await self.timed(lambda: self.judge.refresh_incidents(utc_now_ms()))
            self.changed(found)
            await asyncio.sleep(max(INCIDENTS_S, INCIDENTS_PART * took))

    async def fresh_starts_watched(self) -> None:
        """Whose windows begin anew is judged again at once."""
        while True:
            found = await self.asked(lambda: self.judge.refresh_fresh_starts(utc_now_ms()))
            self.changed(found)
            await asyncio.sleep(FRESH_STARTS_S)

    async def holds_watched(self) -> None:
        """Who rose before so many did that another monitor began a hold is judged again."""
        while True:
            found = await self.asked(lambda: self.judge.holds.refresh(utc_now_ms()))
            self.changed(found)
            await asyncio.sleep(HOLDS_S)

    async def decisions_sent(self) -> None:
        """One of several monitors sends what people decided."""
        while True:
            if self.is_ours(NOBODY):
                await self.asked(lambda: self.judge.outgoing.send(utc_now_ms()))
            await asyncio.sleep(OUTGOING_S)

    async def login_watched(self) -> None:
        """Faust's client tries for ever where its login or certificate is refused some day, without a word."""
        while True:
            await asyncio.sleep(LOGIN_S)
            await check_login(self.kafka)


def pools_rest_s(took_s: float, sweep_s: float) -> float:
    """How long pools are not judged, after that took so long."""
    return max(sweep_s, min(POOLS_PART * took_s, max(POOLS_REST_S, (POOLS_LARGER_PART - 1) * took_s)))


def log_alerts(alerts: Iterable[AlertEvent]) -> None:
    """Log alerts that were sent, one a line."""
    for alert in alerts:
        about = {"customer": alert.data.customer, "alert": alert.id}
        log.info("%s %s %s", alert.data.kind, alert.subject, alert.data.explanation, extra=about)
        if tracing.ACTIVE is not None:
            tracing.ACTIVE.note_alert(alert.data.customer, alert.id, alert.data.rule, alert.data.kind)
