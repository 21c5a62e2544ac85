"""One store for all fault tests; each test has topics made again and a database of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.deployment import Deployment
from tests.support.databases import Databases
from tests.support.real_kafka import RealKafka
from tests.support.store_process import StoreProcess


@pytest.fixture(scope="package")
def store_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    """The store that all workers of all fault tests share."""
    started = StoreProcess(tmp_path_factory.mktemp("store"))
    started.start()
    yield started
    started.kill()


@pytest.fixture(scope="package")
def databases(store_process: StoreProcess) -> Databases:
    """Each test has a new one: what a killed worker sent last may reach the store when the test is over."""
    return Databases(store_process.settings, "faults")


@pytest.fixture
def partitions() -> int:
    """Those of `mail.events`: enough that of two workers one has more than one."""
    return 3


@pytest.fixture
def deployment(
    real_kafka: RealKafka, store_process: StoreProcess, databases: Databases, tmp_path: Path, partitions: int
) -> Iterator[Deployment]:
    """Broker and store with nothing in them, and no worker yet."""
    database = databases.new(lasting=False)
    made = Deployment(real_kafka.settings, store_process, database, tmp_path, partitions)
    yield made
    made.close()
    databases.drop(database)
