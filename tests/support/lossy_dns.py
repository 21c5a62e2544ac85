"""A relay before a DNS server that loses questions, answers them late or with SERVFAIL, as asked."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Fate = Literal["pass", "lose", "servfail", "late"]
#: What becomes of a question, by its name's letters as they are on the wire and how often it was asked before.
Choose = Callable[[bytes, int], Fate]

SERVFAIL = 2
LATE_S = 1.0


@contextmanager
def relay(server_port: int, choose: Choose) -> Iterator[int]:
    """Relay to the server on 127.0.0.1; gives the relay's port."""
    outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outside.bind(("127.0.0.1", 0))
    asked: dict[bytes, int] = {}
    over = threading.Event()
    waiting: list[threading.Timer] = []

    def work() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside:
            inside.settimeout(5)
            while True:
                question, client = outside.recvfrom(4096)
                if over.is_set():
                    return
                # The rest may change when a question is sent again: cookies (RFC 7873) follow the server's answers.
                name = question[12 : question.index(b"\0", 12)]
                fate = choose(name, asked.get(name, 0))
                asked[name] = asked.get(name, 0) + 1
                if fate == "servfail":
                    outside.sendto(question[:2] + bytes([0x81, 0x80 | SERVFAIL]) + question[4:], client)
                elif fate != "lose":
                    inside.sendto(question, ("127.0.0.1", server_port))
                    answer = inside.recv(4096)
                    if fate == "late":
                        late = threading.Timer(LATE_S, outside.sendto, (answer, client))
                        late.start()
                        waiting.append(late)
                    else:
                        outside.sendto(answer, client)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield outside.getsockname()[1]
    finally:
        over.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake:
            wake.sendto(b"", outside.getsockname())
        thread.join(10)
        for late in waiting:
            late.join()
        outside.close()
