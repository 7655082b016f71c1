"""No two threads of a block touch the same memory unordered: ThreadSanitizer with a fibre for each of them.

Only barriers and exchanges within a warp order what threads do, so that a race is found whatever the order they run in.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
from tests.nmfcore.cuda.emulation import Build
from tests.nmfcore.cuda.problems import RULES, data, task
for words in sys.argv[1:]:
    print("case", words, file=sys.stderr, flush=True)
    name, without = words.split(",")
    build = Build(2, **RULES[name][0], flags=("-fsanitize=thread",), without=int(without))
    given, _ = task(data(1), build, tol=0.0, max_iter=3, every=2)
    given.run(order=3)
print("ended")
"""


CASES = ("mu,0", "ehals,0", "arank2,0", "newton,0", "kl-mu,0", "mu,12")  # and the barrier that is left out
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("g++") is None, reason="g++ for Linux is not here"
)


@pytest.fixture(scope="module")
def said():
    """What the detector says of each case."""
    library = subprocess.run(["g++", "-print-file-name=libtsan.so"], capture_output=True, text=True, check=True)
    if not Path(library.stdout.strip()).is_absolute():
        pytest.skip("g++ has no ThreadSanitizer here")
    settings = {
        "LD_PRELOAD": library.stdout.strip(), "TSAN_OPTIONS": "exitcode=0 atexit_sleep_ms=0", "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }  # fmt: skip
    # The detector wants memory where it expects it.
    here = ["setarch", platform.machine(), "-R"] if shutil.which("setarch") else []
    done = subprocess.run(
        [*here, sys.executable, "-c", PROGRAM, *CASES], cwd=ROOT, env=os.environ | settings, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if "unexpected memory mapping" in done.stderr or "failed to set personality" in done.stderr:
        pytest.skip("ThreadSanitizer cannot run here")
    assert "ended" in done.stdout, done.stderr[-3000:]
    parts = done.stderr.split("case ")[1:]
    return {text.split("\n", 1)[0]: text for text in parts}


@pytest.mark.parametrize("case", CASES[:-1])
def test_no_rule_races(said, case):
    assert "data race" not in said[case], said[case][-3000:]


def test_a_missing_barrier_is_a_race(said):
    assert "data race" in said["mu,12"]
