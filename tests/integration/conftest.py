"""One chDB folder and one embedded broker for all integration tests: a process can open only one chDB path."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from jobs.embedded.broker import EmbeddedBroker
from jobs.migrate import migrate
from jobs.topics import remake_topics
from schemas import topics
from schemas.settings import ClickHouse, Kafka
from streams.store import Store, open_store

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def chdb_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chdb")


@pytest.fixture
def store_settings(chdb_path: Path) -> ClickHouse:
    """A migrated, empty database of the test's own."""
    settings = ClickHouse(path=str(chdb_path), database=f"test_{next(_numbers)}")
    migrate(settings)
    return settings


@pytest.fixture
def store(store_settings: ClickHouse) -> Iterator[Store]:
    opened = open_store(store_settings)
    yield opened
    opened.close()


@pytest.fixture
def new_database(chdb_path: Path) -> Callable[[], ClickHouse]:
    """Settings of a database that does not exist yet."""
    return lambda: msgspec.structs.replace(ClickHouse(), path=str(chdb_path), database=f"test_{next(_numbers)}")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """The embedded broker, behind its gate."""
    started = EmbeddedBroker(0, tmp_path_factory.mktemp("broker") / "broker.log")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def kafka(broker: EmbeddedBroker) -> Kafka:
    """Settings of a broker whose topics are new and empty."""
    settings = msgspec.structs.replace(broker.kafka, group=f"test{next(_numbers)}")
    remake_topics(settings, list(topics.load().values()))
    return settings
