"""The JSON Schema of a topic's messages (draft 2020-12), made from the Python type and the topic's notes.

The type says names, types, choices, lengths and defaults; the notes in the topic's YAML file add what types
cannot say. What a schema accepts, the type accepts, so that a producer that validates before sending is not refused
later. Two exceptions cannot be written in JSON Schema: it takes 1.0 for an integer, and where formats are not
checked it takes the 30th of February for a date. Of CloudEvents the schema also asks for the attributes without
which an event is none.
"""

from typing import Any

import msgspec

from schemas.topics import FieldNote, MessageKind, Topic, TopicsError

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF = "#/$defs/"


def json_schemas(topic: Topic) -> dict[str, dict[str, Any]]:
    """The schemas of all kinds of messages of a topic, by the names of their files, as plain JSON data. Unknown fields
    are allowed, as they are by the types.

    Raises:
        TopicsError: a field has no note, or a note no field.
    """
    kinds = [(kind, *_generated(kind)) for kind in topic.kinds]
    file = f"{topic.topic}.yaml"
    if unknown := set(topic.fields).difference(*(parts for _, _, parts in kinds)):
        types = ", ".join(kind.python_type for kind in topic.kinds)
        raise TopicsError(f"{file}: fields.{min(unknown)}: no such type in {types}")
    found = {}
    for kind, main, parts in kinds:
        for name, part in parts.items():
            _annotate(part, topic.fields.get(name, {}), f"{file}: fields.{name}")
        found[kind.schema] = {
            "$schema": DIALECT,
            "$id": f"urn:repmon:{kind.name}",
            "title": kind.name,
            "description": kind.description,
            **{keyword: value for keyword, value in parts.pop(main).items() if keyword not in ("title", "description")},
            **({"$defs": parts} if parts else {}),
        }
        _require_attributes(found[kind.schema])
    return found


def json_schema(topic: Topic) -> dict[str, Any]:
    """The schema of a topic's main kind of messages.

    Raises:
        TopicsError: as `json_schemas`.
    """
    return json_schemas(topic)[topic.schema]


def text(schema: dict[str, Any]) -> str:
    """The schema as it stands in its file."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def _require_attributes(schema: dict[str, Any]) -> None:
    """A CloudEvent without them is none, though the type has them when they are missing (CloudEvents 1.0.2, "Required
    Attributes")."""
    if "specversion" in schema["properties"]:
        schema["required"] += ["source", "specversion"]


def _generated(kind: MessageKind) -> tuple[str, dict[str, dict[str, Any]]]:
    """The name of the message's type, and by name the schemas of it and of the types it is made of."""
    (reference,), parts = msgspec.json.schema_components([kind.message_type()], ref_template=REF + "{name}")
    return str(reference["$ref"]).removeprefix(REF), parts


def _annotate(part: dict[str, Any], notes: dict[str, FieldNote], where: str) -> None:
    properties = part["properties"]
    if missing := [name for name in properties if name not in notes]:
        raise TopicsError(f"{where}.{missing[0]}: missing")
    if unknown := set(notes) - set(properties):
        raise TopicsError(f"{where}.{min(unknown)}: no such field")
    if "description" in part:
        part["description"] = " ".join(part["description"].split())
    for name, note in notes.items():
        said = {keyword: value for keyword, value in msgspec.to_builtins(note).items() if value is not None}
        properties[name] = {"description": said.pop("description"), **_plain(properties[name]), **said}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A choice between plain types or between enumerations, as one `type` or one `enum`."""
    choices = schema.get("anyOf", [])
    rest = {keyword: value for keyword, value in schema.items() if keyword != "anyOf"}
    if choices and all(set(each) == {"type"} for each in choices):
        return {"type": [each["type"] for each in choices], **rest}
    if choices and all(set(each) == {"enum"} for each in choices):
        return {"enum": [value for each in choices for value in each["enum"]], **rest}
    return schema
