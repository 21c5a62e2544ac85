"""`make screenshots`: each page of the console, light and dark, wide and narrow, over the demo, into docs/images."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, expect

from api.console.navigation import NAVIGATION
from tests.support.browser import PATIENCE_MS, Viewer, chromium
from tests.support.root import ROOT
from tests.support.up_process import REPMON

FOLDER = ROOT / "docs/images"
LINK = re.compile(r"(http://\S+)/console/enter\?token=\S+")
#: Names of widths and themes as they end a picture's name, with a window's width and height in pixels.
WIDTHS = {"": (1440, 900), "-narrow": (390, 844)}
SCHEMES: dict[str, Literal["light", "dark"]] = {"": "light", "-dark": "dark"}
SETTLE_MS = 1_500
#: A small fleet, so that a page shows the bad and the good.
DEMO = ("demo", "--for", "20m", "--customers", "60", "--messages", "200000", "--seed", "7")


def main() -> int:
    """Start the demo, wait until its bad customers are found, and look at every page."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([REPMON, *DEMO], cwd=folder, stdout=subprocess.PIPE, text=True) as demo,
    ):
        try:
            assert demo.stdout is not None
            link = next(filter(None, map(LINK.search, demo.stdout)))
            _pictures(link[0], link[1])
        finally:
            demo.terminate()
            demo.communicate(timeout=60)
    return 0


def _pictures(link: str, base: str) -> None:
    with chromium() as browser, Viewer(browser, base) as viewer:
        page = viewer.page
        page.goto(link)
        page.goto("/console/")
        # The day is played back and somebody's failures, and their listings, were found.
        expect(page.locator("#live tbody tr.lv-critical").nth(2)).to_be_visible(timeout=4 * PATIENCE_MS)
        # So is what hits many: who rose with it waits for a decision.
        expect(page.locator("#notes .mark.held")).to_be_visible(timeout=4 * PATIENCE_MS)
        worst = page.locator("#live tbody tr.lv-critical .customer").first.get_attribute("href")
        assert worst is not None
        for address, name in [*((each.path, each.label) for each in NAVIGATION), (worst, "case")]:
            answer = page.goto(address)
            assert answer is not None and answer.ok, f"{address}: {answer and answer.status}"
            # What a page asks for by itself has come: how the stages are, the rows' trends.
            for waited in (page.get_by_text("being asked"), page.locator("#live tbody td.trend:not(:has(svg))")):
                expect(waited).to_have_count(0, timeout=PATIENCE_MS)
            page.wait_for_timeout(SETTLE_MS)
            for width_name, (width, height) in WIDTHS.items():
                for theme, scheme in SCHEMES.items():
                    page.set_viewport_size({"width": width, "height": height})
                    page.emulate_media(color_scheme=scheme)
                    _picture(page, f"console-{name.lower().replace(' ', '-')}{width_name}{theme}")


def _picture(page: Page, name: str) -> None:
    file = FOLDER / f"{name}.png"
    page.screenshot(path=file, animations="disabled")
    print(f"wrote {file.relative_to(Path.cwd())}")


if __name__ == "__main__":
    sys.exit(main())
