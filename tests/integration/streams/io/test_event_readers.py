"""Every example of an event, as it lies in its topic, is read by CloudEvents' SDKs for Python, JavaScript and Go."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.asyncapi import STRUCTURED
from schemas.events import TYPES
from schemas.times import epoch_ms
from schemas.topics import folder, load_topics
from streams.io.broker import headers_of
from tests.support.event_readers import KafkaMessage, ReaderUnavailableError, read_by_go, read_by_node

ATTRIBUTES = ("id", "source", "type", "subject", "dataschema", "datacontenttype")


def messages() -> dict[str, KafkaMessage]:
    """All examples of events as messages, by topic and file."""
    found = {}
    for topic in load_topics().values():
        headers = {name: value.decode() for name, value in headers_of(topic.topic) or () if isinstance(value, bytes)}
        for kind in topic.kinds:
            if kind.message_type() not in TYPES:
                continue
            for file in sorted(Path(str(folder("examples"))).glob(f"{kind.name}/valid/*.json")):
                value = file.read_bytes()
                key = msgspec.json.decode(value)["subject"]
                found[f"{kind.name}/{file.stem}"] = KafkaMessage(headers, key, value)
    return found


def read_by_python(given: list[KafkaMessage]) -> list[dict[str, Any]]:
    """What the SDK for Python reads of each."""
    try:
        from cloudevents.core.bindings import kafka
        from cloudevents.core.formats.json import JSONFormat
    except ImportError as error:
        raise ReaderUnavailableError(f"{error} (CloudEvents' SDK for Python: `make test` installs it)") from error
    form = JSONFormat()
    found = []
    for each in given:
        headers = {name: value.encode() for name, value in each.headers.items()}
        event = kafka.from_kafka(kafka.KafkaMessage(headers, each.key.encode(), each.value), form)
        read = {name: event.get_attributes().get(name) for name in ATTRIBUTES}
        time = event.get_time()
        found.append({**read, "time": time.isoformat() if time else "", "data": event.get_data()})
    return found


def same(event: dict[str, Any]) -> dict[str, Any]:
    """Its attributes and data, in one writing of times and of what is not there."""
    attributes = {name: event.get(name) or None for name in ATTRIBUTES}
    return {**attributes, "time": epoch_ms(datetime.fromisoformat(event["time"])), "data": event["data"]}


@pytest.mark.parametrize("read", [read_by_python, read_by_node, read_by_go])
def test_sdk_reads_every_example_of_every_type(read: Callable[[list[KafkaMessage]], list[dict[str, Any]]]) -> None:
    given = messages()
    try:
        found = read(list(given.values()))
    except ReaderUnavailableError as error:
        pytest.skip(str(error))
    assert {each["type"] for each in found} == {name for names in TYPES.values() for name in names}
    for name, message, event in zip(given, given.values(), found, strict=True):
        assert same(event) == same(msgspec.json.decode(message.value)), name


@pytest.mark.parametrize("read", [read_by_node, read_by_go])
def test_without_the_header_there_is_no_event(
    read: Callable[[list[KafkaMessage]], list[dict[str, Any]]],
) -> None:
    message = next(iter(messages().values()))
    assert message.headers == {"content-type": STRUCTURED}
    try:
        (found,) = read([message._replace(headers={})])
    except ReaderUnavailableError as error:
        pytest.skip(str(error))
    assert found["error"]
