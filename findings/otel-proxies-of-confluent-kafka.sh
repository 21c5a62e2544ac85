#!/usr/bin/env bash
# Title: OpenTelemetry's instrumented confluent-kafka producer has nothing queued, its open consumer is closed
# Date: 2026-11-30
# Versions: opentelemetry-instrumentation-confluent-kafka 0.66b1, opentelemetry-sdk 1.45.1, confluent-kafka 2.16.1 (PyPI). Needs
#   python3
# One would guess: ConfluentKafkaInstrumentor.instrument_producer(producer) and instrument_consumer(consumer) give back what they
#   were given, with spans: they are subclasses of Producer and Consumer.
# What happens: they pass a dozen methods on. All others are the base class's, of an object that was never set up. So len(producer) is
#   0 whatever waits; pause(), assign(), position(), store_offsets() raise "Consumer closed" on a consumer that is open; and
#   produce(topic, value, key), as confluent-kafka's own examples call it, is a TypeError.
# Why it matters: a loop that ends a worker by `while len(producer): producer.poll(1)` ends at once, and alerts that were queued are
#   lost without an error. End by flush(), which is passed on, and wrap the module (instrument()), not the object.
# Source: confluent-kafka's documentation of Producer.__len__ and Consumer.pause
#   (https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html); the documentation of the
#   instrumentation (https://opentelemetry-python-contrib.readthedocs.io)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opentelemetry-instrumentation-confluent-kafka==0.66b1 \
  opentelemetry-api==1.45.1 opentelemetry-sdk==1.45.1 confluent-kafka==2.16.1
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys
from importlib.metadata import version

from confluent_kafka import Consumer, Producer, TopicPartition
from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor

for name in ("opentelemetry-instrumentation-confluent-kafka", "opentelemetry-sdk", "confluent-kafka"):
    print(name, version(name))

log = logging.getLogger("client")
log.setLevel(logging.CRITICAL)
# Nobody listens there: what is queued stays queued.
nobody = {"bootstrap.servers": "127.0.0.1:1"}
producer = Producer(nobody, logger=log)
consumer = Consumer({**nobody, "group.id": "g"}, logger=log)
traced_producer = ConfluentKafkaInstrumentor.instrument_producer(producer)
traced_consumer = ConfluentKafkaInstrumentor.instrument_consumer(consumer)
here = [TopicPartition("alerts", 0, 0)]


def outcome(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


for _ in range(3):
    traced_producer.produce("alerts", value=b"{}")
said = {
    "3 or more queued": (len(producer) >= 3, len(traced_producer) >= 3),
    "flush(0)": (producer.flush(0), traced_producer.flush(0)),
    "produce": tuple(type(outcome(lambda p=p: p.produce("alerts", b"{}", b"acme"))).__name__ for p in (producer, traced_producer)),
    "assign": (outcome(lambda: consumer.assign(here)), outcome(lambda: traced_consumer.assign(here))),
    "pause": (outcome(lambda: consumer.pause(here)), outcome(lambda: traced_consumer.pause(here))),
    "assignment": (len(outcome(consumer.assignment)), outcome(traced_consumer.assignment)),
}
for name, (plain, traced) in said.items():
    print(f"{name}: plain {plain}, instrumented {traced}")
closed = "RuntimeError: Consumer closed"
expected = {
    "3 or more queued": (True, False),
    "flush(0)": (3, 3),
    "produce": ("NoneType", "str"),
    "assign": (None, closed),
    "pause": (None, closed),
    "assignment": (1, closed),
}
producer.purge()
sys.exit(0 if said == expected else f"this has changed: {said}")
PYTHON
