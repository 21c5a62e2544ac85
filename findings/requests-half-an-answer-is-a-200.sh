#!/usr/bin/env bash
# Title: requests takes an answer that was cut off within its header fields for a whole one, with status 200
# Date: 2026-11-30
# Versions: requests 2.34.2, urllib3 2.7.0, httpx 0.28.1, Python 3.11
# One would guess: where a server hangs up before the empty line that ends the header fields, there is no answer, and
#   requests raises a ConnectionError, as it does where it hangs up before the status or within a counted body.
# What happens: `http.client` takes the end of the connection for the end of the fields, and without a Content-Length
#   the body lasts until the connection ends too. So `post()` returns 200 with an empty body, `ok` is true and
#   `raise_for_status()` is content. A field that was cut in two is there with half of its value. httpx raises a
#   RemoteProtocolError.
# Why it matters: a webhook or an alert counts as delivered though its receiver died while it answered: nobody tries
#   again. Of a page of an interface the empty body is an empty list, and `Retry-After: 120` cut after the 1 is a second.
# Source: RFC 9112, section 8: "If a response terminates in the middle of the header section (before the empty line is
#   received) ... then the client cannot assume that meaning has been conveyed"; http.client.parse_headers
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.34.2 urllib3==2.7.0 httpx==0.28.1
"$folder/venv/bin/python" - <<'PYTHON'
import socket
import sys
import threading
from importlib.metadata import version

import httpx
import requests

print(*(f"{name} {version(name)}" for name in ("requests", "urllib3", "httpx")), "Python", sys.version.split()[0])
ANSWERS = {
    "whole": b"HTTP/1.1 200 OK\r\nRetry-After: 120\r\nContent-Length: 2\r\n\r\nok",
    "cut within a field": b"HTTP/1.1 200 OK\r\nRetry-After: 1",
    "cut after the status": b"HTTP/1.1 200 OK\r\n",
    "cut within the status": b"HTTP/1.1 2",
    "cut within a counted body": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no",
}


def asked(text: bytes, post) -> str:
    """What a client says of an answer, after which the server hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            found = post(f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout=5)
            said = f"{found.status_code}, Retry-After {found.headers.get('Retry-After')}, {found.content!r}"
        except Exception as error:
            said = type(error).__name__
        thread.join()
    return said


found = {}
for name, text in ANSWERS.items():
    found[name] = asked(text, requests.post), asked(text, httpx.post)
    print(f"{name:26} requests: {found[name][0]:36} httpx: {found[name][1]}")
expected = {
    "whole": ("200, Retry-After 120, b'ok'",) * 2,
    "cut within a field": ("200, Retry-After 1, b''", "RemoteProtocolError"),
    "cut after the status": ("200, Retry-After None, b''", "RemoteProtocolError"),
    "cut within the status": ("ConnectionError", "RemoteProtocolError"),
    "cut within a counted body": ("ChunkedEncodingError", "RemoteProtocolError"),
}
sys.exit("this has changed" if found != expected else 0)
PYTHON
