"""The id of a deployment: one, however many stages ask for it first, and as long as the store."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec
import pytest

from schemas import policy, providers
from schemas.alert import AlertEvent
from schemas.deployment import Deployment
from schemas.settings import ClickHouse
from streams.io.deployment import ONCE, known_deployment, read_deployment
from streams.io.store import Store, StoreError, open_store
from streams.monitor.batch import BatchJudge
from tests.support.api_client import NOW, Row
from tests.support.judging import NOW_MS, Ground


def test_stages_that_start_together_get_one_id(store_settings: ClickHouse) -> None:
    stages = 4
    together = Barrier(stages)

    def asked(_stage: int) -> Deployment:
        store = open_store(store_settings)
        together.wait(30)
        try:
            return read_deployment(store, "mail-eu")
        finally:
            store.close()

    with ThreadPoolExecutor(stages) as threads:
        found = set(threads.map(asked, range(stages)))
    (one,) = found
    assert one.name == "mail-eu"
    assert len(one.id) == 16


def test_who_only_looks_makes_no_id(store: Store) -> None:
    assert not known_deployment(store, "mail-eu").label
    made = read_deployment(store, "mail-eu")
    assert known_deployment(store, "mail-eu") == made


def test_second_id_is_not_stored(store: Store) -> None:
    found = read_deployment(store)
    store.insert("deployment", {"id": ["0000000000000000"], "made": [0]}, ONCE)
    assert read_deployment(store) == found


def test_id_of_another_store_is_another(another_database: Callable[[], ClickHouse], store: Store) -> None:
    other = open_store(another_database())
    assert read_deployment(other).id != read_deployment(store).id
    other.close()


def test_replica_that_does_not_have_it_in_time_is_an_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.io.deployment.FIRST", "SELECT id FROM deployment WHERE false")
    with pytest.raises(StoreError, match="the id of this deployment was stored and is not there"):
        read_deployment(store, pause=lambda _s: None)


def test_same_alert_of_two_deployments_differs_by_its_source(ground: Ground) -> None:
    ground.put(Row(NOW - 600, delivered=900, hard=100))
    told: list[AlertEvent] = []
    for deployment in (Deployment(id="1" * 16, name="mail-eu"), Deployment(id="2" * 16)):

        def publish(_topic: str, _key: bytes, value: bytes) -> None:
            told.append(msgspec.json.decode(value, type=AlertEvent))

        ground.store.run("TRUNCATE TABLE alert_states")
        judge = BatchJudge(
            ground.store,
            policy.load_policy(),
            providers.load_providers(),
            publish,
            lambda: None,
            deployment=deployment,
        )
        judge.judge_customers(["acme"], NOW_MS)
    one, other = {each.source: each.id for each in told}.items()
    assert one == ("/repmon/mail-eu.1111111111111111/monitor", told[0].id)
    assert other == ("/repmon/2222222222222222/monitor", told[0].id)
