"""`make pictures`: take README's pictures of the operator's pages anew, of the relay of `relay demo`, by Chromium."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.pictures.scene import staged_relay

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
SCREEN, PHONE = (1440, {"problems": 566, "story": 706}), (390, {"problems": 844, "story": 844})
SIZES: Final = {"": SCREEN, "-phone": PHONE}
"""Suffix of the files: width, and of each page the height that is shown."""

THEMES: Final = ("light", "dark")


def take(browser: Browser, url: str, event: str) -> None:
    """Take Problems and the story of an event, in each size and theme."""
    for suffix, (width, heights) in SIZES.items():
        for theme in THEMES:
            context = browser.new_context(
                color_scheme=theme, locale="en", base_url=url, timezone_id="Europe/Moscow"
            )  # fmt: skip
            page = context.new_page()
            for name, path in (("problems", "/admin"), ("story", f"/admin/events/{event}")):
                page.set_viewport_size({"width": width, "height": heights[name]})
                page.goto(path)
                _until_shown(page, name)
                target = IMAGES / f"{name}{suffix}-{theme}.png"
                page.screenshot(path=target)
                sys.stdout.write(f"{target}\n")
            context.close()


def _until_shown(page: Page, name: str) -> None:
    if name == "problems":  # a job looks for them once a minute
        expect(page.locator(".problem")).to_have_count(3, timeout=120_000)
    else:
        expect(page.locator(".line .bad").first).to_be_visible()


def main() -> None:
    """Stage the relay, and take the pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Chromium takes the pictures: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder, staged_relay(Path(folder) / "relay") as staged:
        processes, event = staged
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            take(browser, processes.url, event)
            browser.close()


if __name__ == "__main__":
    main()
