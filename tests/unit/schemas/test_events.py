"""Events are read by their type."""

from pathlib import Path

import msgspec
import pytest

from schemas.events import KINDS, TYPES, read_event
from schemas.topics import folder, load_topics

OURS = {
    kind.name: kind
    for topic in load_topics().values()
    for kind in topic.kinds
    if "specversion" in kind.message_type().__struct_fields__
}
EXAMPLES = [file for name in OURS for file in sorted(Path(str(folder("examples"))).glob(f"{name}/valid/*.json"))]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: f"{file.parent.parent.name}/{file.stem}")
def test_example_is_read_as_what_it_is(file: Path) -> None:
    assert type(read_event(file.read_bytes())) is OURS[file.parent.parent.name].message_type()


def test_every_type_has_an_example_and_every_example_a_type_that_its_schema_allows() -> None:
    types: dict[type[msgspec.Struct], set[str]] = {kind.message_type(): set() for kind in OURS.values()}
    for file in EXAMPLES:
        types[OURS[file.parent.parent.name].message_type()].add(read_event(file.read_bytes()).type)
    assert types == {kind: set(some) for kind, some in TYPES.items()}


def test_every_kind_of_event_is_read() -> None:
    assert {each.message_type() for each in OURS.values()} == set(KINDS.values())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b'{"type": "com.example.alert.opened.v1"}', "'com.example.alert.opened.v1' is not one of our types"),
        (b'{"type": "org.repmon.alert"}', "not one of our types"),
        (b'{"type": "org.repmon.alert.opened.v1"}', "missing required field `id`"),
        (b"{}", "missing required field `type`"),
        (b"[]", "Expected `object`"),
    ],
)
def test_what_is_no_event_of_ours_is_refused(value: bytes, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        read_event(value)
