"""TLS of Python: a context from files in PEM, with an error that names the file that is wrong, and a look at a server.

Clients say little, and one that is refused often sees no more than that the connection is gone.
"""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.errors import InvalidInputError

Part = Literal["ca", "certificate", "key", "pair", "ciphers"]

#: How long a look may take, and how soon a server says that it refuses our certificate.
LOOK_S, ALERT_S = 3.0, 0.5


class TlsFileError(InvalidInputError):
    """A file, or the list of ciphers, cannot be used: `part` says which, the message why."""

    def __init__(self, part: Part, why: str) -> None:
        super().__init__(why)
        self.part = part


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What is trusted and what is shown. `ca` is a file or a folder, `ca_pem` its text instead; with neither the
    system's authorities are trusted. Without `key` it is in the file of the certificate."""

    ca: str = ""
    ca_pem: str = ""
    certificate: str = ""
    key: str = ""
    key_password: str = ""
    ciphers: str = ""

    def context(self) -> ssl.SSLContext:
        """A context for clients that checks everything.

        Raises:
            TlsFileError: a file cannot be read or used.
        """
        part: Part = "ca"
        try:
            folder = Path(self.ca).is_dir()
            if self.ca and not folder:
                Path(self.ca).read_bytes()  # an error that names the file
            context = ssl.create_default_context(
                cafile=None if folder else self.ca or None,
                capath=self.ca if self.ca and folder else None,
                cadata=self.ca_pem or None,
            )
            if self.certificate:
                part = "certificate"
                Path(self.certificate).read_bytes()
                part = "key"
                Path(self.key or self.certificate).read_bytes()
                part = "pair"
                # Without a function OpenSSL would ask for the password at the terminal.
                context.load_cert_chain(self.certificate, self.key or None, lambda: self.key_password)
            if self.ciphers:
                part = "ciphers"
                context.set_ciphers(self.ciphers)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise TlsFileError(part, _why(error, part)) from error
        return context


def handshake_error(address: tuple[str, int], context: ssl.SSLContext, name: str = "") -> ssl.SSLError | None:
    """Why there is no TLS with a server, which is called `name` in its certificate; None if there is, or no server."""
    try:
        with (
            socket.create_connection(address, LOOK_S) as plain,
            context.wrap_socket(plain, server_hostname=name or address[0]) as secured,
        ):
            secured.settimeout(ALERT_S)
            secured.recv(1)  # a server that refuses our certificate says so only now
    except TimeoutError:
        return None  # it waits for what we have to say, so it trusts us
    except ssl.SSLError as error:
        return error
    except OSError:
        return None
    return None


def alert_of(error: ssl.SSLError) -> str:
    """What the server holds against us, as `certificate required`; empty where it did not say."""
    return (error.reason or "").replace("_", " ").lower().partition("alert ")[2]


def _why(error: OSError | ValueError, part: Part) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return f"{error.filename or ''}: {error.strerror}".removeprefix(": ")
    if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    if part == "pair":
        return "not PEM, or the key has a password that is missing or wrong"
    return "no such cipher" if part == "ciphers" else "no certificate in PEM"
