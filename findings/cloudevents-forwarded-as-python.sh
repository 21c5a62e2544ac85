#!/usr/bin/env bash
# Title: CloudEvents' Python SDK forwards a JSON array as Python source, and gives an event without time that of reading
# Date: 2026-11-29
# Versions: cloudevents 2.2.0
# One would guess: an event that is read in structured mode and written in binary mode is the same event, since the
#   modes are two ways of writing one thing. `time` is optional, so without it there is none.
# What happens: in binary mode, over Kafka and over HTTP alike, only objects are written as JSON. An array, such as
#   the body of a webhook that reports several events, becomes the text that Python prints for it, `[{'event':
#   'bounce'}]`, under `content-type: application/json`; true becomes `True` and a text loses its quotes. Nothing is
#   raised, and the SDK's own reader hands the array out as a text. An event without `time` has the moment at which it
#   was read.
# Why it matters: who collects webhooks of SendGrid or SparkPost, which are arrays, as CloudEvents and bridges them to
#   Kafka in binary mode writes what no JSON parser reads, and finds out downstream. Who counts by `time` counts every
#   replay in another minute. Write `json.dumps(data)` as bytes yourself, and look for `time` in the message.
# Source: CloudEvents 1.0.2, "Context Attributes" (time is OPTIONAL), JSON event format section 3.1 (data is any JSON
#   value), Kafka protocol binding section 3.2 (https://github.com/cloudevents/spec)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cloudevents==2.2.0
"$folder/venv/bin/python" - <<'PYTHON'
import json
import sys
import time
from importlib.metadata import version

from cloudevents.core.bindings import http, kafka
from cloudevents.core.formats.json import JSONFormat

print("cloudevents", version("cloudevents"))
form = JSONFormat()


def read(data):
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/collect/sendgrid",
        "type": "com.example.webhook",
        "datacontenttype": "application/json",
        "data": data,
    }
    structured = {"content-type": b"application/cloudevents+json"}
    return kafka.from_kafka(kafka.KafkaMessage(structured, b"acme", json.dumps(event).encode()), form)


written = {}
for data in ([{"event": "bounce", "email": "iris@example.net"}], True, "550 5.1.1", {"event": "bounce"}):
    event = read(data)
    assert event.get_data() == data, "read otherwise than it was written"
    message = kafka.to_binary(event, form)
    assert http.to_binary(event, form).body == message.value, "HTTP differs from Kafka"
    again = kafka.from_kafka(message, form).get_data()
    print(f"{json.dumps(data)} -> {message.headers['content-type'].decode()}: {message.value.decode()} -> {again!r}")
    written[json.dumps(data)] = message.value.decode()
first = read({}).get_time()
time.sleep(0.01)
second = read({}).get_time()
print("time of an event that has none, read twice:", first, second)
expected = {
    '[{"event": "bounce", "email": "iris@example.net"}]': "[{'event': 'bounce', 'email': 'iris@example.net'}]",
    "true": "True",
    '"550 5.1.1"': "550 5.1.1",
    '{"event": "bounce"}': '{"event": "bounce"}',
}
same = written == expected and first is not None and second is not None and first < second
sys.exit(0 if same else f"this has changed: {written}, {first}, {second}")
PYTHON
