"""torch is loaded when it is first needed, and not for what compiled kernels and NumPy solve."""

import os
import subprocess
import sys

import numpy as np
import pytest

PRELUDE = """
import sys
import numpy as np
import nmfcore
rng = np.random.default_rng(0)
V = rng.poisson(2.0, (8, 30)).astype(float)
counts = nmfcore.bootstrap(rng.integers(0, 8, 400), rng.integers(0, 30, (400, 1)), (8, 30), replicates=20)
"""


def run(code, **environment):
    """Return what a new process prints."""
    ended = subprocess.run(
        [sys.executable, "-c", PRELUDE + code], check=True, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip
    return ended.stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "",
        "nmfcore.factorize(counts, 2)",
        "nmfcore.factorize(counts, 3)",
        "nmfcore.factorize(counts, 3, init='nndsvda', device='cpu')",
        "nmfcore.factorize(V, 2)",
        "nmfcore.factorize(V, 2, init='nndsvda', starts=1)",
        "nmfcore.align(nmfcore.factorize(counts, 2).H, nmfcore.factorize(V, 2).H)",
    ],
)
def test_what_compiled_kernels_and_numpy_solve_loads_no_torch(code):
    assert run(f"{code}\nprint('torch' in sys.modules)") == ["False"]


def test_what_needs_torch_loads_it():
    assert run("nmfcore.factorize(V, 2, update='mu')\nprint('torch' in sys.modules)") == ["True"]


def test_answers_are_the_same_whether_torch_is_loaded_or_not():
    code = "result = nmfcore.factorize(counts, 2), nmfcore.factorize(V, 2)\n"
    code += "print(*(x.tobytes().hex() for r in result for x in (r.W, r.H)))"
    assert run(code) == run(f"import torch\n{code}")


@pytest.mark.parametrize("before", [True, False])
def test_threads_asked_for_are_torchs_too_once_it_is_loaded(before):
    ask, load = "nmfcore.use_threads(3)\n", "import torch\n"
    code = (ask + load if before else load + ask) + "first = nmfcore.threads()\nprint(first, torch.get_num_threads())"
    assert run(code) == ["3", "3"]


def test_threads_are_those_of_the_environment_where_nobody_says():
    assert run("print(nmfcore.threads(), 'torch' in sys.modules)", OMP_NUM_THREADS="2") == ["2", "False"]


def test_no_threads_are_refused_at_once():
    code = (
        "try:\n    nmfcore.use_threads(0)\nexcept ValueError as error:\n    print(error)\nprint('torch' in sys.modules)"
    )
    assert run(code)[-3:] == ["got", "0", "False"]


def test_tensors_are_known_once_there_can_be_any():
    from nmfcore.late import is_tensor

    assert not is_tensor(np.zeros(2))
    code = "from nmfcore.late import is_tensor\nprint(is_tensor(V))\nimport torch\nprint(is_tensor(torch.zeros(1)))"
    assert run(code) == ["False", "True"]


def test_the_engine_is_imported_in_little_time_and_without_torch():
    code = (
        "import sys, time\n"
        "import nmfcore\n"
        "print(time.process_time(), bool({'torch', 'numba', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    )
    taken = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
        assert done[1] == "False"
        taken.append(float(done[0]))
    assert min(taken) < 1.2  # s of the processor, so that a busy machine does not fail it
