"""Alerts as they are sent, one after the other, each at least once."""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import blake2b
from threading import Event
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from schemas.alert import ALERT_TYPE, AlertEvent
from schemas.topics import REPUTATION_ALERTS
from streams.io.broker import BrokerError

log = logging.getLogger("repmon.client")

#: What the types of alerts begin with; decisions about customers go by the same topic.
ALERTS = ALERT_TYPE.partition("{")[0]
#: So many of them are remembered, to drop repeats.
REMEMBERED = 100_000
WAIT_S = 0.5
#: What no waiting mends.
REFUSED = frozenset(
    {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError._AUTHENTICATION}
)


class _Head(msgspec.Struct):
    type: str = ""


def alerts(
    bootstrap: str,
    *,
    group: str,
    topic: str = REPUTATION_ALERTS,
    stop: Event | None = None,
    config: Mapping[str, Any] | None = None,
) -> Iterator[AlertEvent]:
    """The alerts that come, and those that consumers of this `group` have not seen yet, from the first one that is kept
    on. One that is sent again, word for word, is given once.

    An alert counts as seen when the next one is asked for: whoever ends while it handles one is given it again. Ends
    when `stop` is set. What cannot be read is passed over, with a warning in the log (`repmon.client`): else who may
    write to the topic could stop every hook for good. `config` are settings of librdkafka, such as logins.

    Raises:
        BrokerError: the broker refuses what is asked.
    """
    settings = {"auto.offset.reset": "earliest", **(config or {})}
    settings |= {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False}
    # By all of it: a forged alert with the id of a true one is no reason to pass over that.
    seen: OrderedDict[bytes, None] = OrderedDict()
    with closing(Consumer(settings)) as consumer:
        try:
            consumer.subscribe([topic])
            while stop is None or not stop.is_set():
                message = consumer.poll(WAIT_S)
                if message is None:
                    continue
                if (error := message.error()) is not None:
                    if error.fatal() or error.code() in REFUSED:
                        raise BrokerError(f"Kafka at {bootstrap}: {error.str()}")
                    continue  # librdkafka goes on by itself
                value = message.value() or b""
                event = _alert(value, message)
                digest = blake2b(msgspec.json.encode(event), digest_size=16).digest() if event else b""
                if event is not None and digest not in seen:
                    yield event
                    seen[digest] = None
                    if len(seen) > REMEMBERED:
                        seen.popitem(last=False)
                consumer.commit(message=message, asynchronous=False)
        except KafkaException as error:
            raise BrokerError(f"Kafka at {bootstrap}: {error.args[0].str()}") from error


def _alert(value: bytes, message: Message) -> AlertEvent | None:
    """The alert in a message; None where it is something else."""
    try:
        if not value or not msgspec.json.decode(value, type=_Head).type.startswith(ALERTS):
            return None
        return msgspec.json.decode(value, type=AlertEvent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
        log.warning("passed over %s, which is no alert as they are sent: %s", place, error)
        return None
