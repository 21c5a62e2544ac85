"""A publisher for commands that send events."""

from typing import Any

from schemas.settings import Settings
from schemas.topics import MAIL_EVENTS
from streams.io.broker import Publisher


def open_publisher(settings: Settings, **options: Any) -> Publisher:
    """A publisher to topics that exist; `options` are librdkafka's.

    Raises:
        BrokerError: the broker cannot be reached, or has not got them.
    """
    publisher = Publisher(settings.kafka, **options)
    publisher.partitions(MAIL_EVENTS)
    return publisher
