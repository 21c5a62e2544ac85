"""A cursor is text that anybody can write: whatever stands in it, the answer is a page or a refusal."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api_client import Api
from tests.support.api_scene import scene
from tests.support.databases import Databases

pytestmark = pytest.mark.usefixtures("standing_clock")
LISTS = (
    "/v1/failures?customer=acme&kind=all", "/v1/complaints?customer=acme&unsubscribed=true", "/v1/alerts",
    "/v1/customers?parts=true", "/v1/audit?verdicts=true&reads=true", "/v1/keys",
)  # fmt: skip
NUMBERS = (-1, 2**53, 2**62, -(2**63), 2**63, 10**30)
TEXTS = ("", "\0", "' OR 1 = 1 --", "\N{PILE OF POO}" * 300)


@pytest.fixture(scope="module")
def api(databases: Databases) -> Iterator[Api]:
    with databases.opened(lasting=True) as store, scene(store.settings, store) as (interface, operator):
        interface.key = operator
        yield interface


def changed(cursor: str) -> Iterator[str]:
    """The cursor with each part of its key replaced."""
    asked, key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    for place, part in enumerate(key):
        others: tuple[Any, ...] = TEXTS if isinstance(part, str) else (*NUMBERS, 1e308, -1e308)
        for other in others:
            made = json.dumps([asked, [*key[:place], other, *key[place + 1 :]]])
            yield urlsafe_b64encode(made.encode()).decode().rstrip("=")


def test_cursor_that_somebody_wrote_is_no_fault_of_ours(api: Api) -> None:
    tried = 0
    for path in LISTS:
        address = f"{path}{'&' if '?' in path else '?'}limit=1"
        following = api.get(address).json().get("next")
        for cursor in changed(following) if following else ():
            answer = api.get(f"{address}&cursor={cursor}")
            assert answer.status_code in {200, 422}, (path, urlsafe_b64decode(cursor + "=="), answer.text)
            tried += 1
    assert tried > 40
