"""Encryption of ClickHouse's HTTP interface: what clickhouse-connect is given, and what its errors about it mean."""

import re
import ssl
from typing import Any
from urllib.parse import urlsplit

from schemas.settings import ClickHouse, SettingsError
from streams.io.tls import TlsFileError, TlsFiles, alert_of, handshake_error

#: The settings by the parts of TLS.
_SETTINGS = {
    "ca": "clickhouse.ca_file",
    "certificate": "clickhouse.certificate_file",
    "key": "clickhouse.key_file",
    "pair": "clickhouse.certificate_file with clickhouse.key_file",
}
_NOT_TRUSTED = re.compile(r"certificate verify failed: (.*?)\.? \(_ssl|(hostname '[^']*' doesn't match .*?)\"\)")
_ALERT = re.compile(r"(?:ssl/tls|tlsv1\S*|sslv3) alert ([a-z ]+)", re.IGNORECASE)
_NO_TLS = re.compile("wrong.version.number|record.layer.failure|packet.length.too.long", re.IGNORECASE)
_GONE = re.compile("EOF occurred|Connection aborted|reset by peer|Broken pipe", re.IGNORECASE)
#: That of ClickHouse's HTTP interface with TLS.
PORT = 8443


def tls_options(settings: ClickHouse) -> dict[str, Any]:
    """What clickhouse-connect is given about TLS.

    With a certificate and no password the certificate is the login; with a password both are shown.

    Raises:
        SettingsError: a file cannot be read or used; the setting is named.
    """
    if not settings.url.lower().startswith("https://"):
        return {"interface": "http"}
    _context(settings)
    # clickhouse-connect 1.12 does not look at the scheme of an address: it would speak plain text at most ports.
    found: dict[str, Any] = {"interface": "https", "verify": settings.verify}
    if settings.ca_file:
        found["ca_cert"] = settings.ca_file
    if settings.server_name:
        found["server_host_name"] = settings.server_name
    if settings.certificate_file:
        found["client_cert"] = settings.certificate_file
        found["client_cert_key"] = settings.key_file or settings.certificate_file
        found["tls_mode"] = "strict" if settings.password else "mutual"
    return found


def _context(settings: ClickHouse) -> ssl.SSLContext:
    files = TlsFiles(ca=settings.ca_file, certificate=settings.certificate_file, key=settings.key_file)
    try:
        context = files.context()
    except TlsFileError as error:
        raise SettingsError(f"{_SETTINGS[error.part]}: {error}") from error
    if not settings.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def why_gone(settings: ClickHouse, said: str) -> str:
    """Why the server closed the connection, if it did for our certificate: the client does not hear of that where it
    was about to say something itself. Empty otherwise."""
    parts = urlsplit(settings.url)
    if parts.scheme.lower() != "https" or not _GONE.search(said):
        return ""
    error = handshake_error((parts.hostname or "", parts.port or PORT), _context(settings), settings.server_name)
    return "" if error is None or not alert_of(error) else _refused(alert_of(error))


def _refused(why: str) -> str:
    return f"the server refuses our certificate, or wants one (clickhouse.certificate_file): {why}"


def said_of_tls(said: str) -> str:
    """What an error of the client says about TLS, in a sentence; empty where it is about something else."""
    if found := _NOT_TRUSTED.search(said):
        return (
            f"the server's certificate is not trusted: {found[1] or found[2]} (clickhouse.ca_file names who is trusted)"
        )
    if found := _ALERT.search(said.replace("_", " ")):
        return _refused(found[1].strip().lower())
    if "SSL" in said and _NO_TLS.search(said):
        return "the server does not speak TLS at this port, as https in clickhouse.url says"
    return ""
