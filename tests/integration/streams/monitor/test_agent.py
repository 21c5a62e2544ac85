"""The monitor around its judge: who is judged when, on the embedded broker and on Kafka."""

import asyncio
import os
import signal
from pathlib import Path
from typing import cast

import pytest
from aiokafka.errors import UnsupportedCodecError
from confluent_kafka import TopicPartition

from jobs.embedded.broker import EmbeddedBroker
from jobs.setup.topics import create_topics
from schemas import topics
from schemas.settings import Kafka
from streams.io.broker import BrokerError, consumer
from streams.io.changes import partition_of
from streams.io.store import StoreError
from streams.monitor.agent import APP_STOP_S
from streams.windows.pools import NOBODY
from tests.support.changes import PARTITIONS, announce
from tests.support.monitors import Recorder, running
from tests.support.waiting import until, wait_for


async def _changing(kafka: Kafka, customer: str) -> None:
    while True:
        await asyncio.to_thread(announce, kafka, customer)


def unacknowledged(kafka: Kafka) -> int:
    """Changes that the group would be sent again."""
    source = consumer(kafka, "monitor")
    left = 0
    for each in source.committed([TopicPartition(topics.REPUTATION_CHANGES, n) for n in range(PARTITIONS)], timeout=10):
        low, high = source.get_watermark_offsets(each, timeout=10)
        left += high - max(low, each.offset)
    source.close()
    return left


def test_everybody_is_judged_at_the_start_and_who_changes_at_once(kafka: Kafka, tmp_path: Path) -> None:
    async def run() -> None:
        judge = Recorder(everybody=["acme", "zenith"])
        async with running(kafka, judge, tmp_path):
            await until(lambda: judge.times() == {"acme": 1, "zenith": 1}, "everybody")
            announce(kafka, *(f"new{number}" for number in range(20)))
            await until(lambda: len(judge.times()) == 22, "those who changed")
        assert set(judge.times().values()) == {1}

    asyncio.run(run())


def test_acknowledged_change_that_was_never_judged_is_judged_by_the_next_monitor(kafka: Kafka, tmp_path: Path) -> None:
    """The second change of `acme` has to wait an hour, and its monitor does not live that long."""

    async def run() -> None:
        first = Recorder()
        async with running(kafka, first, tmp_path / "a"):
            announce(kafka, "acme")
            await until(lambda: first.times()["acme"] == 1, "the first change")
            announce(kafka, "acme")
            announce(kafka, "other")
            await until(lambda: first.times()["other"] == 1, "what came behind it")
            await until(lambda: unacknowledged(kafka) == 0, "all changes to be acknowledged")
        assert first.times()["acme"] == 1
        second = Recorder(everybody=["acme", "other"])
        async with running(kafka, second, tmp_path / "b"):
            await until(lambda: second.times()["acme"] == 1, "the change that was left")

    asyncio.run(run())


def test_batch_is_judged_again_until_the_store_answers(kafka: Kafka, tmp_path: Path) -> None:
    async def run() -> None:
        judge = Recorder()
        async with running(kafka, judge, tmp_path):
            judge.failures = [ValueError("not expected"), StoreError("away")]
            announce(kafka, "acme")
            await until(lambda: judge.times()["acme"] == 1, "the change")
        assert judge.failures == []

    asyncio.run(run())


def test_customer_that_changes_all_the_time_is_judged_again_and_again(kafka: Kafka, tmp_path: Path) -> None:
    async def run() -> None:
        judge = Recorder()
        async with running(kafka, judge, tmp_path, judge_every_s=0.2):
            changing = asyncio.create_task(_changing(kafka, "acme"))
            await until(lambda: judge.times()["acme"] >= 4, "four judgements")
            changing.cancel()

    asyncio.run(run())


def test_customers_are_looked_at_again_when_the_judge_says_so(kafka: Kafka, tmp_path: Path) -> None:
    async def run() -> None:
        judge = Recorder()
        judge.again_ms = 300
        async with running(kafka, judge, tmp_path, judge_every_s=0.1):
            announce(kafka, "acme")
            await until(lambda: judge.times()["acme"] >= 3, "it to be looked at again and again")

    asyncio.run(run())


def test_customers_who_do_not_stand_well_are_judged_on_every_sweep(kafka: Kafka, tmp_path: Path) -> None:
    async def run() -> None:
        judge = Recorder(not_good=["bad"])
        async with running(kafka, judge, tmp_path, judge_every_s=0.1, sweep_s=0.2):
            await until(lambda: judge.times()["bad"] >= 3, "three sweeps")

    asyncio.run(run())


