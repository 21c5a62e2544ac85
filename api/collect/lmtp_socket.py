"""The socket at which mail comes in by LMTP: of this host alone, since whoever reaches it is believed."""

import contextlib
import socket
import stat
from ipaddress import ip_address
from pathlib import Path

from api.http.listening import listen
from schemas.settings import SettingsError

#: Its owner and its group may write to a unix socket: put the mail server into the group.
SOCKET_MODE = 0o660
SETTING = "collect.lmtp"


def listen_lmtp(where: str) -> socket.socket:
    """A socket at `/a/path`, or at `127.0.0.1:8024`, `[::1]:8024` or `localhost:8024`.

    Raises:
        SettingsError: it is neither, is not of this host, or cannot be used.
    """
    if "/" in where:
        return _unix(Path(where.removeprefix("unix:")))
    host, colon, port = where.rpartition(":")
    host = host.strip("[]").replace("localhost", "127.0.0.1")
    if not colon or not (port.isascii() and port.isdecimal() and int(port[:6]) < 65_536):
        raise SettingsError(
            f"{SETTING}: {where!r} is neither the path of a unix socket nor an address like 127.0.0.1:8024"
        )
    if not _is_loopback(host):
        raise SettingsError(
            f"{SETTING}: {host} is not of this host alone; there is no login, so take 127.0.0.1 or a path"
        )
    return listen(host, int(port), SETTING)


def named(listening: socket.socket) -> str:
    """Where it listens, as mail servers write it."""
    if listening.family == socket.AF_UNIX:
        return f"unix:{listening.getsockname()}"
    host, port = listening.getsockname()[:2]
    return f"inet:[{host}]:{port}" if ":" in host else f"inet:{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _unix(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    try:
        _clear(path)
        made.bind(str(path))
        path.chmod(SOCKET_MODE)
        made.listen()
    except OSError as error:
        made.close()
        raise SettingsError(f"{SETTING}: {path} cannot be used: {error.strerror or error}") from error
    return made


def _clear(path: Path) -> None:
    """Take away what a process left that was killed."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError("there is a file that is no socket")
        with socket.socket(socket.AF_UNIX) as trying:
            try:
                trying.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
            else:
                raise OSError("another process listens there")
