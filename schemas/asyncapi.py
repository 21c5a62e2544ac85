"""`schemas/asyncapi.yaml`: the topics and their messages as an AsyncAPI 3.0 document, made from the same files as the
JSON Schemas (`make schemas`).

Sections are named as in the specification, https://www.asyncapi.com/docs/reference/specification/v3.0.0. Operations are
seen from here, as it asks: `receive` what others write, `send` what others may read. Payloads are the JSON Schemas next
to the document; of what they use, draft-07, which AsyncAPI asks for by default, says the same.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from schemas.events import TYPES
from schemas.topics import MessageKind, Topic, folder, load_topics
from schemas.version import VERSION

FILE = "asyncapi.yaml"
HEAD = "# Written by `make schemas`, from schemas/topics and the types of messages.\n"
VERSION_OF_BINDINGS = "0.5.0"
#: The media type of a CloudEvent in structured mode (Kafka protocol binding for CloudEvents 1.0.2, section 3.3).
STRUCTURED = "application/cloudevents+json; charset=UTF-8"
#: Who writes or reads that is part of the project.
OURS = ("streams.", "jobs.", "api.", "repmon ")


def asyncapi(topics: Mapping[str, Topic]) -> dict[str, Any]:
    """The document as plain data.

    Raises:
        TopicsError: a topic names a type that is not there.
    """
    messages = {name: message for topic in topics.values() for name, message in _messages(topic)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "repmon",
            "version": VERSION,
            "description": (
                "What flows through Kafka: mail events and blocklistings in, alerts and what goes with them out. "
                "Messages may come twice; what that means for a reader is said of each."
            ),
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "Your own broker, or the embedded one of `repmon up`.",
                "variables": {
                    "bootstrap": {"default": "127.0.0.1:9092", "description": "The setting `kafka.bootstrap`."}
                },
            }
        },
        "channels": {name: _channel(topic) for name, topic in topics.items()},
        "operations": {name: operation for topic in topics.values() for name, operation in _operations(topic)},
        "components": {"messages": messages},
    }


def text(document: Mapping[str, Any]) -> str:
    """The document as it stands in its file."""
    return HEAD + yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=120)


def _channel(topic: Topic) -> dict[str, Any]:
    config: dict[str, Any] = {
        "cleanup.policy": [topic.cleanup],
        "retention.ms": topic.retention_ms,
        "max.message.bytes": topic.max_message_bytes,
    }
    return {
        "address": topic.topic,
        "description": topic.description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name, _ in _messages(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.topic,
                "partitions": topic.partitions,
                "topicConfiguration": config,
                "bindingVersion": VERSION_OF_BINDINGS,
            }
        },
    }


def _operations(topic: Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{topic.topic}"}
    if any(not each.startswith(OURS) for each in topic.written_by) or any(
        each.startswith(OURS) for each in topic.read_by
    ):
        readers = ", ".join(each for each in topic.read_by if each.startswith(OURS))
        yield f"receive.{topic.topic}", {"action": "receive", "channel": channel, "summary": f"Read by {readers}."}
    if writers := ", ".join(each for each in topic.written_by if each.startswith(OURS)):
        yield f"send.{topic.topic}", {"action": "send", "channel": channel, "summary": f"Written by {writers}."}


def _messages(topic: Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    """The messages of a topic by their names: of events one of each type."""
    for kind in topic.kinds:
        types = TYPES.get(kind.message_type(), ())
        if not types:
            yield kind.name, _message(topic, kind, kind.name, {"$ref": f"./json/{kind.schema}"}, "application/json")
        for each in types:
            payload = {
                "allOf": [
                    {"$ref": f"./json/{kind.schema}"},
                    {"type": "object", "properties": {"type": {"const": each}}},
                ]
            }
            yield each, _message(topic, kind, each, payload, STRUCTURED)


def _message(topic: Topic, kind: MessageKind, name: str, payload: dict[str, Any], media_type: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": name,
        "description": kind.description,
        "contentType": media_type,
        "payload": payload,
    }
    if media_type == STRUCTURED:
        found["headers"] = {
            "type": "object",
            "required": ["content-type"],
            "properties": {"content-type": {"type": "string", "const": STRUCTURED}},
        }
    found["bindings"] = {
        "kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": VERSION_OF_BINDINGS}
    }
    found["examples"] = [_example(kind, name)]
    return found


def _example(kind: MessageKind, name: str) -> dict[str, Any]:
    """The first example of the message, by the name of its file."""
    files = sorted(folder("examples").joinpath(kind.name, "valid").iterdir(), key=lambda file: file.name)
    for file in files:
        payload: dict[str, Any] = msgspec.json.decode(file.read_bytes())
        if name == kind.name or payload["type"] == name:
            return {"name": file.name.removesuffix(".json"), "payload": payload}
    return {"name": "none", "payload": {}}


def written() -> str:
    """The document of the declared topics, as text."""
    return text(asyncapi(load_topics()))
