"""The Faust app of a monitor, made from the settings."""

import logging
from pathlib import Path
from typing import Any

import faust

from schemas.kafka_security import KafkaSecurity
from schemas.settings import Kafka
from streams.io.broker_security import security_of, tls_context
from streams.io.oauth_tokens import TokenProvider

METADATA_MS = 5_000


def faust_app(kafka: Kafka, data: Path) -> Any:
    """An app that keeps no table and declares no topic, inside the caller's event loop."""
    logging.getLogger("asyncio").addFilter(is_news)
    return faust.App(
        f"{kafka.group}-monitor",
        broker=[f"kafka://{address}" for address in kafka.bootstrap.split(",")],
        broker_credentials=credentials(security_of(kafka)),
        broker_session_timeout=kafka.session_timeout_ms / 1000,
        broker_heartbeat_interval=max(0.5, kafka.session_timeout_ms / 4000),
        broker_max_poll_interval=600.0,
        # A broker that is just coming up may not know the topic yet, and the group then shares out nothing. It does
        # so again as soon as the topic is seen; by default that is looked for every five minutes.
        consumer_metadata_max_age_ms=METADATA_MS,
        store="memory://",
        stream_wait_empty=False,
        datadir=str(data),
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
    )


def is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the event loop is for a person. Where leaving the group is cut short, the client's connections
    close themselves as they go, and aiokafka reports each as an error."""
    return "Unclosed AIOKafkaConnection" not in record.getMessage()


def credentials(security: KafkaSecurity) -> Any:
    """Faust's way to say it; it hands that on to the clients it makes: of consumers, producers and topics."""
    context = tls_context(security) if security.encrypted else None
    if security.oauth is not None:
        return faust.OAuthCredentials(oauth_cb=TokenProvider(security.oauth), ssl_context=context)
    if security.logs_in:
        return faust.SASLCredentials(
            username=security.username,
            password=security.password,
            mechanism=security.mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)
