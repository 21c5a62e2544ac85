"""schemas/asyncapi.yaml is AsyncAPI 3.0, and leads to the schemas and examples of every topic."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry, Resource

from schemas import asyncapi
from schemas.events import TYPES
from schemas.topics import folder, load_topics
from tests.support.event_readers import ReaderUnavailableError, node_modules

FILE = Path(str(folder("topics"))).parent / asyncapi.FILE
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]


@pytest.fixture(scope="module")
def of_asyncapi() -> Draft7Validator:
    try:
        specs = node_modules() / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
    except ReaderUnavailableError as error:
        pytest.skip(str(error))
    return Draft7Validator(json.loads(specs.read_text(encoding="utf-8")))


def test_document_is_what_topics_and_types_give_now() -> None:
    assert FILE.read_text(encoding="utf-8") == asyncapi.written(), "run: make schemas"


def test_document_is_asyncapi(of_asyncapi: Draft7Validator) -> None:
    assert [f"{each.json_path}: {each.message}" for each in of_asyncapi.iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize(
    "path", [("info", "version"), ("operations", "send.reputation.alerts", "action"), ("channels",), ("asyncapi",)]
)
def test_document_with_something_else_there_is_not(of_asyncapi: Draft7Validator, path: tuple[str, ...]) -> None:
    changed = json.loads(json.dumps(DOCUMENT))
    *parents, last = path
    place = changed
    for name in parents:
        place = place[name]
    place[last] = ["something else"]
    assert not of_asyncapi.is_valid(changed)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "$ref")
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    for each in found:
        file, _, place = each.partition("#")
        target: Any = json.loads((FILE.parent / file).read_text(encoding="utf-8")) if file else DOCUMENT
        for name in filter(None, place.split("/")):
            target = target[name]
        assert target, each


def test_every_topic_and_every_type_of_event_is_there() -> None:
    topics = load_topics()
    assert set(DOCUMENT["channels"]) == set(topics)
    used = {each["channel"]["$ref"] for each in DOCUMENT["operations"].values()}
    assert used == {f"#/channels/{name}" for name in topics}
    assert set(MESSAGES) >= {name for names in TYPES.values() for name in names}
    referred = {name for channel in DOCUMENT["channels"].values() for name in channel["messages"]}
    assert referred == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_example_in_the_document_is_one_of_the_message(name: str) -> None:
    def retrieved(uri: str) -> Resource[Any]:
        return Resource.from_contents(json.loads((FILE.parent / uri).read_text(encoding="utf-8")))

    message = MESSAGES[name]
    validator = Draft202012Validator(message["payload"], registry=Registry(retrieve=retrieved))  # type: ignore[call-arg]
    (example,) = message["examples"]
    validator.validate(example["payload"])
    for other, each in MESSAGES.items():
        if name in {each for names in TYPES.values() for each in names} and other != name:
            assert not validator.is_valid(each["examples"][0]["payload"]), other
