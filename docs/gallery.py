"""Make the gallery: every figure that `halonmf paper` draws, on a small mock survey, with its caption.

Run by docs/conf.py where the pictures are not there yet, or were made by other code; `python docs/gallery.py` makes
them again.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser

from halonmf.halo.paper.steps import STEPS, TITLES

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "_build" / "gallery"
TEXTS = FOLDER / "texts.json"
ROWS, SEED = 20_000, 1


class Alternatives(HTMLParser):
    """The alternative text of every figure of a report, by the figure's anchor."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._figure: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note which figure has begun, and the text of its picture."""
        given = dict(attrs)
        if tag == "figure":
            self._figure = given.get("id")
        elif tag == "img" and self._figure:
            self.found[self._figure] = given.get("alt") or ""


def make(folder: pathlib.Path = FOLDER) -> None:
    """Run the paper on a mock of `ROWS` rows; keep pictures, captions and alternative texts."""
    with tempfile.TemporaryDirectory() as place:
        made = pathlib.Path(place) / "paper"
        command = [sys.executable, "-m", "halonmf.cli", "paper", made, "--rows", ROWS, "--seed", SEED]
        command += ["--bootstrap", 0, "--draws", 0, "--quiet"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        # where a fit did not converge it exits 4: the figures are there all the same
        if done.returncode not in (0, 4):
            raise RuntimeError(f"halonmf paper ended with {done.returncode}: {done.stderr}")
        alternatives = Alternatives()
        alternatives.feed((made / "report.html").read_text())
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        texts = {}
        for picture in sorted((made / "figures").glob("*.png")):
            shutil.copy(picture, folder)
            caption = " ".join(picture.with_suffix(".txt").read_text().split())
            texts[picture.stem] = {"caption": caption, "alt": alternatives.found[picture.stem]}
        (folder / TEXTS.name).write_text(json.dumps(texts, indent=1))


def fresh(code: str, folder: pathlib.Path = FOLDER) -> None:
    """Make the pictures where those that are there, if any, were made by code of another hash."""
    stamp = folder / "code"
    if not stamp.exists() or stamp.read_text() != code:
        make(folder)
        stamp.write_text(code)


def headings() -> dict[str, str]:
    """Return the heading of every figure: its number, and the part of the paper that it belongs to."""
    parts = {name: step.title for step in STEPS for name in step.figures}
    return {name: f"{title}: {parts[name]}" if title.startswith("Figure") and name in parts else title
            for name, title in TITLES.items()}  # fmt: skip


def page(folder: pathlib.Path = FOLDER) -> str:
    """Return the page that shows them."""
    parts = [
        "# Gallery",
        f"Every figure that `halonmf paper` draws, made when this page was built, on a mock survey of {ROWS:,} rows "
        f"(seed {SEED}) without bootstrap intervals. The paper's sample is three times as large, and real: these "
        "pictures show layout and subject of each figure, not results. See "
        "[what a fit can and cannot tell](limits.md).",
    ]
    texts = json.loads((folder / TEXTS.name).read_text())
    for name, title in headings().items():
        if name in texts:
            picture = f"![{_plain(texts[name]['alt'])}](_build/gallery/{name}.png)"
            parts.append(f"## {title}\n\n{picture}\n\n{_plain(texts[name]['caption'])}")
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return re.sub(r"([\\*_<>\[\]`#$|])", r"\\\1", text)


if __name__ == "__main__":
    make()
