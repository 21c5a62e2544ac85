"""What the command line says of broker, store and folder."""

from api.cli.up import with_targets
from schemas.settings import ClickHouse, Embedded, Kafka, Settings


def test_nothing_named_leaves_the_settings_as_they_are() -> None:
    assert with_targets(Settings(), "", "", "") == Settings()


def test_broker_named_by_its_default_address_is_not_taken_for_the_embedded_one() -> None:
    found = with_targets(Settings(), Kafka().bootstrap, "", "d")
    assert (found.kafka, found.embedded) == (Kafka(), Embedded(data="d", broker=False))


def test_store_named_by_its_default_address_is_not_taken_for_the_embedded_one() -> None:
    found = with_targets(Settings(), "", ClickHouse().url, "")
    assert (found.clickhouse, found.embedded) == (ClickHouse(), Embedded(store=False))
