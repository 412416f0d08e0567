"""A real browser, without a window: Chromium, as Debian packages it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, expect
else:
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        expect = sync_playwright = None


__all__ = ["expect", "open_browser"]


@contextmanager
def open_browser() -> Iterator["Browser"]:
    """Chromium; skips where it or its driver is missing, which under CI is a failure."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None or sync_playwright is None:
        missing = "no Chromium, or no playwright to drive it (Debian: apt-get install chromium; pip install playwright)"
        if os.environ.get("CI"):
            pytest.fail(f"CI must test the page in a browser: {missing}")
        pytest.skip(missing)
    with sync_playwright() as driver:
        # Its own sandbox needs namespaces that a container may not make; the pages shown here are our own.
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
