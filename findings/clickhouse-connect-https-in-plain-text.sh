#!/usr/bin/env bash
# Title: clickhouse-connect takes a DSN that begins with https:// and sends user and password in plain text
# Date: 2026-11-29
# Versions: clickhouse-connect 1.12.0
# One would guess: `get_client(dsn="https://reader:s3cret@store:9440/default")` speaks TLS, as the address says.
# What happens: host, port, user, password, database and options are taken from the DSN, its scheme is not. TLS is spoken
#   where `secure` or `interface="https"` is given besides, or where the port is 443 or 8443. At every other port the first
#   bytes on the wire are an HTTP request with the password (Basic, which is base64). Nothing is raised or logged; a server
#   that speaks TLS there answers nothing that is understood, but by then the password has passed.
# Why it matters: settings that say https and are not. Who puts a proxy with TLS on a port of its own sends the password of
#   the store in the clear at each start. Pass `interface` from the scheme of the address yourself.
# Source: "Driver API" of ClickHouse Connect: `dsn` is "a string in standard DSN format", from which "other connection
#   values (such as host or user) will be extracted" (https://clickhouse.com/docs/integrations/python); RFC 3986, section
#   3.1: the scheme says how an address is to be used
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check clickhouse-connect==1.12.0
"$folder/venv/bin/python" - <<'PYTHON'
import base64
import logging
import re
import socket
import sys
import threading
from importlib.metadata import version

import clickhouse_connect

logging.disable(logging.CRITICAL)
print("clickhouse-connect", version("clickhouse-connect"))


def first_bytes(**more):
    """What a server gets first from a client with an https address."""
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take():
            connection, _ = server.accept()
            taken.append(connection.recv(4096))
            connection.close()

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        dsn = f"https://reader:s3cret@127.0.0.1:{server.getsockname()[1]}/default"
        try:
            clickhouse_connect.get_client(dsn=dsn, connect_timeout=2, send_receive_timeout=2, **more)
        except clickhouse_connect.driver.exceptions.Error:
            pass  # nobody answers here
        thread.join(10)
    return taken[0]


plain, encrypted = first_bytes(), first_bytes(interface="https")
found = re.search(rb"Authorization: Basic (\S+)", plain)
print("https:// alone:", plain.split(b" ")[0].decode(), "with", base64.b64decode(found[1]).decode() if found else None)
print("with interface='https':", "a TLS handshake" if encrypted[:2] == b"\x16\x03" else encrypted[:40])
same = found is not None and base64.b64decode(found[1]) == b"reader:s3cret" and encrypted[:2] == b"\x16\x03"
sys.exit(0 if same else "this has changed")
PYTHON
