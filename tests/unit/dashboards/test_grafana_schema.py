"""The dashboards against Grafana's own schema: the models of its foundation SDK, made from the sources of Grafana 13.

What these read and write again is the same: so every field is one that Grafana knows, in its place, with a value that
fits (docs/adr/0028).
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard as GrafanasDashboard

from dashboards.boards import build_dashboards, to_json

BOARDS = {board.uid: json.loads(to_json(board)) for board in build_dashboards()}


@pytest.fixture(scope="module", autouse=True)
def _kinds_of_panels_are_known() -> None:
    plugins.register_default_plugins()


def lost(ours: Any, theirs: Any, place: str = "") -> Iterator[str]:
    """The places at which something of ours is not there any more."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            # A dashboard of no Grafana has no number yet.
            if (place, name) != ("", "id"):
                yield from lost(value, theirs.get(name), f"{place}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(one, other, f"{place}[{number}]")
    elif ours != theirs:
        yield f"{place}: {ours!r} became {theirs!r}"


def read_again(board: dict[str, Any]) -> Any:
    return json.loads(JSONEncoder().encode(GrafanasDashboard.from_json(board)))


@pytest.mark.parametrize("uid", BOARDS)
def test_grafanas_own_model_knows_every_field(uid: str) -> None:
    assert list(lost(BOARDS[uid], read_again(BOARDS[uid]))) == []


@pytest.mark.parametrize(
    "path", [("panels", 1, "fieldConfig", "defaults"), ("templating", "list", 0), ("links", 0), ()]
)
def test_field_that_grafana_does_not_know_is_found(path: tuple[str | int, ...]) -> None:
    board = copy.deepcopy(BOARDS["repmon-pools"])
    part: Any = board
    for step in path:
        part = part[step]
    part["colour"] = "red"
    assert [each.rpartition(".")[2] for each in lost(board, read_again(board))] == ["colour: 'red' became None"]
