"""One browser for the tests of a module."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import chromium, program


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; no longer than a module, since an event loop runs as long as it does, beside which no test of another
    module could run one of its own. Skips the test where this machine has none; fails it where `CI` is set."""
    if program() is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with chromium() as started:
        yield started
