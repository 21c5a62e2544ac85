"""The topics, declared: one YAML file each in `schemas/topics`, next to its JSON Schema and its examples.

A file says what flows, who writes and reads it, what the key is, how the topic is made, and in words what
each field means. `schemas.json_schema` makes the JSON Schema from it, `jobs.setup.topics` makes the topic.
"""

from collections.abc import Iterable
from functools import cache
from importlib import import_module, resources
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

from schemas.errors import InvalidInputError
from schemas.plain_fault import field_first
from schemas.times import UNIT_MS

#: The same in C, eight times as fast, where PyYAML was built with it (6.0: `yaml.__with_libyaml__`).
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

MAIL_EVENTS = "mail.events"
MAIL_BLOCKLISTINGS = "mail.blocklistings"
REPUTATION_CHANGES = "reputation.changes"
REPUTATION_ALERTS = "reputation.alerts"
REPUTATION_INCIDENTS = "reputation.incidents"
REPUTATION_HOLDS = "reputation.holds"
REPUTATION_POLICY = "reputation.policy"
DEAD_LETTERS = "mail.dead-letters"
NAMES: tuple[str, ...] = (
    MAIL_EVENTS,
    MAIL_BLOCKLISTINGS,
    REPUTATION_CHANGES,
    REPUTATION_ALERTS,
    REPUTATION_INCIDENTS,
    REPUTATION_HOLDS,
    REPUTATION_POLICY,
    DEAD_LETTERS,
)


SCHEMA_ENDING = ".schema.json"
Text = Annotated[str, Meta(min_length=1)]
SchemaFile = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9.-]*\.schema\.json$")]
PythonType = Annotated[str, Meta(pattern=r"^schemas\.\w+:\w+$")]
Scalar = str | int | float | bool | None


class TopicsError(InvalidInputError):
    """A topic's file is missing or wrong; the message names the file and the field."""


class FieldNote(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, rename="camel"):
    """What the Python type cannot say of a field; each name is a JSON Schema keyword."""

    description: Text
    format: Text | None = None
    pattern: Text | None = None
    min_length: int | None = None
    max_length: int | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    examples: list[Scalar] | None = None


#: Notes by the name of a Python type, then by the field's name on the wire.
Notes = dict[str, dict[str, FieldNote]]


class MessageKind(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A kind of message: its Python type (`module:Class`), the file of its JSON Schema, and what is said of it."""

    python_type: PythonType
    schema: SchemaFile
    description: Text

    @property
    def name(self) -> str:
        """What the file of the schema and the folder of the examples are called."""
        return self.schema.removesuffix(SCHEMA_ENDING)

    def message_type(self) -> type[msgspec.Struct]:
        """The Python type of a message.

        Raises:
            TopicsError: there is no such type.
        """
        module, _, name = self.python_type.partition(":")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise TopicsError(f"python_type: there is no {self.python_type}") from error
        if not (isinstance(found, type) and issubclass(found, msgspec.Struct)):
            raise TopicsError(f"python_type: {self.python_type} is not a message type")
        return found


class Topic(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One topic.

    `python_type` is the message's Python type (`module:Class`), `schema` the file of its JSON Schema. `also` are other
    kinds of messages of the topic, known by their `type`.
    `retention` is a number with m, h or d (minutes, hours, days). `compatibility` is what a change of the
    schema owes to messages already written: with `backward` a reader of the new schema still reads them.
    """

    topic: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9.-]{0,248}$")]
    description: Text
    written_by: tuple[Text, ...]
    read_by: tuple[Text, ...]
    key: Text
    schema: SchemaFile
    python_type: PythonType
    also: tuple[MessageKind, ...] = ()
    partitions: Annotated[int, Meta(ge=1)]
    retention: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[mhd]$")]
    cleanup: Literal["delete", "compact"]
    max_message_bytes: Annotated[int, Meta(ge=1)]
    compatibility: Literal["backward", "none"]
    fields: Notes

    @property
    def retention_ms(self) -> int:
        """How long messages are kept, in milliseconds."""
        return int(self.retention[:-1]) * UNIT_MS[self.retention[-1]]

    @property
    def config(self) -> dict[str, str]:
        """The topic's settings in Kafka's own names (Kafka documentation, "Topic Configs")."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
        }

    @property
    def kinds(self) -> tuple[MessageKind, ...]:
        """All kinds of its messages, the main one first."""
        main = MessageKind(python_type=self.python_type, schema=self.schema, description=self.description)
        return (main, *self.also)

    def message_type(self) -> type[msgspec.Struct]:
        """The Python type of its main kind of messages.

        Raises:
            TopicsError: there is no such type.
        """
        return self.kinds[0].message_type()


def folder(kind: Literal["topics", "json", "examples"]) -> Traversable:
    """Where the topics' files of one kind are."""
    return resources.files("schemas").joinpath(kind)


def load_topics(where: Traversable | None = None) -> dict[str, Topic]:
    """All declared topics by name, from the package's own folder or from `where`.

    Raises:
        TopicsError: a declared name has no file, or a file is wrong.
    """
    return dict(_own()) if where is None else _in(where)


@cache
def _own() -> dict[str, Topic]:
    """Read once: a start asks several times, and reading them takes a while."""
    return _in(folder("topics"))


def _in(where: Traversable) -> dict[str, Topic]:
    files = {file.name: file for file in where.iterdir() if file.name.endswith(".yaml")}
    for name in NAMES:
        if f"{name}.yaml" not in files:
            raise TopicsError(f"{name}.yaml: missing")
    return {topic.topic: topic for topic in (read(file) for _, file in sorted(files.items()))}


def with_sources(names: Iterable[str]) -> dict[str, Topic]:
    """All declared topics and those of `names` that no file declares: source topics that only the settings know, made
    as `mail.events` is.

    Raises:
        TopicsError: as `load_topics`.
    """
    declared = load_topics()
    like = declared[MAIL_EVENTS]
    return declared | {name: msgspec.structs.replace(like, topic=name) for name in names if name not in declared}


def read(file: Traversable) -> Topic:
    """One topic's file.

    Raises:
        TopicsError: it is wrong.
    """
    try:
        plain: Any = yaml.load(file.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - either is a safe one
        topic = msgspec.convert(plain, Topic)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TopicsError(f"{file.name}: cannot be read: {' '.join(str(error).split())}") from error
    except msgspec.ValidationError as error:
        raise TopicsError(f"{file.name}: {field_first(str(error))}") from error
    if file.name != f"{topic.topic}.yaml":
        raise TopicsError(f"{file.name}: topic: it says {topic.topic}, the file name says otherwise")
    for kind in topic.kinds:
        try:
            kind.message_type()
        except TopicsError as error:
            raise TopicsError(f"{file.name}: {error}") from error
    return topic
