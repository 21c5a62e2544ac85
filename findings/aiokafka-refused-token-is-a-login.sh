#!/usr/bin/env bash
# Title: aiokafka takes a refused OAUTHBEARER token for a login
# Date: 2026-11-29
# Versions: aiokafka 0.14.0
# One would guess: a token that the broker does not take (expired, of another audience) ends the login with
#   `AuthenticationFailedError`, as a wrong password does with PLAIN and SCRAM.
# What happens: a broker refuses with a challenge, a JSON object such as {"status":"invalid_token"}, under error code 0, and
#   closes after the client's next message. aiokafka logs "Authenticated via OAUTHBEARER" and sends its next request. Apache
#   Kafka 4.1 answers that as part of the login, and aiokafka reads the bytes as what it asked for: metadata without a
#   broker. AIOKafkaConsumer.start() then never returns and logs "Unable to update metadata from []" again and again;
#   nothing names the token.
# Why it matters: who reads with a token of another audience looks for a fault of the network. Ask for metadata once after
#   a login, and take an answer without brokers for a refusal.
# Source: RFC 7628, section 3.2.2 (on an error the server sends JSON, the client answers with %x01, and the exchange has
#   failed) and KIP-255, which Kafka implements it by
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aiokafka==0.14.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import logging
import struct
import sys
from importlib.metadata import version

from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

print("aiokafka", version("aiokafka"))
HANDSHAKE, VERSIONS, AUTHENTICATE = 17, 18, 36
REFUSAL = b'{"status":"invalid_token"}'


over = asyncio.Event()


class Token(AbstractTokenProvider):
    async def token(self):
        return "expired"


def text(value):
    return struct.pack(">h", len(value)) + value


async def broker(reader, writer):
    """A broker that refuses every token, byte for byte as Apache Kafka 4.1 does."""
    try:
        while True:
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            request = await reader.readexactly(size)
            key, _, number = struct.unpack(">hhi", request[:8])
            if key == VERSIONS:
                known = ((HANDSHAKE, 0, 1), (VERSIONS, 0, 0), (AUTHENTICATE, 0, 1))
                body = struct.pack(">hi", 0, len(known)) + b"".join(struct.pack(">hhh", *each) for each in known)
            elif key == HANDSHAKE:
                body = struct.pack(">hi", 0, 1) + text(b"OAUTHBEARER")
            else:
                body = struct.pack(">h", 0) + text(b"") + struct.pack(">i", len(REFUSAL)) + REFUSAL + struct.pack(">q", 0)
            writer.write(struct.pack(">ii", len(body) + 4, number) + body)
    except asyncio.IncompleteReadError:
        writer.close()
        over.set()


async def login():
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("aiokafka").addHandler(handler)
    logging.getLogger("aiokafka").setLevel(logging.INFO)
    server = await asyncio.start_server(broker, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        connection = await create_conn(
            "127.0.0.1",
            port,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="OAUTHBEARER",
            sasl_oauth_token_provider=Token(),
        )
    except KafkaError as error:
        return f"refused: {error!r}", said
    await connection.close()
    server.close()
    await over.wait()
    return "logged in", said


became, said = asyncio.run(login())
print("the broker said:", REFUSAL.decode())
print("aiokafka:", became, said)
sys.exit(0 if became == "logged in" and "Authenticated via OAUTHBEARER" in said else f"this has changed: {became}")
PYTHON
