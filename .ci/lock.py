"""Write requirements.lock: every version of constraints.txt but torch's, with the hashes of all its files.

Run after a change of constraints.txt, with uv on the path: python .ci/lock.py. torch is left to its version alone: its
wheels differ by platform and by CUDA, and many come from another index than the rest.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
LOCK, CONSTRAINTS = ROOT / "requirements.lock", ROOT / "constraints.txt"
HEAD = "# Made by .ci/lock.py from constraints.txt: pip install --require-hashes -r requirements.lock\n"
BUILD = "setuptools==84.2.1"
"""What builds the wheel, which no environment must hold, so that constraints.txt does not."""
LINUX = ("cuda-", "nvidia-")
"""How the names begin of what there is for Linux alone."""


def requirements(text: str) -> list[str]:
    """Return what the lock holds of the constraints, with the platforms that have it."""
    pins = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    pins = [pin for pin in pins if not pin.startswith("torch==")] + [BUILD]
    return [f'{pin} ; sys_platform == "linux"' if pin.startswith(LINUX) else pin for pin in pins]


def pinned(text: str) -> dict[str, str]:
    """Return the versions in constraints or in a lock, by their normal names."""
    found = re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", text)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, made = pathlib.Path(folder) / "in.txt", pathlib.Path(folder) / "out.txt"
        source.write_text("\n".join(requirements(CONSTRAINTS.read_text())) + "\n")
        options = ["--no-deps", "--generate-hashes", "--universal", "--python-version", "3.11", "--quiet"]
        options += ["--no-header", "--no-annotate", "--output-file", made]
        subprocess.run(["uv", "pip", "compile", *options, source], check=True, stdout=subprocess.DEVNULL)
        LOCK.write_text(HEAD + made.read_text())


if __name__ == "__main__":
    sys.exit(main())
