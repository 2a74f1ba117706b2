"""Find a browser on this machine and open pages in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""Commands of browsers, as Debian and GitHub's runners name them. scripts/browser.sh installs the first one."""


def find_browser() -> str | None:
    """Return the path of a browser; None if none is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def opened_browser(path: str) -> Iterator[Browser]:
    """Start a browser without a window, and close it at the end."""
    with sync_playwright() as playwright:
        # A container has no user namespace for the sandbox, and the pages are those of the tests.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
