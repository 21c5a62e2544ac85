"""Every example of the reference is what the interface really answers to the request next to it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from api.http import examples
from schemas.settings import ClickHouse
from streams.io.store import Store
from tests.support.api_client import Api
from tests.support.api_scene import answers, scene

pytestmark = pytest.mark.usefixtures("standing_clock")


@pytest.fixture
def found(store_settings: ClickHouse, store: Store) -> Iterator[tuple[Api, str]]:
    """The store that the examples show, and an operator's key."""
    with scene(store_settings, store) as interface:
        yield interface


def test_every_route_has_an_example_and_each_is_what_is_answered(found: tuple[Api, str]) -> None:
    """`make examples` writes them anew."""
    api, operator = found
    document = api.client.get("/openapi.json").json()
    known = examples.read()
    routes = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert routes == known.keys()
    for each in answers(api, operator):
        assert each == known[each.method, each.path]
    for (method, path), example in known.items():
        assert document["paths"][path][method]["x-codeSamples"][0]["source"] == example.curl


def test_every_refusal_is_documented_by_what_is_answered(found: tuple[Api, str]) -> None:
    api, _ = found
    document = api.client.get("/openapi.json").json()
    answered = {
        "401": api.client.get("/v1/standing"),
        "403": api.get("/v1/standing?customer=rival"),
        "422": api.get("/v1/rates?metric=spam"),
    }
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, answer in answered.items() if path.startswith("/v1") else ():
                content = operation["responses"][status]["content"]["application/problem+json"]
                assert content["example"] == answer.json(), path
            assert "503" in operation["responses"]


def test_every_property_and_parameter_is_described(found: tuple[Api, str]) -> None:
    """A document of which a client can be made needs names for its functions, too."""
    document = found[0].client.get("/openapi.json").json()
    bare = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, each in schema.get("properties", {}).items()
        if "description" not in each
    ]
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    bare += [each["name"] for one in operations for each in one.get("parameters", []) if "description" not in each]
    assert bare == []
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name) for name in names), names
    assert all(each.get("tags") for each in operations)


def test_reference_page_tells_everything_and_loads_nothing(found: tuple[Api, str]) -> None:
    api, _ = found
    document = api.client.get("/openapi.json").json()
    answer = api.client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = answer.text
    assert not re.findall(r"<(?:script|link|img|iframe)|@import|url\(|https?://(?!check\.)", _without_examples(page))
    for path, operations in document["paths"].items():
        assert f"</b> {path}</code>" in page
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                assert f"<code>{parameter['name']}</code>" in page
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets
    assert targets <= set(re.findall(r'id="([^"]+)"', page)), "every link leads somewhere"


def _without_examples(page: str) -> Any:
    return re.sub(r'<pre class="answer">.*?</pre>', "", page, flags=re.DOTALL)
