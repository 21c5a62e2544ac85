"""One browser for all of these tests."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import chromium, program


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium. Skips the test where this machine has none; fails it where `CI` is set."""
    if program() is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with chromium() as started:
        yield started
