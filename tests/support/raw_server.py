"""A server that says what it is told to, byte by byte if need be, whatever it is asked."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

#: Gets a connection, and an event that is set when the server is to end.
Speak = Callable[[socket.socket, threading.Event], None]
#: What comes before the next byte of one who is never silent and never ready, in s.
PAUSE_S = 0.02


@contextmanager
def raw_server(speak: Speak, host: str = "127.0.0.1") -> Iterator[int]:
    """Gives the port."""
    over = threading.Event()
    with socket.create_server((host, 0)) as listening:

        def one(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                speak(connection, over)

        def accept() -> None:
            with suppress(OSError):
                while not over.is_set():
                    connection, _ = listening.accept()
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def says(text: bytes) -> Speak:
    """Reads something, says this, and is silent then."""

    def speak(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(text)
        over.wait()

    return speak


def ends_after(text: bytes) -> Speak:
    """Reads something, says this, and hangs up."""

    def speak(connection: socket.socket, _over: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):  # what is left unread would have the answer thrown away
            pass

    return speak


def goes_on(begin: bytes, piece: bytes) -> Speak:
    """Says `begin`, then `piece` as fast as it is taken, without end."""

    def speak(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(begin)
        while not over.is_set():
            connection.sendall(piece)

    return speak


def drips(begin: bytes, again: bytes, *, first: bool = False) -> Speak:
    """Says `begin`, then `again` again and again; with `first` without having been asked."""

    def speak(connection: socket.socket, over: threading.Event) -> None:
        if not first:
            connection.recv(65_536)
        connection.sendall(begin)
        while not over.wait(PAUSE_S):
            connection.sendall(again)

    return speak
