"""Groups of routes are answered as they are."""

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from api.http.routing import add_routes


def test_routes_of_a_group_are_worked_out_once_for_all_applications() -> None:
    """Each application worked out all of them anew, within its first request."""
    group, asked = APIRouter(prefix="/v1"), []

    @group.get("/standing")
    def standing(window: int) -> dict[str, int]:
        asked.append(window)
        return {"window": window}

    for window in (1, 2):
        app = FastAPI()
        add_routes(app, [group])
        assert [each for each in app.routes if each in group.routes] == group.routes
        with TestClient(app) as client:
            assert client.get("/v1/standing", params={"window": window}).json() == {"window": window}
            assert client.get("/v1/standing", params={"window": "x"}).status_code == 422
            assert "/v1/standing" in client.get("/openapi.json").json()["paths"]
    assert asked == [1, 2]
