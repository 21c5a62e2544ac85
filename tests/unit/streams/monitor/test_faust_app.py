"""What of the client's own words is passed on."""

import logging

import pytest

from streams.monitor.faust_app import is_news


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ("Unclosed AIOKafkaConnection\nconn: <AIOKafkaConnection host=127.0.0.1 port=9092>", False),
        ("Task exception was never retrieved", True),
    ],
)
def test_connections_that_close_themselves_at_the_end_are_no_news(said: str, passes: bool) -> None:
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, said, None, None)
    assert is_news(record) == passes
