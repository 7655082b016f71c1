"""benchmarks/gpu.sh from its first line to its last, on the stand-in: what it would do on a GPU, and leave behind."""

import json
import subprocess
import sys

import pytest

from . import standin

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(standin.missing()), reason=standin.missing() or "all is here"),
]
SMALL = "--replicates 4 --iterations 3 --rounds 1 --stars 300 --pixels 6"
STAGES = {
    "environment", "1,000 bootstraps converged", "500 MU iterations", "k = 4, best of 8", "the CPU beside it, k = 2",
    "the CPU beside it, k = 4", "kernels",
}  # fmt: skip


@pytest.fixture
def python(tmp_path):
    """A Python that computes on the stand-in, and has no pytest: the tests themselves are run elsewhere."""
    here = tmp_path / "site"
    here.mkdir()
    (here / "sitecustomize.py").write_text("import standin\nstandin.install()\n")
    (here / "hypothesis.py").write_text("raise ImportError\n")
    program = tmp_path / "python"
    path = f"{here}:{standin.environment()['PYTHONPATH']}"
    program.write_text(f'#!/bin/sh\nexport PYTHONPATH="{path}"\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    return program


def test_the_gpu_script_runs_to_its_end_and_leaves_every_figure(python, tmp_path):
    environment = standin.environment() | {
        "PYTHON": str(python), "GPU_OPTIONS": SMALL, "FIGURES_S": "800", "NMFCORE_CACHE_DIR": str(tmp_path / "kept"),
    }  # fmt: skip
    out = tmp_path / "figures"
    done = subprocess.run(
        ["bash", str(standin.ROOT / "benchmarks" / "gpu.sh"), str(out)], env=environment, capture_output=True,
        text=True, check=False, timeout=standin.LONGEST,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found = json.loads((out / "gpu.json").read_text())
    assert set(found) >= STAGES
    assert not [name for name, figures in found.items() if "error" in figures]
    for name in ("the CPU beside it, k = 2", "the CPU beside it, k = 4"):
        assert found[name]["largest_relative_loss_difference"] < 1e-5
    assert "no tests" in (out / "gpu-tests.txt").read_text()
    # From now on `device="auto"` of this cache folder knows which is faster.
    assert json.loads((tmp_path / "kept" / "measured.json").read_text())
