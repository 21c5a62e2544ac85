"""A collector over the embedded broker, and topics of webhooks that are new and empty."""

from collections.abc import Iterator

import pytest

from schemas.settings import Kafka
from tests.support.collecting import Running, serving, with_topics


@pytest.fixture
def collecting(kafka: Kafka) -> Kafka:
    """Settings of either broker; the topics of webhooks are new and empty."""
    return with_topics(kafka)


@pytest.fixture
def running(embedded_kafka: Kafka) -> Iterator[Running]:
    with serving(with_topics(embedded_kafka)) as made:
        yield made
