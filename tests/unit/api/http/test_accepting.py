"""In which type an answer is given."""

from http import HTTPStatus

import pytest
from fastapi import APIRouter, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.http.accepting import JSON, kinds_of, wanted
from api.http.problems import ApiError

CSV, SVG = "text/csv", "image/svg+xml"


class Answer(BaseModel):
    """An answer."""


def route(**options: object) -> APIRoute:
    group = APIRouter()
    group.get("/", **options)(lambda: None)  # type: ignore[arg-type]
    (found,) = group.routes
    assert isinstance(found, APIRoute)
    return found


def test_a_route_has_json_and_what_it_says_besides() -> None:
    assert kinds_of(route(response_model=Answer)) == (JSON,)
    assert kinds_of(route(response_model=Answer, status_code=201)) == (JSON,)
    assert kinds_of(route(response_model=Answer, responses={200: {"content": {CSV: {}}}})) == (JSON, CSV)
    assert kinds_of(route(response_class=Response, responses={200: {"content": {SVG: {}}}})) == (SVG,)
    assert kinds_of(route(status_code=204)) == ()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("text/*", CSV),
        ("TEXT/CSV", CSV),
        ("text/csv;q=0.5, application/json", JSON),
        ("text/csv, application/json;q=0.9", CSV),
        ("application/json;q=0, */*", CSV),
        ("image/png, */*;q=0.1", JSON),
        ("application/json; charset=utf-8", JSON),
    ],
)
def test_the_type_that_is_preferred_is_given(accept: str | None, kind: str) -> None:
    assert wanted(accept, (JSON, CSV)) == kind


@pytest.mark.parametrize(
    "accept", ["image/png", "application/problem+json", "application/json;q=0", "*/*;q=0", "rubbish"]
)
def test_none_that_is_accepted_is_an_error_that_names_those_there_are(accept: str) -> None:
    with pytest.raises(ApiError, match="`Accept` takes none of application/json, text/csv") as caught:
        wanted(accept, (JSON, CSV))
    assert caught.value.status == HTTPStatus.NOT_ACCEPTABLE


def test_an_answer_without_a_body_has_any_type() -> None:
    assert wanted("image/png", ()) == ""
