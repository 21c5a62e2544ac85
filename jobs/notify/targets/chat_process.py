"""What tells a chat through Apprise, in a process of its own: `python -m jobs.notify.targets.chat_process`.

Apprise opens its connections by itself, follows redirects and looks names up when it likes; here no connection is made
to an address that is not public, unless the route allows it, and whoever started it ends it after a time.

Comes in on standard input, one JSON object: `url`, `title`, `body`, `allow_private`, `timeout_s`. Goes out on standard
output: `{"taken": true, "said": ""}`.
"""

import json
import logging
import os
import socket
import sys
from typing import Any

from jobs.notify.addresses import is_public

#: Characters of what Apprise logs that are given back.
MOST_SAID = 500


def guard_connections() -> list[str]:
    """From now on no socket is connected to an address that is not public; returns those that were refused."""
    refused: list[str] = []
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_public(_numeric(address[0])):
            refused.append(str(address[0]))
            raise OSError(f"{address[0]} is not a public address")
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign,assignment]
    return refused


def _numeric(host: str) -> str:
    try:
        return str(socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)[0][4][0])
    except OSError:
        return "0.0.0.0"  # noqa: S104 - a name would be looked up again: refused


def main() -> None:
    """Send what standard input says."""
    asked = json.load(sys.stdin)
    refused = [] if asked["allow_private"] else guard_connections()
    from apprise import Apprise

    said: list[str] = []
    lines = logging.Handler(logging.WARNING)
    lines.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("apprise").addHandler(lines)
    sender = Apprise()
    known = bool(sender.add(asked["url"]))
    # Without a format mail takes the text for HTML: what stands in angle brackets is gone, and so are line ends.
    taken = known and bool(sender.notify(title=asked["title"], body=asked["body"], body_format="text"))
    if refused:
        said = [f"{refused[0]} is not a public address; the route allows such with `allow_private = true`"]
    answer = {"taken": taken, "known": known, "refused": bool(refused), "said": " ".join(said)[:MOST_SAID]}
    os.write(1, json.dumps(answer).encode())


if __name__ == "__main__":
    main()
