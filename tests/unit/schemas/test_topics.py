from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from schemas import topics
from schemas.event import MAX_EVENT_BYTES
from schemas.json_schema import json_schema, json_schemas, text
from schemas.times import DAY_MS
from schemas.topics import FieldNote, TopicsError
from tests.support.command_line import every_command

TOPICS = topics.load_topics()
PACKAGE = Path(str(topics.folder("topics")))
#: Who writes and reads that is no part of the project.
OUTSIDE = {"mail servers and providers", "operators", "the operator's own systems"}


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """A copy of the topics' folder in which one text of one file is another."""

    def change(file: str, old: str, new: str) -> Path:
        for each in PACKAGE.glob("*.yaml"):
            (tmp_path / each.name).write_text(each.read_text(encoding="utf-8"), encoding="utf-8")
        before = (tmp_path / file).read_text(encoding="utf-8")
        assert old in before
        (tmp_path / file).write_text(before.replace(old, new), encoding="utf-8")
        return tmp_path

    return change


def test_every_topic_is_declared_and_no_other() -> None:
    assert set(TOPICS) == set(topics.NAMES)


@pytest.mark.parametrize(
    ("name", "key", "days", "cleanup"),
    [
        (topics.MAIL_EVENTS, "customer", 7, "delete"),
        (topics.MAIL_BLOCKLISTINGS, "resource", 30, "delete"),
        (topics.REPUTATION_CHANGES, "customer", 1, "delete"),
        (topics.REPUTATION_ALERTS, "customer", 30, "delete"),
        (topics.REPUTATION_INCIDENTS, "provider", 30, "delete"),
        (topics.REPUTATION_HOLDS, "hold", 30, "delete"),
        (topics.REPUTATION_POLICY, "word", 30, "compact"),
        (topics.DEAD_LETTERS, "topic", 30, "delete"),
    ],
)
def test_topic_says_its_key_and_how_long_it_is_kept(name: str, key: str, days: int, cleanup: str) -> None:
    topic = TOPICS[name]
    assert topic.key.lower().startswith(f"the {key}")
    assert topic.config["retention.ms"] == str(days * DAY_MS)
    assert topic.config["cleanup.policy"] == cleanup


def test_largest_event_fits_its_topic_and_its_dead_letter_in_base64_too() -> None:
    events, letters = TOPICS[topics.MAIL_EVENTS], TOPICS[topics.DEAD_LETTERS]
    assert events.max_message_bytes > MAX_EVENT_BYTES
    assert letters.max_message_bytes > events.max_message_bytes * 4 / 3 + 10_000


@pytest.mark.parametrize(("retention", "ms"), [("90m", 5_400_000), ("36h", 129_600_000), ("7d", 604_800_000)])
def test_retention_is_read_in_minutes_hours_and_days(retention: str, ms: int) -> None:
    assert msgspec.structs.replace(TOPICS[topics.MAIL_EVENTS], retention=retention).retention_ms == ms


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("partitions: 6", "partitions: 0", "partitions"),
        ("partitions: 6", "partitions: six", "partitions"),
        ("retention: 7d", "retention: 7 days", "retention"),
        ("cleanup: delete", "cleanup: keep", "cleanup"),
        ("compatibility: backward", "compatibility: forward", "compatibility"),
        ("topic: mail.events", "topic: mail.other", "topic"),
        ("schemas.event:MailEvent", "schemas.event:Missing", "python_type"),
        ("schemas.event:MailEvent", "schemas.missing:MailEvent", "python_type"),
        ("schemas.event:MailEvent", "schemas.event:NEGATIVE_TYPES", "python_type"),
        ("schemas.event:MailEvent", "os.path:join", "python_type"),
        ("retention: 7d", "retain: 7d", "retain"),
        ("partitions: 6\n", "", "partitions"),
        ("      minimum: 0\n", "      least: 0\n", "least"),
        ("topic: mail.events", "topic: [mail.events", "cannot be read"),
    ],
)
def test_mistake_in_a_topic_file_is_named_with_file_and_field(
    changed: Callable[[str, str, str], Path], old: str, new: str, field: str
) -> None:
    with pytest.raises(TopicsError) as failure:
        topics.load_topics(changed("mail.events.yaml", old, new))
    assert str(failure.value).startswith("mail.events.yaml: ")
    assert field in str(failure.value)


