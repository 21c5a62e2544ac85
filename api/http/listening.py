"""A socket that a server of ours listens on."""

import socket

from schemas.settings import SettingsError


def listen(host: str, port: int, section: str) -> socket.socket:
    """A socket at the address that a section of the settings gives. Made here and not by uvicorn, whose error is a log
    line of its own.

    Raises:
        SettingsError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).split(" (while ", 1)[0]
        raise SettingsError(f"{section}.host, {section}.port: {host}:{port} cannot be used: {reason}") from error
