"""Whether Faust's client is let in, asked once before it starts: by itself it tries for ever, and at most logs why."""

import asyncio
import os
import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from schemas.kafka_security import KafkaSecurity
from schemas.settings import Kafka
from streams.io.broker import REACH_S, BrokerError
from streams.io.broker_security import addresses, login_refused, not_spoken, said_of_tls, security_of, why_no_tls
from streams.io.oauth_tokens import TokenError
from streams.monitor.faust_app import credentials

OUT_OF_REACH = "cannot be reached"
CLOSED = "the broker closed the connection"


async def check_login(kafka: Kafka, timeout_s: float = REACH_S) -> None:
    """Reach one of the brokers, as Faust's client will.

    Raises:
        SettingsError: an option about encryption or login cannot be used.
        BrokerError: no broker is trusted, takes the login, or answers within `timeout_s`.
    """
    security = security_of(kafka)
    options = credentials_to_aiokafka_auth(credentials(security))
    first: Exception | None = None
    for host, port in addresses(kafka.bootstrap):
        try:
            async with asyncio.timeout(timeout_s):
                connection = await create_conn(host, port, request_timeout_ms=int(timeout_s * 1000), **options)
                # aiokafka 0.14 takes a refused token for a login; what is asked then comes back without brokers.
                found = await connection.send(MetadataRequest([]))
            connection.close()
            if found.brokers:
                return
            raise AuthenticationFailedError("the broker does not take the token")
        except (OSError, KafkaError, TokenError) as error:  # a TimeoutError is an OSError
            first = first or error
    assert first is not None  # noqa: S101 - there is an address
    why = await _reason(first, security, kafka.bootstrap)
    lost = why.startswith(OUT_OF_REACH)
    raise BrokerError(
        f"Kafka at {kafka.bootstrap}: {why} (the monitor's client)", unreachable="kafka" if lost else ""
    ) from first


async def _reason(error: Exception, security: KafkaSecurity, bootstrap: str) -> str:
    """Why the client was not let in. It closes its connection before it has heard a reason, so some are asked for."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return said_of_tls(error)
    if isinstance(error, TokenError):
        return str(error)
    if isinstance(error, KafkaError) and not isinstance(error, KafkaConnectionError):
        said = error.args[0] if error.args and isinstance(error.args[0], str) else CLOSED
        return login_refused(security, said)
    if security.encrypted and (why := await asyncio.to_thread(why_no_tls, security, bootstrap)):
        return why
    return _lost(error, security)


def _lost(error: Exception, security: KafkaSecurity) -> str:
    if isinstance(error, KafkaError):
        if security.logs_in:
            return login_refused(security, CLOSED)
        return f"{OUT_OF_REACH}: {CLOSED}; {not_spoken(security)}"
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    number = error.errno if isinstance(error, OSError) else None
    return f"{OUT_OF_REACH}: {os.strerror(number).lower() if number else CLOSED}"
