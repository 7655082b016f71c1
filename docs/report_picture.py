"""Make the picture of docs/report.md: the live part of a page, as a headless browser shows it.

Run with: python docs/report_picture.py report.html
"""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PICTURE = pathlib.Path(__file__).resolve().parent / "images" / "report.png"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = "1180,760"


def main(page: pathlib.Path) -> None:
    """Write the picture."""
    browser = next((path for name in NAMES if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"a browser is needed, one of {', '.join(NAMES)}.")
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        # a copy with that section alone: it stands further down than a browser without a window takes pictures
        text = re.sub(r"<(header|nav)\b.*?</\1>|<footer>.*?</footer>", "", page.read_text("utf-8"), flags=re.DOTALL)
        text = re.sub(r'<section aria-labelledby="(?!explore").*?</section>', "", text, flags=re.DOTALL)
        part = pathlib.Path(profile) / "part.html"
        part.write_text(text.replace('class="columns"', ""), "utf-8")
        options += [f"--window-size={SIZE}", f"--screenshot={PICTURE}", part.as_uri()]
        subprocess.run([browser, *options], check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
