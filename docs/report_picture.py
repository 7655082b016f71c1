"""Make the picture of docs/report.md: the live part of a page, as a headless browser shows it.

Run with: python docs/report_picture.py report.html
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile

PICTURE = pathlib.Path(__file__).resolve().parent / "images" / "report.png"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = "1280,800"


def main(page: pathlib.Path) -> None:
    """Write the picture."""
    browser = next((path for name in NAMES if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"a browser is needed, one of {', '.join(NAMES)}.")
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        options += [f"--window-size={SIZE}", f"--screenshot={PICTURE}", f"{page.resolve().as_uri()}#explore"]
        subprocess.run([browser, *options], check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
