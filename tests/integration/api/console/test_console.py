"""The console over a store: who comes in, what they may do, and what every answer holds."""

from collections.abc import Iterator

import pytest

from schemas.settings import ClickHouse
from tests.support.api_client import Api
from tests.support.api_scene import OPERATORS_KEY, scene
from tests.support.console_client import ConsoleVisitor, visitor
from tests.support.databases import Databases


@pytest.fixture(scope="module")
def shown(chdb_path: object, databases: Databases) -> Iterator[Api]:
    """The interface over a fleet with something of everything; one for the module."""
    from streams.io.store import open_store

    settings: ClickHouse = databases.empty(lasting=True)
    store = open_store(settings)
    with scene(settings, store) as (interface, _):
        yield interface
    store.close()


@pytest.fixture
def operator(shown: Api) -> ConsoleVisitor:
    """An operator who is signed in."""
    found = visitor(shown.client)
    assert found.sign_in(OPERATORS_KEY).status_code == 303
    return found


def test_fleet_is_shown_to_an_operator(operator: ConsoleVisitor) -> None:
    answer = operator.get("/console/")

    assert answer.status_code == 200
    assert "acme" in answer.text
