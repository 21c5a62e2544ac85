"""A mail server that says what it is told to, at each step of a mail."""

import socket
import threading

#: What a server says: by the command that it is asked, or the part of a mail that ended (`.`). Where it says `None` it
#: hangs up.
Says = dict[str, bytes | None]
TAKES: Says = {
    "": b"220 mx.esp.example ESMTP\r\n", "EHLO": b"250 mx.esp.example\r\n", "MAIL": b"250 OK\r\n",
    "RCPT": b"250 OK\r\n", "DATA": b"354 go on\r\n", ".": b"250 taken\r\n", "RSET": b"250 OK\r\n",
    "QUIT": b"221 bye\r\n",
}  # fmt: skip


class Server:
    """Takes mail as the table says, with what it says otherwise; keeps to whom it took a mail."""

    def __init__(self, **says: bytes | None) -> None:
        self._says: Says = {
            **TAKES,
            **{name.replace("dot", ".").replace("hello", ""): what for name, what in says.items()},
        }
        self.taken: list[str] = []

    def answer(self, asked: str, line: bytes) -> bytes | None:
        return self._says.get(asked, b"502 no\r\n")

    def __call__(self, connection: socket.socket, _over: threading.Event) -> None:
        lines, recipient = connection.makefile("rb"), ""
        asked, line = "", b""
        while (said := self.answer(asked, line)) is not None:
            connection.sendall(said)
            if asked == "QUIT" or not (line := lines.readline()):
                return
            asked = line[:4].decode().strip().upper()
            if asked == "RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
            elif asked == "DATA" and (go_on := self.answer(asked, line)) is not None and go_on.startswith(b"354"):
                connection.sendall(go_on)
                while (line := lines.readline()) not in (b".\r\n", b""):
                    pass
                asked = "."
                if (end := self.answer(".", recipient.encode())) is not None and end.startswith(b"250"):
                    self.taken.append(recipient)
                line = recipient.encode()
