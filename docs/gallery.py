"""Make the gallery: every figure that `halonmf paper` draws, on a small mock survey, with its caption.

Run by docs/conf.py where the pictures are not there yet; `python docs/gallery.py` makes them anew.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "_build" / "gallery"
ROWS, SEED = 20_000, 1


def make(folder: pathlib.Path = FOLDER) -> None:
    """Run the paper on a mock of `ROWS` rows and keep pictures and captions."""
    with tempfile.TemporaryDirectory() as place:
        made = pathlib.Path(place) / "paper"
        command = [sys.executable, "-m", "halonmf.cli", "paper", made, "--rows", ROWS, "--seed", SEED]
        # a scoreboard with numbers outside their tolerance exits 4: the figures are there all the same
        done = subprocess.run([*map(str, command), "--bootstrap", "0", "--draws", "0", "--quiet"], check=False)
        if done.returncode not in (0, 4):
            raise RuntimeError(f"halonmf paper ended with {done.returncode}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for picture in sorted((made / "figures").glob("*.png")):
            shutil.copy(picture, folder)
            caption = picture.with_suffix(".txt")
            if caption.exists():
                shutil.copy(caption, folder)


def page(folder: pathlib.Path = FOLDER) -> str:
    """Return the page that shows them."""
    parts = [
        "# Gallery",
        f"Every figure that `halonmf paper` draws, on a mock survey of {ROWS:,} rows (seed {SEED}) without bootstrap "
        "intervals. They show the layout and the subject of each figure, not results: see "
        "[what a fit can and cannot tell](limits.md).",
    ]
    for picture in sorted(folder.glob("*.png")):
        caption = picture.with_suffix(".txt")
        text = " ".join(caption.read_text().split()) if caption.exists() else picture.stem
        safe = text.replace("|", r"\|").replace("*", r"\*").replace("_", r"\_").replace("$", r"\$").replace("<", "&lt;")
        parts.append(f"## {picture.stem}\n\n![{picture.stem}](_build/gallery/{picture.name})\n\n{safe}")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    make()
