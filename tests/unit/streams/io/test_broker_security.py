"""What both clients of Kafka are given, of one reading of the settings."""

import ssl
from pathlib import Path

import msgspec
import pytest

from schemas.kafka_security import OAUTH_OPTIONS, SASL_OPTIONS, TLS_OPTIONS
from schemas.settings import Kafka, SettingsError
from streams.io.broker_security import addresses, librdkafka_options, security_of, tls_context
from tests.support.certificates import Authority

KEY_PASSWORD = "hush-Passw0rd"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def tls(folder: Path) -> dict[str, str]:
    """Every option about TLS, each with another value than its default."""
    authority = Authority(folder)
    certificate, key = authority.issue("me", password=KEY_PASSWORD)
    return {
        "security.protocol": "SSL",
        "enable.ssl.certificate.verification": "false",
        "ssl.ca.location": str(authority.ca),
        "ssl.certificate.location": str(certificate),
        "ssl.cipher.suites": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ssl.endpoint.identification.algorithm": "none",
        "ssl.key.location": str(key),
        "ssl.key.password": KEY_PASSWORD,
    }


PASSWORD = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "SCRAM-SHA-256",
    "sasl.username": "me",
    "sasl.password": "hush",
}
TOKEN = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "OAUTHBEARER",
    "https.ca.location": "/ca.pem",
    "sasl.oauthbearer.client.id": "me",
    "sasl.oauthbearer.client.secret": "hush",
    "sasl.oauthbearer.extensions": "a=1,b=2",
    "sasl.oauthbearer.method": "oidc",
    "sasl.oauthbearer.scope": "kafka",
    "sasl.oauthbearer.token.endpoint.url": "https://login.example/token",
}


def as_text(options: dict[str, object]) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in options.items()}


def test_librdkafka_gets_every_option_that_was_written(tls: dict[str, str]) -> None:
    for options in (tls, PASSWORD, TOKEN):
        assert as_text(librdkafka_options(Kafka(options=options))).items() >= options.items()
    tried = tls.keys() | PASSWORD.keys() | TOKEN.keys()
    left_out = {"ssl.ca.pem", "sasl.mechanisms", "sasl.oauthbearer.grant.type"}  # instead of others, or with one value
    assert (tried | left_out) - {"security.protocol"} == TLS_OPTIONS | SASL_OPTIONS | OAUTH_OPTIONS


def test_other_options_are_handed_on_as_they_are() -> None:
    assert librdkafka_options(Kafka(options={"client.id": "me"})) == {"client.id": "me"}


def test_authority_as_text(tls: dict[str, str]) -> None:
    text = Path(tls["ssl.ca.location"]).read_text()
    kafka = Kafka(options={"security.protocol": "SSL", "ssl.ca.pem": text})
    assert librdkafka_options(kafka)["ssl.ca.pem"] == text
    assert len(tls_context(security_of(kafka)).get_ca_certs()) == 1


def test_python_s_context_says_the_same(tls: dict[str, str]) -> None:
    kafka = Kafka(options=tls)
    unchecked = tls_context(security_of(kafka))
    assert (unchecked.verify_mode, unchecked.check_hostname) == (ssl.CERT_NONE, False)
    assert tls["ssl.cipher.suites"] in {each["name"] for each in unchecked.get_ciphers()}
    nameless = {each: tls[each] for each in tls if not each.startswith("enable")}
    checked = tls_context(security_of(Kafka(options=nameless)))
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, False)
    del nameless["ssl.endpoint.identification.algorithm"]
    assert tls_context(security_of(Kafka(options=nameless))).check_hostname


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ssl.ca.location": "FOLDER/none"}, "`ssl.ca.location`: FOLDER/none: No such file or directory"),
        ({"ssl.ca.location": "FOLDER/me.key"}, "`ssl.ca.location`: no certificate in PEM"),
        ({"ssl.certificate.location": "FOLDER/none"}, "`ssl.certificate.location`: FOLDER/none: No such file"),
        ({"ssl.key.location": "FOLDER/none"}, "`ssl.key.location`: FOLDER/none: No such file or directory"),
        ({"ssl.key.location": "FOLDER/other.key"}, "the key is not that of the certificate"),
        ({"ssl.key.password": "wrong"}, "the key has a password that is missing or wrong (kafka.ssl_key_password)"),
        ({"ssl.key.password": ""}, "the key has a password that is missing or wrong (kafka.ssl_key_password)"),
        ({"ssl.cipher.suites": "none"}, "`ssl.cipher.suites`: no such cipher"),
    ],
)
def test_file_that_cannot_be_used_is_named(
    tls: dict[str, str], folder: Path, change: dict[str, str], said: str
) -> None:
    Authority(folder / "other").issue("other")
    (folder / "other.key").write_bytes((folder / "other" / "other.key").read_bytes())
    options = {**tls, **{name: value.replace("FOLDER", str(folder)) for name, value in change.items()}}
    with pytest.raises(SettingsError) as caught:
        librdkafka_options(Kafka(options=options))
    assert str(caught.value).startswith("kafka.options: ")
    assert said.replace("FOLDER", str(folder)) in str(caught.value)
    assert KEY_PASSWORD not in str(caught.value)


def test_passwords_that_are_set_apart_reach_librdkafka() -> None:
    options = {name: value for name, value in PASSWORD.items() if name != "sasl.password"}
    kafka = Kafka(options=options, sasl_password="apart")
    assert librdkafka_options(kafka)["sasl.password"] == "apart"
    token = {name: value for name, value in TOKEN.items() if name != "sasl.oauthbearer.client.secret"}
    found = librdkafka_options(msgspec.structs.replace(kafka, options=token, sasl_password="", oauth_client_secret="s"))
    assert found["sasl.oauthbearer.client.secret"] == "s"


@pytest.mark.parametrize(
    ("bootstrap", "found"),
    [
        ("a:1,b:2", [("a", 1), ("b", 2)]),
        ("broker", [("broker", 9092)]),
        ("[2001:db8::1]:9093, 192.0.2.1:9", [("2001:db8::1", 9093), ("192.0.2.1", 9)]),
    ],
)
def test_addresses_of_brokers(bootstrap: str, found: list[tuple[str, int]]) -> None:
    assert addresses(bootstrap) == found
