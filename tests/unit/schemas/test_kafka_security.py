"""How brokers are spoken to: what both clients can do is taken, everything else is refused by name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kafka_security import (
    FAMILIES,
    MECHANISMS,
    UNDERSTOOD,
    KafkaSecurity,
    KafkaSecurityError,
    OAuthClient,
    is_plain,
    read_security,
)
from schemas.settings import SettingsError
from schemas.settings_file import load_settings

OIDC = {
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "OAUTHBEARER",
    "sasl.oauthbearer.method": "oidc",
    "sasl.oauthbearer.token.endpoint.url": "https://login.example/token",
    "sasl.oauthbearer.client.id": "repmon",
}


def refusal(options: dict[str, str], password: str = "") -> str:
    with pytest.raises(KafkaSecurityError) as caught:
        read_security(options, password)
    return str(caught.value)


def test_nothing_said_is_plain_text() -> None:
    assert read_security({"client.id": "me"}) == KafkaSecurity(protocol="PLAINTEXT")


def test_client_certificate() -> None:
    options = {
        "security.protocol": "ssl",
        "ssl.ca.location": "/ca.pem",
        "ssl.certificate.location": "/me.crt",
        "ssl.key.location": "/me.key",
    }
    assert read_security(options, ssl_key_password="hush") == KafkaSecurity(
        protocol="SSL", ca="/ca.pem", certificate="/me.crt", key="/me.key", key_password="hush"
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "scram-sha-512"])
@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_login_by_password(protocol: str, mechanism: str) -> None:
    options = {"security.protocol": protocol, "sasl.mechanisms": mechanism, "sasl.username": "me"}
    found = read_security(options, "hush")
    assert (found.protocol, found.mechanism) == (protocol, mechanism.upper())
    assert (found.username, found.password) == ("me", "hush")
    assert found == read_security({**options, "sasl.password": "hush"})


def test_login_by_token() -> None:
    more = {
        "sasl.oauthbearer.extensions": "logicalCluster=lkc-1, identityPoolId = pool",
        "https.ca.location": "/ca.pem",
    }
    assert read_security({**OIDC, **more}, oauth_client_secret="hush").oauth == OAuthClient(
        endpoint="https://login.example/token",
        client_id="repmon",
        client_secret="hush",
        extensions={"logicalCluster": "lkc-1", "identityPoolId": "pool"},
        ca="/ca.pem",
    )


def test_checks_are_off_only_if_that_is_said() -> None:
    tls = {"security.protocol": "SSL"}
    assert (read_security(tls).verify, read_security(tls).verify_name) == (True, True)
    assert not read_security({**tls, "enable.ssl.certificate.verification": "false"}).verify
    assert not read_security({**tls, "ssl.endpoint.identification.algorithm": "none"}).verify_name


SASL = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "me", "sasl.password": "hush"}
TLS = {"security.protocol": "SSL"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"security.protocol": "TLS"}, "`security.protocol` must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        # Without effect, which nobody would notice.
        ({"ssl.ca.location": "/ca"}, "`ssl.ca.location` has no effect where `security.protocol` is PLAINTEXT"),
        ({"sasl.username": "me"}, "`sasl.username` has no effect where `security.protocol` is PLAINTEXT"),
        ({**TLS, "sasl.username": "me"}, "`sasl.username` has no effect where `security.protocol` is SSL"),
        ({**SASL, "sasl.oauthbearer.scope": "x"}, "has no effect where `sasl.mechanism` is PLAIN"),
        ({**OIDC, "sasl.username": "me"}, "`sasl.username` has no effect where `sasl.mechanism` is OAUTHBEARER"),
        ({**TLS, "ssl.key.password": "hush"}, "`ssl.key.password` has no effect without `ssl.key.location`"),
        # Incomplete.
        ({"security.protocol": "SASL_SSL"}, f"`sasl.mechanism` must be one of {', '.join(MECHANISMS)}"),
        ({**SASL, "sasl.mechanisms": "SCRAM-SHA-256"}, "`sasl.mechanism` must be one of"),
        ({**SASL, "sasl.password": ""}, "PLAIN needs `sasl.password`, which kafka.sasl_password sets"),
        ({**SASL, "sasl.username": ""}, "`sasl.mechanism` PLAIN needs `sasl.username`"),
        (
            {**TLS, "ssl.certificate.location": "/me"},
            "`ssl.certificate.location` and `ssl.key.location` are set together",
        ),
        ({**TLS, "ssl.ca.location": "/ca", "ssl.ca.pem": "-"}, "are not set together"),
        (OIDC, "OAUTHBEARER needs `sasl.oauthbearer.client.secret`"),
        (
            {**OIDC, "sasl.oauthbearer.client.secret": "hush", "sasl.oauthbearer.extensions": "x"},
            "`sasl.oauthbearer.extensions` must be NAME=VALUE",
        ),
        # Beyond the monitor's client.
        (
            {**SASL, "sasl.mechanism": "GSSAPI"},
            "GSSAPI is refused: the monitor's client (aiokafka) cannot log in by Kerb",
        ),
        ({**SASL, "sasl.kerberos.keytab": "/k"}, "`sasl.kerberos.keytab` is refused: the monitor's client (aiokafka)"),
        ({**TLS, "ssl.keystore.location": "/k"}, "the monitor's client (aiokafka) cannot read PKCS#12"),
        ({**TLS, "ssl.key.pem": "-"}, "the monitor's client (aiokafka) cannot take a key as text"),
        ({**TLS, "ssl.crl.location": "/r"}, "the monitor's client (aiokafka) cannot read lists of revoked"),
        (
            {**OIDC, "sasl.oauthbearer.method": "default"},
            "`sasl.oauthbearer.method` must be `oidc`: the monitor's client",
        ),
        ({**OIDC, "sasl.oauthbearer.grant.type": "jwt-bearer"}, "must be `client_credentials`: the monitor's client"),
        ({**OIDC, "sasl.oauthbearer.config": "p=hush"}, "`sasl.oauthbearer.config` is refused: the monitor's client"),
        ({**TLS, "ssl.new.option": "x"}, "is not known here, and would not reach the monitor's client (aiokafka)"),
        # Of another client.
        ({**SASL, "sasl.jaas.config": "hush"}, "`sasl.jaas.config` is of Java's clients"),
        ({**TLS, "ssl.truststore.location": "/t"}, "`ssl.truststore.location` is of Java's clients"),
    ],
)
def test_what_would_not_hold_for_both_clients_is_refused_by_name(options: dict[str, str], said: str) -> None:
    message = refusal(options)
    assert said in message
    assert "hush" not in message


@given(st.dictionaries(st.sampled_from([*UNDERSTOOD, *(f"{each}x" for each in FAMILIES)]), st.text(max_size=12)))
def test_option_that_is_not_understood_is_never_taken(options: dict[str, str]) -> None:
    try:
        read_security(options)
    except KafkaSecurityError as error:
        assert any(f"`{name}`" in str(error) for name in UNDERSTOOD | options.keys())
    else:
        assert options.keys() <= UNDERSTOOD


def test_password_set_twice_and_differently_is_refused() -> None:
    assert refusal(SASL, "other") == "`sasl.password` is also set to something else by kafka.sasl_password"


def test_password_may_come_from_the_environment_alone(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(
        '[kafka.options]\n"security.protocol" = "SASL_SSL"\n"sasl.mechanism" = "PLAIN"\n"sasl.username" = "me"\n'
    )
    assert load_settings(file, {"REPMON_KAFKA__SASL_PASSWORD": "hush"}).kafka.sasl_password == "hush"
    with pytest.raises(SettingsError, match=r"^kafka.options: `sasl.mechanism` PLAIN needs `sasl.password`"):
        load_settings(file, {})


@pytest.mark.parametrize("password", ["SASL_PASSWORD", "SSL_KEY_PASSWORD", "OAUTH_CLIENT_SECRET"])
def test_password_without_what_it_is_for_is_refused(password: str) -> None:
    with pytest.raises(SettingsError, match=r"has no effect where `security\.protocol` is PLAINTEXT"):
        load_settings(environ={f"REPMON_KAFKA__{password}": "hush"})


def test_embedded_broker_is_told_apart() -> None:
    assert is_plain({"client.id": "me", "security.protocol": "PLAINTEXT"})
    assert not is_plain({"ssl.ca.location": "/ca"})
    assert not is_plain({}, "hush")
