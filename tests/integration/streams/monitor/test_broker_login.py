"""Encryption and logins on Apache Kafka, with each of the two clients: what is right is taken, and what is wrong is
said by both, in one line and at once."""

import asyncio
import itertools
import sys
from collections.abc import Callable, Iterator
from operator import methodcaller
from pathlib import Path

import msgspec
import pytest

from api.cli.main import run
from jobs.setup.topics import create_topics
from schemas import topics
from schemas.settings import Kafka
from streams.io.broker import BrokerError, admin
from streams.monitor.broker_login import check_login
from tests.support.changes import announce
from tests.support.kafka_security import KEY_PASSWORD, PASSWORD, USER
from tests.support.monitors import Recorder, running
from tests.support.real_kafka import RealKafka
from tests.support.token_endpoint import CLIENT, SECRET, TokenEndpoint, token_endpoint
from tests.support.waiting import until

pytestmark = pytest.mark.kafka
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
#: Far more than a refusal takes, which is said within one try; a broker that does not answer is waited for as long.
PATIENCE_S = 2.0
_numbers = itertools.count(1)


class Ways:
    """Settings that are right, by how the broker is spoken to."""

    def __init__(self, kafka: RealKafka, endpoint: TokenEndpoint) -> None:
        self._kafka = kafka
        self._endpoint = endpoint

    def mutual(self, **change: str) -> Kafka:
        files = self._kafka.certificates
        own = {"ssl.certificate.location": str(files.client), "ssl.key.location": str(files.client_key)}
        return msgspec.structs.replace(self._tls("MUTUAL", {**own, **change}), ssl_key_password=KEY_PASSWORD)

    def login(self, mechanism: str, *, password: str = PASSWORD, **change: str) -> Kafka:
        options = {"security.protocol": "SASL_SSL", "sasl.mechanism": mechanism, "sasl.username": USER, **change}
        return msgspec.structs.replace(self._tls("LOGIN_TLS", options), sasl_password=password)

    def plain_login(self, mechanism: str, *, password: str = PASSWORD) -> Kafka:
        options = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism, "sasl.username": USER}
        return Kafka(bootstrap=self._kafka.listener("LOGIN_PLAIN"), options=options, sasl_password=password)

    def token(self, *, secret: str = SECRET) -> Kafka:
        at = "sasl.oauthbearer"
        options = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "OAUTHBEARER",
            f"{at}.method": "oidc",
            f"{at}.token.endpoint.url": self._endpoint.url,
            f"{at}.client.id": CLIENT,
            f"{at}.scope": "kafka",
            f"{at}.extensions": "traceId=7",
        }
        return msgspec.structs.replace(self._tls("LOGIN_TLS", options), oauth_client_secret=secret)

    def server_alone(self, listener: str, **change: str) -> Kafka:
        return self._tls(listener, change)

    def plain(self, listener: str) -> Kafka:
        return Kafka(bootstrap=self._kafka.listener(listener))

    def tls_to_plain(self) -> Kafka:
        return msgspec.structs.replace(self._tls("MUTUAL", {}), bootstrap=self._kafka.bootstrap)

    @property
    def files(self) -> dict[str, str]:
        """Certificates that the broker, or we, must not take."""
        files = self._kafka.certificates
        return {name: str(value) for name, value in vars(files).items()}

    def _tls(self, listener: str, options: dict[str, str]) -> Kafka:
        trust = {"security.protocol": "SSL", "ssl.ca.location": str(self._kafka.certificates.ca)}
        return Kafka(bootstrap=self._kafka.listener(listener), options={**trust, **options})


@pytest.fixture(scope="module")
def endpoint() -> Iterator[TokenEndpoint]:
    with token_endpoint() as server:
        yield server


@pytest.fixture(scope="module")
def ways(real_kafka: RealKafka, endpoint: TokenEndpoint) -> Ways:
    return Ways(real_kafka, endpoint)


RIGHT: dict[str, Callable[[Ways], Kafka]] = {
    "SSL, client certificate": lambda ways: ways.mutual(),
    "SSL, name not checked": lambda ways: ways.server_alone(
        "ELSEWHERE", **{"ssl.endpoint.identification.algorithm": "none"}
    ),
    "SSL, nothing checked": lambda ways: ways.server_alone(
        "EXPIRED", **{"enable.ssl.certificate.verification": "false"}
    ),
    **{f"SASL_SSL, {name}": methodcaller("login", name) for name in MECHANISMS},
    **{f"SASL_PLAINTEXT, {name}": methodcaller("plain_login", name) for name in MECHANISMS},
    "SASL_SSL, OAUTHBEARER": lambda ways: ways.token(),
}


@pytest.mark.parametrize("name", RIGHT)
def test_both_clients_are_let_in(ways: Ways, name: str) -> None:
    kafka = RIGHT[name](ways)
    assert admin(kafka, PATIENCE_S).list_topics(timeout=PATIENCE_S).brokers
    asyncio.run(check_login(kafka, PATIENCE_S))


