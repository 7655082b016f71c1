"""Tests that need ../shared may skip where it is absent, and only there."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

SKIPS = """
import pytest

@pytest.mark.skipif(True, reason="../shared/data is absent")
def test_mark():
    pass

@pytest.fixture
def reference():
    pytest.skip("../shared/reference is absent")

def test_fixture(reference):
    pass

@pytest.mark.skip(reason="no CUDA device is here")
def test_other():
    pass
"""


@pytest.mark.parametrize(("required", "outcome"), [("0", "3 skipped"), ("1", "1 skipped, 2 errors")])
def test_skips_for_want_of_shared_fail_where_it_is_required(tmp_path, required, outcome):
    shutil.copy(pathlib.Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_skips.py").write_text(SKIPS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        env={**os.environ, "HALONMF_REQUIRE_SHARED": required},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == int(required), done.stdout + done.stderr
    assert outcome in done.stdout
