"""One chDB folder and one embedded broker for all integration tests: a process can open only one chDB path, and brokers
take seconds to start."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from jobs.embedded.broker import EmbeddedBroker
from jobs.setup.topics import remake_topics
from schemas import topics
from schemas.settings import ClickHouse, Kafka
from streams.io.store import Store, open_store
from tests.support.databases import Databases
from tests.support.judging import Ground
from tests.support.quick_connections import connect_quickly
from tests.support.real_kafka import RealKafka

connect_quickly()

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def chdb_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A connection stays open throughout: with the last one chDB 4.4 ends its engine, which takes time to start again
    and each time leaves some fifteen threads behind."""
    path = tmp_path_factory.mktemp("chdb")
    kept = open_store(ClickHouse(path=str(path)), database="default")
    yield path
    kept.close()


@pytest.fixture(scope="session")
def databases(chdb_path: Path) -> Iterator[Databases]:
    """The databases that the tests of this process use one after the other."""
    made = Databases(ClickHouse(path=str(chdb_path)))
    yield made
    made.close()


@pytest.fixture
def store_settings(request: pytest.FixtureRequest, databases: Databases) -> ClickHouse:
    """A migrated, empty database, for the time of the test its own."""
    return databases.empty(lasting="standing_clock" in request.fixturenames)


@pytest.fixture
def standing_clock() -> None:
    """For tests whose clock stands still: the tables of their database keep rows of any age."""


@pytest.fixture
def store(store_settings: ClickHouse, databases: Databases) -> Store:
    """A connection to it, for the time of the test its own."""
    return databases.connection(store_settings)


@pytest.fixture
def ground(store: Store, standing_clock: None) -> Ground:
    """The store, and judges over it."""
    return Ground(store)


@pytest.fixture
def new_database(databases: Databases) -> Iterator[Callable[[], ClickHouse]]:
    """Settings of a database that does not exist yet; dropped at the end."""
    made: list[ClickHouse] = []

    def new() -> ClickHouse:
        made.append(databases.unused())
        return made[-1]

    yield new
    for each in made:
        databases.drop(each)


@pytest.fixture
def another_database(databases: Databases) -> Iterator[Callable[[], ClickHouse]]:
    """Settings of another database of the same tables with nothing in it; dropped at the end."""
    made: list[ClickHouse] = []

    def new() -> ClickHouse:
        made.append(databases.new(lasting=False))
        return made[-1]

    yield new
    for each in made:
        databases.drop(each)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """The embedded broker, behind its gate."""
    started = EmbeddedBroker(0, tmp_path_factory.mktemp("broker") / "broker.log")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def embedded_kafka(broker: EmbeddedBroker) -> Kafka:
    """Settings of the embedded broker, which one worker reads by itself; its topics are new and empty."""
    return _emptied(broker.kafka)


@pytest.fixture
def apache_kafka(real_kafka: RealKafka) -> Kafka:
    """Settings of Apache Kafka, which consumer groups read; its topics are new and empty."""
    return _emptied(real_kafka.settings)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def kafka(request: pytest.FixtureRequest) -> Kafka:
    """Settings of either broker; its topics are new and empty."""
    settings: Kafka = request.getfixturevalue("embedded_kafka" if request.param == "embedded" else "apache_kafka")
    return settings


def _emptied(kafka: Kafka) -> Kafka:
    """The settings with a consumer group that nobody has used; the topics are made again."""
    settings = msgspec.structs.replace(kafka, group=f"test{next(_numbers)}")
    remake_topics(settings, list(topics.load_topics().values()))
    return settings
