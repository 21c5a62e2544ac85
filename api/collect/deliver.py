"""Producing to Kafka with an answer for each message: acknowledged by all replicas, or not."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.errors import ExternalError
from schemas.settings import Kafka
from streams.io.broker import REACH_S, BrokerError, client_config, client_log, reach

POLL_S = 0.1
#: How much later than configured the client gives up, in s.
GRACE_S = 1.0
#: As the topics have it; room for a body of `collect.max_bytes`, its key and the header of a batch.
MAX_MESSAGE_BYTES = 1_048_576


class NotTakenError(ExternalError):
    """The broker has not acknowledged the message; it may have it all the same."""


class Deliverer:
    """A producer that waits for nobody: `deliver` is a coroutine, a full queue is an error.

    A message that is not acknowledged within `within_s` is given up, so that none is taken long after its sender was
    answered that it was not.
    """

    def __init__(self, kafka: Kafka, within_s: float, max_inflight_bytes: int) -> None:
        self.where = f"Kafka at {kafka.bootstrap}"
        self._within_s = within_s
        config: dict[str, Any] = {
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "queue.buffering.max.kbytes": max(1, max_inflight_bytes // 1024),
            "message.max.bytes": MAX_MESSAGE_BYTES,
            # Senders come again within seconds: a broker that is back should be known by then.
            "reconnect.backoff.max.ms": 1000,
            **client_config(kafka),
            # What is promised to the sender hangs on these.
            "acks": "all",
            "message.timeout.ms": round(within_s * 1000),
        }
        self._refusals = config["error_cb"]
        try:
            self._producer = Producer(config, logger=client_log)
        except (KafkaException, ValueError, TypeError) as error:
            raise BrokerError(f"{self.where}: {error}") from error
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="deliver", daemon=True)
        self._thread.start()

    async def deliver(self, topic: str, key: bytes, value: bytes) -> None:
        """Send one message and wait until it is acknowledged.

        Raises:
            NotTakenError: it was refused, not acknowledged in time, or the queue is full.
        """
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[None] = loop.create_future()

        def settle(error: KafkaError | None) -> None:
            if taken.done():
                return
            if error is None:
                taken.set_result(None)
            else:
                taken.set_exception(NotTakenError(error.str()))

        def delivered(error: KafkaError | None, _message: Message) -> None:
            # On the polling thread; the loop is closed where the process ends before its last answer.
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, error)

        try:
            self._producer.produce(topic, value, key, on_delivery=delivered)
        except BufferError as error:
            raise NotTakenError("too many webhooks wait for the broker") from error
        except KafkaException as error:
            raise NotTakenError(error.args[0].str()) from error
        try:
            async with asyncio.timeout(self._within_s + GRACE_S):
                await taken
        except TimeoutError as error:
            raise NotTakenError(f"not acknowledged within {self._within_s:g} s") from error

    def check(self, topics: Sequence[str], timeout_s: float = REACH_S) -> None:
        """Ask the broker for the topics.

        Raises:
            BrokerError: no trust, a refused login, no answer within `timeout_s`, or one of them is missing.
        """
        if missing := self.missing(topics, timeout_s):
            raise BrokerError(f"{self.where}: there is no topic {', '.join(missing)}; `repmon topics create` makes it")

    def missing(self, topics: Sequence[str], timeout_s: float) -> list[str]:
        """Those of the topics that the broker does not have.

        Raises:
            BrokerError: no trust, a refused login, or no answer within `timeout_s`.
        """
        known = reach(self._producer, self._refusals, timeout_s).topics
        return [name for name in topics if name not in known]

    def close(self) -> None:
        """Wait a moment for what is still under way, and end."""
        self._producer.flush(GRACE_S)
        self._over.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._over.is_set():
            self._producer.poll(POLL_S)
