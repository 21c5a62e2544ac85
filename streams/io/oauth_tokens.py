"""Tokens for brokers with OAUTHBEARER, for the monitor's client. librdkafka fetches its own (`oidc`) likewise."""

import asyncio
import ssl
import time
from base64 import b64encode
from collections.abc import Callable

import msgspec
import requests
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaError

from schemas.errors import ExternalError
from schemas.kafka_security import OAuthClient
from schemas.secrets import without_user
from streams.io.watched_session import session
from streams.io.whole_answer import OversizedAnswerError, whole_answer

TIMEOUT_S = 10.0
MOST_BYTES = 1_000_000
#: A token is replaced when this part of its life is over, as librdkafka does; where that fails it is used to its end.
PART_OF_LIFE = 0.8


class TokenError(ExternalError, KafkaError):  # type: ignore[misc]
    """No token was given; the message says by whom and why.

    For aiokafka it is an error of a connection, so that it tries again; of any other its reader would end.
    """

    __str__ = RuntimeError.__str__


class _Token(msgspec.Struct, frozen=True):
    """The answer (RFC 6749, section 5.1). `expires_in` is in s."""

    access_token: str
    expires_in: float = 60.0


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Fetches a token with client id and secret (RFC 6749, section 4.4.2), and keeps it while it is good."""

    def __init__(self, client: OAuthClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._token = ""
        self._renewed_at = self._ends = 0.0
        self._fetching = asyncio.Lock()

    async def token(self) -> str:
        """A token that is good now.

        Raises:
            TokenError: none was given.
        """
        async with self._fetching:
            now = self._clock()
            if now >= self._renewed_at:
                try:
                    found = await asyncio.to_thread(fetch_token, self._client)
                except TokenError:
                    if now >= self._ends:
                        raise
                else:
                    self._token = found.access_token
                    self._renewed_at, self._ends = now + PART_OF_LIFE * found.expires_in, now + found.expires_in
            return self._token

    def extensions(self) -> dict[str, str]:
        """What goes along with it."""
        return self._client.extensions


def fetch_token(client: OAuthClient) -> _Token:
    """A new token.

    Raises:
        TokenError: none was given.
    """
    form = {"grant_type": "client_credentials"}
    if client.scope:
        form["scope"] = client.scope
    where = f"token endpoint {without_user(client.endpoint)}"
    pair = f"{client.client_id}:{client.client_secret}"
    try:
        with session() as asking:
            answer = whole_answer(
                asking,
                "POST",
                client.endpoint,
                timeout_s=TIMEOUT_S,
                most_bytes=MOST_BYTES,
                data=form,
                headers={"Authorization": f"Basic {b64encode(pair.encode()).decode()}"},
                # The authorities of the system, as librdkafka's; requests would bring its own.
                verify=client.ca or ssl.get_default_verify_paths().cafile or True,
            )
    except (requests.RequestException, OSError, OversizedAnswerError) as error:
        raise TokenError(f"{where}: {_cause(error)}") from error
    if answer.status != requests.codes.ok:
        raise TokenError(f"{where}: {answer.status} {answer.reason}")
    try:
        return msgspec.json.decode(answer.body, type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TokenError(f"{where}: no token in its answer") from error


def _cause(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted (`https.ca.location` names who is)"
    if isinstance(error, OversizedAnswerError):
        return str(error)
    return "no whole answer in time" if isinstance(error, requests.Timeout | TimeoutError) else "cannot be reached"
