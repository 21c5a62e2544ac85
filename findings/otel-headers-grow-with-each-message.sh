#!/usr/bin/env bash
# Title: OpenTelemetry's instrumentation for confluent-kafka writes into the caller's headers: each message has those of all before
# Date: 2026-11-30
# Versions: opentelemetry-instrumentation-confluent-kafka 0.66b1, opentelemetry-sdk 1.45.1, confluent-kafka 2.16.1 (PyPI). Needs
#   python3
# One would guess: a list of headers that is the same for every message, such as the `content-type` that the CloudEvents binding
#   asks for, can be a constant: produce() only reads it. Instrumentation adds one `traceparent` to what is sent.
# What happens: the instrumentation appends `traceparent` to the caller's own list. The second message has two, the hundredth a
#   hundred, and so on until the broker refuses the message for its size. The reader of the same package takes the first
#   `traceparent` that it finds, so every message seems to belong to the trace of the first one.
# Why it matters: traces are switched on by a wrapper around the command (opentelemetry-instrument), so nobody changes a line, and
#   alerts grow by 66 bytes each until none is sent, days later. Give produce() a list of its own for each message.
# Source: CloudEvents Kafka protocol binding 1.0.2 section 3.1 (content-type); W3C Trace Context section 3.2 (one traceparent);
#   confluent-kafka's documentation of Producer.produce
#   (https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html)
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

import confluent_kafka
from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor
from opentelemetry.instrumentation.confluent_kafka.utils import _kafka_getter
from opentelemetry.sdk.trace import TracerProvider

for name in ("opentelemetry-instrumentation-confluent-kafka", "opentelemetry-sdk", "confluent-kafka"):
    print(name, version(name))

PlainConsumer = confluent_kafka.Consumer
ConfluentKafkaInstrumentor().instrument(tracer_provider=TracerProvider())
HEADERS = [("content-type", b"application/cloudevents+json")]
SENT = 100

log = logging.getLogger("client")
log.setLevel(logging.CRITICAL)
# The client's own broker for tests, in this process.
producer = confluent_kafka.Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1}, logger=log)
for _ in range(SENT):
    producer.produce("alerts", b"{}", headers=HEADERS, partition=0)
assert producer.flush(30) == 0
broker = next(iter(producer.list_topics(timeout=10).brokers.values()))

consumer = PlainConsumer(
    {"bootstrap.servers": f"{broker.host}:{broker.port}", "group.id": "g", "auto.offset.reset": "earliest"}, logger=log
)
consumer.assign([confluent_kafka.TopicPartition("alerts", 0, 0)])
taken = []
while len(taken) < SENT:
    message = consumer.poll(10)
    assert message is not None and message.error() is None, message
    taken.append(message)
parents = [[value for name, value in message.headers() if name == "traceparent"] for message in taken]
counts = [len(each) for each in parents]
read = {_kafka_getter.get(message.headers(), "traceparent")[0] for message in taken}
print("traceparent headers of message 1, 2, 3 and 100:", counts[0], counts[1], counts[2], counts[-1])
print("headers in the caller's list afterwards:", len(HEADERS))
print("traces that the reader finds in 100 messages of 100 traces:", len(read))
said = (counts, len(HEADERS), len(set(parents[-1])), len(read))
sys.exit(0 if said == (list(range(1, SENT + 1)), SENT + 1, SENT, 1) else f"this has changed: {said}")
PYTHON
