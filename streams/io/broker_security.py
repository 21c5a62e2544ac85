"""Encryption and login to Kafka, for both clients: options for librdkafka, a TLS context for Python's.

Neither client says well why a broker is not trusted: librdkafka has one text for a wrong authority, a certificate out
of date and one of another host. So where one fails, a handshake of our own says which it is.
"""

import re
import socket
import ssl
from typing import Any

from schemas.kafka_security import PLAIN, KafkaSecurity, KafkaSecurityError, is_security, read_security
from schemas.settings import Kafka, SettingsError
from streams.io.tls import LOOK_S, TlsFileError, TlsFiles, alert_of, handshake_error

_PORT = 9092
#: A request that each Kafka broker answers: ApiVersions, version 0, number 1, of a client without a name.
_VERSIONS = bytes.fromhex("0000000a 0012 0000 00000001 ffff")
#: The options by the parts of TLS.
_OPTIONS = {
    "ca": "ssl.ca.location",
    "certificate": "ssl.certificate.location",
    "key": "ssl.key.location",
    "pair": "ssl.certificate.location` with `ssl.key.location",
    "ciphers": "ssl.cipher.suites",
}
#: What brokers and clients put before the reason.
_LOGIN = re.compile(r"^(?:SASL authentication error: )?(?:Authentication failed: )?")


def security_of(kafka: Kafka) -> KafkaSecurity:
    """How the broker is spoken to.

    Raises:
        SettingsError: an option cannot be used.
    """
    try:
        return read_security(kafka.options, kafka.sasl_password, kafka.ssl_key_password, kafka.oauth_client_secret)
    except KafkaSecurityError as error:
        raise SettingsError(f"kafka.options: {error}") from error


def librdkafka_options(kafka: Kafka) -> dict[str, Any]:
    """All options of a client of librdkafka, but for its address.

    Raises:
        SettingsError: an option about encryption or login cannot be used, or names a file that cannot.
    """
    security = security_of(kafka)
    if security.encrypted:
        tls_context(security)  # which says better what is wrong with a file than librdkafka does
    others = {name: value for name, value in kafka.options.items() if not is_security(name)}
    return {**others, **_librdkafka(security)}


def _librdkafka(security: KafkaSecurity) -> dict[str, Any]:
    if security.protocol == PLAIN:
        return {}
    found: dict[str, Any] = {
        "security.protocol": security.protocol,
        "ssl.ca.location": security.ca,
        "ssl.ca.pem": security.ca_pem,
        "ssl.certificate.location": security.certificate,
        "ssl.key.location": security.key,
        "ssl.key.password": security.key_password,
        "ssl.cipher.suites": security.ciphers,
        "sasl.mechanism": security.mechanism,
        "sasl.username": security.username,
        "sasl.password": security.password,
    }
    if security.encrypted:
        found["enable.ssl.certificate.verification"] = security.verify
        found["ssl.endpoint.identification.algorithm"] = "https" if security.verify_name else "none"
    if (oauth := security.oauth) is not None:
        at = "sasl.oauthbearer"
        found |= {
            f"{at}.method": "oidc",
            f"{at}.token.endpoint.url": oauth.endpoint,
            f"{at}.client.id": oauth.client_id,
            f"{at}.client.secret": oauth.client_secret,
            f"{at}.scope": oauth.scope,
            f"{at}.extensions": ",".join(f"{name}={value}" for name, value in oauth.extensions.items()),
            "https.ca.location": oauth.ca,
        }
    return {name: value for name, value in found.items() if value != ""}


def tls_context(security: KafkaSecurity) -> ssl.SSLContext:
    """The same for Python's TLS.

    Raises:
        SettingsError: a file cannot be read or used; the option is named.
    """
    try:
        context = TlsFiles(
            ca=security.ca,
            ca_pem=security.ca_pem,
            certificate=security.certificate,
            key=security.key,
            key_password=security.key_password,
            ciphers=security.ciphers,
        ).context()
    except TlsFileError as error:
        option = "ssl.ca.pem" if error.part == "ca" and security.ca_pem else _OPTIONS[error.part]
        hint = " (kafka.ssl_key_password)" if error.part == "pair" else ""
        raise SettingsError(f"kafka.options: `{option}`: {error}{hint}") from error
    context.check_hostname = security.verify and security.verify_name
    context.verify_mode = ssl.CERT_REQUIRED if security.verify else ssl.CERT_NONE
    return context


def addresses(bootstrap: str) -> list[tuple[str, int]]:
    """Host and port of each broker that is asked first."""
    found = []
    for each in bootstrap.split(","):
        host, _, port = each.strip().rpartition(":")
        known = bool(host) and port.isdigit()
        found.append((host.strip("[]"), int(port)) if known else (each.strip().strip("[]"), _PORT))
    return found


def why_no_tls(security: KafkaSecurity, bootstrap: str) -> str:
    """What a look of our own says of the brokers' TLS: why it fails, or empty if it does not."""
    for address in addresses(bootstrap):
        if (error := handshake_error(address, tls_context(security))) is not None:
            return said_of_tls(error)
    return ""


def said_of_tls(error: ssl.SSLError) -> str:
    """Why a handshake failed, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        return f"the broker's certificate is not trusted: {why} (`ssl.ca.location` names who is trusted)"
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if alert := alert_of(error):
        return f"the broker refuses our certificate, or wants one (`ssl.certificate.location`): {alert}"
    if reason in (
        "wrong version number",
        "unexpected eof while reading",
        "packet length too long",
        "record layer failure",
    ):
        return "the broker does not speak TLS at this port, as `security.protocol` says"
    return f"TLS failed: {reason}"


def login_refused(security: KafkaSecurity, text: str) -> str:
    """That a login is refused, with what the broker says of it."""
    who = security.username if security.oauth is None else security.oauth.client_id
    return f"the login as {who} by {security.mechanism} is refused: {_LOGIN.sub('', text)}"


def not_spoken(security: KafkaSecurity) -> str:
    """What to look at where a broker ends connections without an answer."""
    return f"does it speak {security.protocol} at this port, as `security.protocol` in kafka.options says?"


def why_no_answer(security: KafkaSecurity, bootstrap: str) -> str:
    """What to look at where a broker takes connections and yet does not answer; empty if none takes any.

    One that is asked in another way than it speaks answers or ends the connection. One that is frozen does neither:
    the system takes connections for it.
    """
    heard = [said for address in addresses(bootstrap) if (said := _heard(address)) is not None]
    if not heard:
        return ""
    if any(heard):
        return not_spoken(security)
    return "it takes connections and says nothing: is it stopped, or overloaded?"


def _heard(address: tuple[str, int]) -> bool | None:
    """Whether what listens there answers or ends the connection when it is asked; None if nothing listens."""
    try:
        with socket.create_connection(address, LOOK_S) as connection:
            try:
                connection.sendall(_VERSIONS)
                connection.recv(1)
            except TimeoutError:
                return False
            except OSError:
                return True
            return True
    except OSError:
        return None
