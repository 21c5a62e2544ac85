"""Tokens by client id and secret, for the monitor's client."""

import asyncio
from collections.abc import Iterator

import msgspec
import pytest
from aiokafka.errors import KafkaError

from schemas.kafka_security import OAuthClient
from streams.io.oauth_tokens import TokenError, TokenProvider, fetch_token
from tests.support.token_endpoint import CLIENT, LIFE_S, SECRET, TokenEndpoint, token_endpoint


@pytest.fixture(scope="module")
def endpoint() -> Iterator[TokenEndpoint]:
    with token_endpoint() as server:
        yield server


@pytest.fixture
def client(endpoint: TokenEndpoint) -> OAuthClient:
    endpoint.asked.clear()
    return OAuthClient(endpoint=endpoint.url, client_id=CLIENT, client_secret=SECRET, scope="kafka")


def test_what_is_asked_and_answered(client: OAuthClient, endpoint: TokenEndpoint) -> None:
    assert fetch_token(client).expires_in == LIFE_S
    assert endpoint.asked == [{"grant_type": ["client_credentials"], "scope": ["kafka"]}]


def test_token_is_kept_for_four_fifths_of_its_life(client: OAuthClient, endpoint: TokenEndpoint) -> None:
    now = [1_000.0]

    async def run() -> None:
        provider = TokenProvider(client, clock=lambda: now[0])
        for passed, asked in ((0, 1), (0.79, 1), (0.81, 2), (1.5, 2), (1.62, 3)):
            now[0] = 1_000.0 + passed * LIFE_S
            assert await provider.token()
            assert len(endpoint.asked) == asked, passed

    asyncio.run(run())


def test_token_that_cannot_be_replaced_is_used_to_its_end(client: OAuthClient) -> None:
    now = [1_000.0]

    async def run() -> None:
        provider = TokenProvider(client, clock=lambda: now[0])
        first = await provider.token()
        provider._client = msgspec.structs.replace(client, client_secret="wrong")
        now[0] += 0.99 * LIFE_S
        assert await provider.token() == first
        now[0] += 0.02 * LIFE_S
        with pytest.raises(TokenError):
            await provider.token()

    asyncio.run(run())


def test_refusal_names_the_endpoint_without_a_secret_and_aiokafka_tries_again(client: OAuthClient) -> None:
    with pytest.raises(TokenError) as caught:
        fetch_token(msgspec.structs.replace(client, client_secret="wr0ng"))
    assert str(caught.value) == f"token endpoint {client.endpoint}: 401 Unauthorized"
    assert isinstance(caught.value, KafkaError)


def test_endpoint_out_of_reach_is_said(client: OAuthClient) -> None:
    with pytest.raises(TokenError, match=r"^token endpoint http://\*\*\*@127\.0\.0\.1:1/x: cannot be reached$"):
        fetch_token(msgspec.structs.replace(client, endpoint="http://me:hush@127.0.0.1:1/x"))
