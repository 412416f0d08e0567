"""Take a picture of the top of a run's page: `python -m scripts.picture_page results/demo docs/demo-page.png`.

Needs playwright (the extra dev) and Chromium (Debian: apt-get install chromium).
"""

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright


def main() -> None:
    """Load the page in headless Chromium and save a screenshot."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("run", type=Path, help="the run's folder")
    options.add_argument("picture", type=Path, help="the PNG to write")
    options.add_argument("--width", type=int, default=1000)
    options.add_argument("--height", type=int, default=1300)
    options.add_argument("--dark", action="store_true")
    options.add_argument("--at", default="", help="fragment of the address, such as problem=HumanEval/3")
    arguments = options.parse_args()
    program = shutil.which("chromium") or sys.exit("chromium is not on the path: run apt-get install chromium.")
    with sync_playwright() as driver:
        # Chromium's own sandbox needs namespaces that a container may not make; the page is trusted.
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        size = ViewportSize(width=arguments.width, height=arguments.height)
        tab = browser.new_page(viewport=size, color_scheme="dark" if arguments.dark else "light")
        tab.goto(f"{(arguments.run / 'report.html').resolve().as_uri()}#{arguments.at}")
        tab.wait_for_selector("body[data-ready]")
        tab.screenshot(path=arguments.picture)
        browser.close()


if __name__ == "__main__":
    main()
