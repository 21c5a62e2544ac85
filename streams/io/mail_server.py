"""A session with a mail server (RFC 5321), encrypted and logged in as settings say."""

import smtplib
import ssl
from typing import Literal

from streams.io.whole_time import within

#: What a server that takes mail begins with (RFC 5321 section 4.2.3).
GREETING = 220


def open_session(
    host: str,
    port: int,
    address: str,
    tls: Literal["none", "starttls", "tls"],
    context: ssl.SSLContext,
    login: tuple[str, str],
    timeout_s: float,
) -> smtplib.SMTP:
    """Connect to `address`; the certificate must be for `host`. `login` is user and password; without a user there is
    none. Nothing is left open where it fails.

    Raises:
        TimeoutError: it took longer than `timeout_s` (s), however many bytes came.
        SMTPException: the server refuses it, or cannot do what is asked.
        OSError: it cannot be reached, or TLS fails.
    """
    client = smtplib.SMTP_SSL(timeout=timeout_s, context=context) if tls == "tls" else smtplib.SMTP(timeout=timeout_s)
    # smtplib takes the name that the certificate must have from here (`starttls`, `SMTP_SSL._get_socket` in Python 3.11
    # to 3.14).
    client._host = host  # type: ignore[attr-defined]
    user, password = login
    try:
        with within(timeout_s) as whole:
            whole.watch(client)
            _connect(client, address, port)
            if tls == "starttls":
                client.starttls(context=context)
            if user:
                client.login(user, password)
    except BaseException:
        client.close()
        raise
    return client


def _connect(client: smtplib.SMTP, address: str, port: int) -> None:
    """smtplib looks at the greeting only where it connects within `SMTP()`."""
    code, greeting = client.connect(address, port)
    if code != GREETING:
        raise smtplib.SMTPConnectError(code, greeting)
