"""Which requests take part in which turns."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from fastapi import Request

from api.http.access import Service, turns_of


@pytest.mark.parametrize(
    ("operation", "query", "gathered"),
    [
        ("getRates", b"metric=failure", True),
        ("getRates", b"metric=failure&by=provider", False),
        ("getStanding", b"", False),
    ],
)
def test_rates_as_a_whole_are_gathered_and_all_else_has_a_connection_of_its_own(
    operation: str, query: bytes, gathered: bool
) -> None:
    service = Mock(spec=Service, turns=object(), gathered_turns=object())
    request = Request({"type": "http", "query_string": query, "route": SimpleNamespace(operation_id=operation)})
    assert turns_of(service, request) is (service.gathered_turns if gathered else service.turns)