@pytest.mark.parametrize("kind", ["schemas.customer_event:Missing", "os.path:join"])
def test_mistake_in_a_further_kind_of_message_is_named(changed: Callable[[str, str, str], Path], kind: str) -> None:
    folder = changed("reputation.alerts.yaml", "schemas.customer_event:CustomerEvent", kind)
    with pytest.raises(TopicsError, match=r"^reputation\.alerts\.yaml: .*python_type"):
        topics.load_topics(folder)


def test_missing_topic_file_is_named(changed: Callable[[str, str, str], Path]) -> None:
    folder = changed("mail.events.yaml", "mail.events", "mail.events")
    (folder / "reputation.changes.yaml").unlink()
    with pytest.raises(TopicsError, match=r"^reputation\.changes\.yaml: missing"):
        topics.load_topics(folder)


@pytest.mark.parametrize("name", topics.NAMES)
def test_schema_file_is_what_type_and_notes_give_now(name: str) -> None:
    for file, schema in json_schemas(TOPICS[name]).items():
        stored = topics.folder("json").joinpath(file).read_text(encoding="utf-8")
        assert stored == text(schema), "run: python -m jobs.setup.topics schemas"


@pytest.mark.parametrize("name", topics.NAMES)
def test_schema_is_valid_json_schema_and_describes_every_field(name: str) -> None:
    for file, schema in json_schemas(TOPICS[name]).items():
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert f"{schema['$id']}.schema.json" == f"urn:repmon:{file}"
        for part in (schema, *schema.get("$defs", {}).values()):
            assert part["properties"]
            assert all(field["description"] for field in part["properties"].values())


def test_field_without_a_note_is_refused() -> None:
    topic = TOPICS[topics.REPUTATION_CHANGES]
    notes = {"Change": {"customer": FieldNote(description="Whose.")}}
    with pytest.raises(TopicsError, match=r"^reputation\.changes\.yaml: fields\.Change\.stored_ms: missing"):
        json_schema(msgspec.structs.replace(topic, fields=notes))


@pytest.mark.parametrize(
    ("extra", "where"),
    [
        ({"Change": {"colour": FieldNote(description="None.")}}, r"fields\.Change\.colour: no such field"),
        ({"Colour": {}}, r"fields\.Colour: no such type"),
    ],
)
def test_note_on_a_field_that_is_not_there_is_refused(extra: topics.Notes, where: str) -> None:
    topic = TOPICS[topics.REPUTATION_CHANGES]
    notes = {name: {**topic.fields.get(name, {}), **extra.get(name, {})} for name in {*topic.fields, *extra}}
    with pytest.raises(TopicsError, match=where):
        json_schema(msgspec.structs.replace(topic, fields=notes))


def test_source_topic_that_only_the_settings_name_is_made_as_mail_events_is() -> None:
    made = topics.with_sources(["mail.events", "mail.webhooks.ses"])
    assert set(made) == {*topics.NAMES, "mail.webhooks.ses"}
    assert made["mail.events"] == TOPICS["mail.events"]
    assert made["mail.webhooks.ses"].config == TOPICS["mail.events"].config
    assert made["mail.webhooks.ses"].partitions == TOPICS["mail.events"].partitions


@pytest.mark.parametrize("name", TOPICS)
def test_who_writes_and_reads_a_topic_is_there(name: str) -> None:
    for who in (*TOPICS[name].written_by, *TOPICS[name].read_by):
        if who.startswith("repmon "):
            assert who.split()[1:] in [words for words, _ in every_command()]
        elif "." in who:
            assert find_spec(who) is not None, who
        else:
            assert who in OUTSIDE
