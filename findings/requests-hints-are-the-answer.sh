#!/usr/bin/env bash
# Title: requests takes early hints (103) for the answer, and calls a request that was refused behind them ok
# Date: 2026-11-30
# Versions: requests 2.34.2, urllib3 2.7.0, httpx 0.28.1, Python 3.11
# One would guess: interim answers are passed over until the final one comes. So it is with 100, and an edge or a
#   framework may send 102 or 103 before any answer.
# What happens: `http.client` passes over 100 alone. Of another interim answer requests makes the answer: status 103,
#   an empty body, the hints' header fields. `ok` is true and `raise_for_status()` is content, since both ask for 400
#   and above only, whatever the server says a moment later: a 401 or a 500 is never read. urllib.request raises an
#   HTTPError 103 instead, also of what was taken. httpx gives the final answer.
# Why it matters: a webhook that the receiver refuses counts as delivered, or one that it took counts as failed and is
#   sent again, from the day on which somebody turns on hints in what stands before the receiver.
# Source: RFC 9110, section 15.2: "A client MUST be able to parse one or more 1xx responses received prior to a final
#   response"; RFC 8297; http.client.HTTPResponse.begin
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.34.2 urllib3==2.7.0 httpx==0.28.1
"$folder/venv/bin/python" - <<'PYTHON'
import socket
import sys
import threading
import urllib.error
import urllib.request
from importlib.metadata import version

import httpx
import requests

print(*(f"{name} {version(name)}" for name in ("requests", "urllib3", "httpx")), "Python", sys.version.split()[0])
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
ANSWERS = {
    "100, then 401": b"HTTP/1.1 100 Continue\r\n\r\n" + REFUSED,
    "103, then 401": HINTS + REFUSED,
    "103, then 200": HINTS + TAKEN,
    "102, then 200": b"HTTP/1.1 102 Processing\r\n\r\n" + TAKEN,
}


def by_requests(url: str) -> str:
    found = requests.post(url, data=b"x", timeout=5)
    return f"{found.status_code} {'ok' if found.ok else 'refused'}"


def by_urllib(url: str) -> str:
    try:
        with urllib.request.urlopen(url, data=b"x", timeout=5) as found:
            return f"{found.status} ok"
    except urllib.error.HTTPError as error:
        return f"{error.code} refused"


def by_httpx(url: str) -> str:
    found = httpx.post(url, content=b"x", timeout=5)
    return f"{found.status_code} {'ok' if found.is_success else 'refused'}"


def asked(text: bytes, post) -> str:
    """What a client says of an answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        said = post(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join()
    return said


found = {}
for name, text in ANSWERS.items():
    found[name] = asked(text, by_requests), asked(text, by_urllib), asked(text, by_httpx)
    print(f"{name:14} requests: {found[name][0]:12} urllib.request: {found[name][1]:12} httpx: {found[name][2]}")
expected = {
    "100, then 401": ("401 refused", "401 refused", "401 refused"),
    "103, then 401": ("103 ok", "103 refused", "401 refused"),
    "103, then 200": ("103 ok", "103 refused", "200 ok"),
    "102, then 200": ("102 ok", "102 refused", "200 ok"),
}
sys.exit("this has changed" if found != expected else 0)
PYTHON
