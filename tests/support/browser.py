"""A real browser: Debian's Chromium without a window, driven by Playwright, and what axe-core says of a page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright

#: Where those who look are: no whole hours from UTC.
ZONE = "Asia/Kolkata"
#: How long a page may take to show what is waited for, in ms: a deadline, not a measure.
PATIENCE_MS = 60_000
#: WCAG 2.2, levels A and AA, as axe-core tags its rules.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}


def program() -> str | None:
    """Where the browser is; None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for the block. Needs `program`."""
    with sync_playwright() as playwright:
        # Who tests as root has no sandbox.
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        yield browser
        browser.close()


class Viewer:
    """Somebody with a window of their own. `wrong` collects what went wrong in it: errors of scripts, what the policy
    of the page forbade it to load, answers of 400 and above."""

    def __init__(self, browser: Browser, base: str, width: int = 1440, scheme: Any = "light") -> None:
        self.context = browser.new_context(
            base_url=base,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            reduced_motion="reduce",  # a row that flashes while the theme changes has neither theme's colours
            timezone_id=ZONE,
            locale="en-GB",
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("console", self._said)
        self.page.on("response", self._answered)

    def __enter__(self) -> "Viewer":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def looks(self, width: int, scheme: Any) -> None:
        """The same page in a window of another width, light or dark."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)

    def hurdles(self) -> list[str]:
        """What axe-core finds that keeps somebody from using the page: rule, and where."""
        found = Axe().run(self.page, options=RULES).response["violations"]
        return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return wide

    def cut_off(self) -> list[str]:
        """The tables that are lists of cards in a narrow window, or lists of parts, and are wider than their place."""
        found: list[str] = self.page.evaluate(
            "[...document.querySelectorAll('.scroll:has(.cards), .part .scroll')]"
            ".filter(each => each.scrollWidth > each.clientWidth).map(each => each.innerText.slice(0, 80))"
        )
        return found

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.wrong.append(f"{response.status}: {response.url}")
