"""Every page of the console over a fleet with something of everything: it loads what it may, anybody can use it, and no
name breaks it."""

from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser

from api.console.navigation import NAVIGATION
from streams.io.store import open_store
from tests.support.api_scene import OPERATORS_KEY, scene
from tests.support.browser import Viewer
from tests.support.databases import Databases
from tests.support.serving import serving

#: Health needs all stages: test_demo looks at it.
PAGES = [each.path for each in NAVIGATION if each.path != "/console/health"]


@pytest.fixture(scope="module")
def base(chdb_path: object, databases: Databases) -> Iterator[str]:
    """Where the interface answers, over a fleet with something of everything; one for the module."""
    settings = databases.empty(lasting=True)
    store = open_store(settings)
    with scene(settings, store) as (interface, _):
        config = uvicorn.Config(interface.client.app, port=0, log_level="warning", lifespan="off")
        with serving(config) as (host, port):
            yield f"http://{host}:{port}"
    store.close()


@pytest.fixture(scope="module")
def operator(base: str, browser: Browser) -> Iterator[Viewer]:
    """An operator who is signed in, in one window for the module."""
    with Viewer(browser, base) as viewer:
        viewer.page.goto("/console/")
        viewer.page.get_by_label("Key").fill(OPERATORS_KEY)
        viewer.page.get_by_role("button", name="Sign in").click()
        viewer.page.wait_for_url("**/console/")
        viewer.wrong.clear()  # that nobody was signed in is an answer of 401
        yield viewer


@pytest.mark.parametrize("path", PAGES)
def test_page_can_be_used_by_anybody_on_any_screen(operator: Viewer, path: str) -> None:
    operator.page.goto(path)
    for width, scheme in ((1440, "light"), (390, "dark")):
        operator.looks(width, scheme)
        assert operator.hurdles() == []
        assert operator.overflow() <= 0, f"the page is wider than {width} pixels"
    operator.looks(1920, "light")
    assert operator.overflow() <= 0
    assert operator.wrong == []


def test_sign_in_can_be_used_by_anybody(base: str, browser: Browser) -> None:
    with Viewer(browser, base, 390, "dark") as stranger:
        stranger.page.goto("/console/")
        assert stranger.hurdles() == []
        stranger.looks(1440, "light")
        assert stranger.hurdles() == []
        assert stranger.overflow() <= 0
