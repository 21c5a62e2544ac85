"""The pages besides the fleet: each is shown, decides what it says, and leaves it on record."""

from collections.abc import Iterator

import pytest

from schemas.settings import ClickHouse
from streams.io.store import open_store
from tests.support.api_client import Api
from tests.support.api_scene import HOLD, INCIDENT, OPERATORS_KEY, scene
from tests.support.console_client import ConsoleVisitor, visitor
from tests.support.databases import Databases


@pytest.fixture(scope="module")
def shown(databases: Databases) -> Iterator[Api]:
    settings: ClickHouse = databases.new(lasting=True)
    store = open_store(settings)
    with scene(settings, store) as (interface, _):
        yield interface
    store.close()


@pytest.fixture
def operator(shown: Api) -> ConsoleVisitor:
    found = visitor(shown.client)
    assert found.sign_in(OPERATORS_KEY).status_code == 303
    return found


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("incidents", "declared by an operator"),
        (f"incidents/{INCIDENT}", "declared by an operator"),
        ("incidents/declare", "Show whom it concerns"),
        (
            "incidents/declare?place=yahoo&from=2026-03-12T10:00&until=2026-03-12T13:00",
            "left out of what customers are judged by",
        ),
        (f"holds/{HOLD}", "who are held"),
        ("providers", "is it us or them?"),
        ("providers/yahoo?hours=24", "no such user"),
        ("blocklists", "192.0.2.1"),
        ("policy", "built in"),
        ("policy/trial", "None was tried"),
        ("dead-letters", "field `type`: missing"),
        ("dead-letters/replay", "None since this process began"),
        ("audit", "their status page"),
        ("audit?who=ida&action=incident+declared&reads=1", "their status page"),
    ],
)
def test_page_is_shown(operator: ConsoleVisitor, path: str, words: str) -> None:
    answer = operator.get(f"/console/{path}")
    assert answer.status_code == 200, answer.text
    assert words in answer.text