def test_who_became_the_likely_cause_of_a_listing_is_judged_again(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.monitor.timers.CAUSES_S", 0.2)

    async def run() -> None:
        judge, asked = Recorder(), []

        def causes(now_ms: int) -> set[str]:
            asked.append(now_ms)
            if len(asked) == 3:
                raise StoreError("switched off")
            return {"cause"}

        monkeypatch.setattr("streams.monitor.agent.RETRY_S", (0.1, 0.2))
        async with running(kafka, judge, tmp_path, judge_every_s=0.1, refresh_causes=causes):
            await until(
                lambda: len(asked) > 5 and judge.times()["cause"] >= 3, "it to be judged, and the store to fail"
            )

    asyncio.run(run())


@pytest.mark.kafka
def test_two_monitors_share_the_customers_and_one_takes_over_what_the_other_leaves(
    apache_kafka: Kafka, tmp_path: Path
) -> None:
    kafka = apache_kafka
    names = [f"customer{number}" for number in range(40)]

    async def run() -> None:
        one, two = Recorder(everybody=names), Recorder(everybody=names)
        async with running(kafka, one, tmp_path / "a") as first:
            await until(lambda: set(one.times()) == set(names), "one to judge everybody")
            async with running(kafka, two, tmp_path / "b") as second:
                await until(lambda: bool(second._ours) and not first._ours & second._ours, "the work to be shared")
                await until(lambda: len(two.times()) > 0, "the other to judge its own")
                mine, others = first._ours, second._ours
                assert mine | others == set(range(PARTITIONS))
                await until(lambda: one.forgotten >= 2, "one to forget what it kept")
                forgotten = one.forgotten
            before = one.times()
            await until(lambda: first._ours == set(range(PARTITIONS)), "one to have all again")
            await until(lambda: all(one.times()[name] > before[name] for name in two.times()), "what two left")
            assert one.forgotten > forgotten

    asyncio.run(run())


def test_pools_are_judged_by_one_of_several_monitors_on_every_sweep(apache_kafka: Kafka, tmp_path: Path) -> None:
    async def run() -> None:
        one, two = Recorder(), Recorder()
        async with running(apache_kafka, one, tmp_path / "a", sweep_s=0.1) as first:
            await until(lambda: one.pools >= 2, "the only one to judge them")
            async with running(apache_kafka, two, tmp_path / "b", sweep_s=0.1) as second:
                await until(lambda: bool(second._ours) and not first._ours & second._ours, "the work to be shared")
                theirs, others = (one, two) if partition_of(NOBODY, PARTITIONS) in first._ours else (two, one)
                before, idle = theirs.pools, others.pools
                await until(lambda: theirs.pools >= before + 5, "one of them to judge them")
                assert others.pools <= idle + 1  # what was asked for before

    asyncio.run(run())


def test_monitor_whose_broker_is_gone_ends_within_seconds(tmp_path: Path) -> None:
    """It looked for the broker for a minute when asked to end, and one that was started then ended in a traceback."""
    broker = EmbeddedBroker(0, tmp_path / "broker.log")
    broker.start()
    create_topics(broker.kafka, topics.load_topics())

    async def run() -> None:
        judge = Recorder(everybody=["acme"])
        async with running(broker.kafka, judge, tmp_path / "a") as monitor:
            await until(lambda: judge.times() == {"acme": 1}, "everybody")
            os.kill(cast(int, broker.pid), signal.SIGKILL)
            wait_for(lambda: broker.exit_code is not None, "the broker to be gone")
            with pytest.raises(BrokerError) as caught:
                async with running(broker.kafka, judge, tmp_path / "b"):
                    pass
            assert str(caught.value).startswith(f"Kafka at {broker.kafka.bootstrap}: cannot be reached: ")
            assert caught.value.unreachable == "kafka"
            async with asyncio.timeout(10 * APP_STOP_S):
                await monitor.stop(1)

    asyncio.run(run())
    broker.stop()


@pytest.mark.parametrize("where", ["MemoryRecords", "PartitionRecords.__next__"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_monitor_that_cannot_read_changes_any_more_says_why(
    embedded_kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """As with a codec that this machine does not have: the app ends by itself, or waits for ever, by where that is
    found out; nobody would be judged."""
    failures: list[BaseException] = []

    async def run() -> None:
        judge = Recorder(everybody=["acme"])
        async with running(embedded_kafka, judge, tmp_path, failed=failures.append):
            await until(lambda: judge.times() == {"acme": 1}, "everybody")

            def unreadable(*_: object) -> None:
                raise UnsupportedCodecError("Libraries for lz4 compression codec not found")

            monkeypatch.setattr(f"aiokafka.consumer.fetcher.{where}", unreadable)
            announce(embedded_kafka, "zenith")
            await until(lambda: bool(failures), "the monitor to say that it ended")

    asyncio.run(run())
    (failure,) = failures
    assert isinstance(failure, BrokerError)
    assert str(failure) == (
        f"Kafka at {embedded_kafka.bootstrap}: reading reputation.changes ended: "
        "UnsupportedCodecError: Libraries for lz4 compression codec not found"
    )