NOT_TRUSTED = "the broker's certificate is not trusted: "
REFUSED = "the broker refuses our certificate, or wants one (`ssl.certificate.location`): "
#: What is wrong, and what both clients say of it.
WRONG: dict[str, tuple[Callable[[Ways], Kafka], str]] = {
    "wrong authority": (
        lambda ways: ways.mutual(**{"ssl.ca.location": ways.files["other_ca"]}),
        f"{NOT_TRUSTED}unable to get local issuer certificate",
    ),
    "expired certificate": (lambda ways: ways.server_alone("EXPIRED"), f"{NOT_TRUSTED}certificate has expired"),
    "certificate of another host": (
        lambda ways: ways.server_alone("ELSEWHERE"),
        f"{NOT_TRUSTED}IP address mismatch, certificate is not valid for '127.0.0.1'",
    ),
    "no client certificate": (lambda ways: ways.server_alone("MUTUAL"), f"{REFUSED}bad certificate"),
    "client certificate of a stranger": (
        lambda ways: msgspec.structs.replace(
            ways.mutual(
                **{
                    "ssl.certificate.location": ways.files["other_client"],
                    "ssl.key.location": ways.files["other_client_key"],
                }
            ),
            ssl_key_password="",
        ),
        REFUSED,
    ),
    "TLS to a port of plain text": (
        lambda ways: ways.tls_to_plain(),
        "the broker does not speak TLS at this port, as `security.protocol` says",
    ),
    **{
        f"wrong password, {name}": (
            methodcaller("login", name, password="wr0ng-passw0rd"),
            f"the login as {USER} by {name} is refused: ",
        )
        for name in MECHANISMS
    },
    "plain text to a port of TLS": (lambda ways: ways.plain("EXPIRED"), "does it speak PLAINTEXT at this port"),
}


def one_line(error: BrokerError, kafka: Kafka) -> str:
    message = str(error)
    assert message.startswith(f"Kafka at {kafka.bootstrap}: ")
    assert "\n" not in message
    for secret in (kafka.sasl_password, kafka.ssl_key_password, kafka.oauth_client_secret):
        assert not secret or secret not in message
    return message


@pytest.mark.parametrize("name", WRONG)
def test_both_clients_say_in_one_line_what_is_wrong(ways: Ways, name: str) -> None:
    made, said = WRONG[name]
    kafka = made(ways)
    with pytest.raises(BrokerError) as of_librdkafka:
        admin(kafka, PATIENCE_S)
    assert said in one_line(of_librdkafka.value, kafka)
    with pytest.raises(BrokerError) as of_aiokafka:
        asyncio.run(check_login(kafka, PATIENCE_S))
    assert said in one_line(of_aiokafka.value, kafka)
    assert str(of_aiokafka.value).endswith("(the monitor's client)")


def test_wrong_secret_of_an_oauth_client_is_said_by_both(ways: Ways) -> None:
    kafka = ways.token(secret="wr0ng-s3cret")
    with pytest.raises(BrokerError) as of_librdkafka:
        admin(kafka, PATIENCE_S)
    assert "the login as repmon by OAUTHBEARER is refused: " in one_line(of_librdkafka.value, kafka)
    with pytest.raises(BrokerError) as of_aiokafka:
        asyncio.run(check_login(kafka, PATIENCE_S))
    assert "/token: 401" in one_line(of_aiokafka.value, kafka)


def test_token_that_the_broker_does_not_take_is_said_by_the_monitor(ways: Ways, endpoint: TokenEndpoint) -> None:
    """aiokafka takes itself to be logged in."""
    endpoint.good = False
    try:
        with pytest.raises(BrokerError, match="the login as repmon by OAUTHBEARER is refused"):
            asyncio.run(check_login(ways.token(), PATIENCE_S))
    finally:
        endpoint.good = True


def with_topics(kafka: Kafka) -> Kafka:
    """The settings with a group that nobody has used; the topics are there, made by the same settings."""
    own = msgspec.structs.replace(kafka, group=f"secured{next(_numbers)}", session_timeout_ms=6000)
    create_topics(own, topics.load_topics())
    return own


@pytest.mark.parametrize("name", ["SSL, client certificate", "SASL_SSL, SCRAM-SHA-512"])
def test_monitor_reads_changes_that_were_sent_the_same_way(ways: Ways, name: str, tmp_path: Path) -> None:
    """Topics are made, changes sent and read, each by its client, and Faust hands all of it on to its consumer and its
    producer."""
    kafka = with_topics(RIGHT[name](ways))

    async def read() -> None:
        judge = Recorder()
        async with running(kafka, judge, tmp_path):
            announce(kafka, "acme")
            await until(lambda: judge.times()["acme"] == 1, "the change to be judged")

    asyncio.run(read())


def test_monitor_that_is_not_let_in_any_more_says_so(
    ways: Ways,
    endpoint: TokenEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It reads with a token, until the broker takes no further one. Faust's client would try for ever, in silence."""
    kafka = with_topics(ways.token())
    monkeypatch.setattr("streams.monitor.timers.LOGIN_S", 0.05)
    said = f"Kafka at {kafka.bootstrap}: the login as {CLIENT} by OAUTHBEARER is refused: "

    async def read() -> None:
        judge = Recorder()
        async with running(kafka, judge, tmp_path):
            announce(kafka, "acme")
            await until(lambda: judge.times()["acme"] == 1, "the change to be judged")
            assert not any(each.startswith(said) for each in caplog.messages)
            endpoint.good = False
            await until(lambda: any(each.startswith(said) for each in caplog.messages), "the refusal to be logged")

    try:
        asyncio.run(read())
    finally:
        endpoint.good = True


def test_command_ends_with_the_line_and_exit_code_2(
    ways: Ways, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kafka = ways.login("SCRAM-SHA-256")
    file = tmp_path / "repmon.toml"
    options = "\n".join(f'"{name}" = "{value}"' for name, value in kafka.options.items())
    file.write_text(f'[kafka]\nbootstrap = "{kafka.bootstrap}"\n[kafka.options]\n{options}\n')
    monkeypatch.setenv("REPMON_KAFKA__SASL_PASSWORD", "wr0ng-passw0rd")
    monkeypatch.setattr(sys, "argv", ["repmon", "-c", str(file), "topics", "create"])
    assert run() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"repmon: Kafka at {kafka.bootstrap}: the login as {USER} by SCRAM-SHA-256 is refused: ")
    assert err.count("\n") == 1
