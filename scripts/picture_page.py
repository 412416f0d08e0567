"""A picture of the top of a run's page: `python -m scripts.picture_page results/demo docs/demo-page.png`.

Needs playwright (the extra dev) and Chromium (Debian: apt-get install chromium).
"""

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright


def main() -> None:
    """Load the page in Chromium without a window, and write what it shows."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("run", type=Path, help="the run's folder")
    options.add_argument("picture", type=Path, help="the PNG to write")
    options.add_argument("--width", type=int, default=1000)
    options.add_argument("--height", type=int, default=1300)
    options.add_argument("--dark", action="store_true")
    options.add_argument("--at", default="", help="what stands behind the address's #, such as problem=HumanEval/3")
    asked = options.parse_args()
    program = shutil.which("chromium") or sys.exit("There is no chromium on the path: apt-get install chromium.")
    with sync_playwright() as driver:
        # Chromium's own sandbox needs namespaces that a container may not make; the page is our own.
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        size = ViewportSize(width=asked.width, height=asked.height)
        tab = browser.new_page(viewport=size, color_scheme="dark" if asked.dark else "light")
        tab.goto(f"{(asked.run / 'report.html').resolve().as_uri()}#{asked.at}")
        tab.wait_for_selector("body[data-ready]")
        tab.screenshot(path=asked.picture)
        browser.close()


if __name__ == "__main__":
    main()
