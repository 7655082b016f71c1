"""The kernels on the CPU under the address and undefined-behaviour sanitizers, in a process of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
from dataclasses import replace
from tests.nmfcore.cuda.emulation import Build
from tests.nmfcore.cuda.problems import RULES, data, task
flags = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
for name, shared in (("mu", (1, 1, 1)), ("ehals", (0, 0, 0)), ("arank2", (1, 1, 0)), ("newton", (1, 1, 1))):
    build = Build(2, **RULES[name][0], flags=flags, shared=shared)
    assert (task(data(2), build, max_iter=20)[0].run(order=2).n_iter == 20).all()
print("clean")
"""


def library(name):
    return subprocess.run(
        ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("g++") is None, reason="g++ for Linux is not here")
def test_no_access_is_out_of_bounds():
    libraries = [library("libasan.so"), library("libubsan.so")]
    if not all(Path(path).is_absolute() for path in libraries):
        pytest.skip("g++ has no sanitizers here")
    settings = {
        "LD_PRELOAD": " ".join(libraries), "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "clean" in done.stdout, done.stderr[-3000:]
