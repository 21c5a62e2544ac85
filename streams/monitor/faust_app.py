"""The Faust app of a monitor, made from the settings."""

import ssl
from pathlib import Path
from typing import Any

import faust

from schemas.settings import Kafka

METADATA_MS = 5_000


def faust_app(kafka: Kafka, data: Path) -> Any:
    """An app that keeps no table and declares no topic, inside the caller's event loop."""
    return faust.App(
        f"{kafka.group}-monitor",
        broker=[f"kafka://{address}" for address in kafka.bootstrap.split(",")],
        broker_credentials=_credentials(kafka),
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


def _credentials(kafka: Kafka) -> Any:
    """Faust's credentials from librdkafka's option names; only SASL over TLS or plain text is translated."""
    options = kafka.options
    if "sasl.username" not in options:
        return None
    tls = options.get("security.protocol", "").upper() == "SASL_SSL"
    return faust.SASLCredentials(
        username=options["sasl.username"],
        password=kafka.sasl_password,
        mechanism=options.get("sasl.mechanism", options.get("sasl.mechanisms", "PLAIN")),
        ssl_context=ssl.create_default_context(cafile=options.get("ssl.ca.location")) if tls else None,
    )
