"""The whole way of a batch through NVIDIA's packages, held to the CPU's answers: on the stand-in, or on a GPU."""

import json
import subprocess
import sys

import pytest

from nmfcore.kernels.cuda.devices import count_devices

from . import standin

pytestmark = pytest.mark.slow
on_stand_in = pytest.mark.skipif(bool(standin.missing()), reason=standin.missing() or "all is here")
on_gpu = pytest.mark.skipif(count_devices()[0] == 0, reason=count_devices()[1] or "a GPU is here")
WHERE = [
    pytest.param("stand-in", marks=on_stand_in),
    pytest.param("GPU", marks=[on_gpu, pytest.mark.cuda]),
]

BEGIN = """
import json, sys
import numpy as np
import scipy.sparse
import torch
import nmfcore
from nmfcore import Stop
from nmfcore.kernels.cuda import device as device_module, launch
from nmfcore.kernels.cuda.devices import visible_devices
from nmfcore.kernels.cuda.layout import layout_of

rng = np.random.default_rng(0)
STARS, SHAPE = 150, (6, 40)
low = rng.random(STARS) < 0.4
rows = np.where(low, rng.integers(0, 3, STARS), rng.integers(2, 6, STARS))
columns = np.where(low[:, None], rng.integers(0, 12, (STARS, 2)), rng.integers(8, 20, (STARS, 2)))
columns[:, 1] += 20
rows[3], columns[5, 0] = -1, -1

def drawn(device, replicates=3, **options):
    names = {"seed": 4, "first_replicate": 2, "device": device}
    return nmfcore.bootstrap(rows, columns, SHAPE, replicates=replicates, **names, **options)

def apart(ours, theirs):
    fractions = np.abs(np.sort(ours.fractions) - np.sort(theirs.fractions)).max()
    return float(max(np.abs(ours.loss / theirs.loss - 1).max(), fractions / 100))

V = drawn("cpu", 1).to_dense()[0].astype(np.float64)
START = 0.1 + rng.random((6, 2)), 0.1 + rng.random((2, 40))
"""
# Programs that need the same machine share one process and print one value each, as JSON.
PROGRAMS = {
    "draws": """[[scheme, bool((launch.draw(there := drawn("cuda", scheme=scheme), layout_of(there), 3, 0)
        == drawn("cpu", scheme=scheme).cells()).all())] for scheme in ("multinomial", "poisson", "delete")]""",
    "lazy": """(lambda there: [there.drawn, nmfcore.factorize(there, 2).W.shape, there.drawn])(drawn("cuda"))""",
    "two components": """apart(*(nmfcore.factorize(drawn(device), 2, device=device) for device in ("cuda", "cpu")))""",
    "steps": """(lambda ours, theirs: float(np.abs(ours.H - theirs.H).max() / theirs.H.max()))(
        *(nmfcore.factorize(drawn(device), 2, init=START, update="mu", stop=Stop(tol=0, max_iter=3))
        for device in ("cuda", "cpu")))""",
    "random starts": """(lambda ours, theirs: [bool((ours.start == theirs.start).all()), len(set(ours.start)),
        float(np.abs(ours.H / ours.H.sum(-1, keepdims=True) - theirs.H / theirs.H.sum(-1, keepdims=True)).max())])(
        *(nmfcore.factorize(drawn(device), 2, init="random", starts=4, update="ehals", stop=Stop(tol=0, max_iter=5),
        seed=3) for device in ("cuda", "cpu")))""",
    "divergence": """(lambda ours, theirs: float(np.abs(ours.loss / theirs.loss - 1).max()))(
        *(nmfcore.factorize(drawn(device), 2, init=START, loss="kullback-leibler") for device in ("cuda", "cpu")))""",
    "given counts": """apart(*(nmfcore.factorize(nmfcore.SharedPattern.from_dense(drawn("cpu").to_dense()), 2,
        device=device, init=START) for device in ("cuda", "cpu")))""",
    "one dense matrix": """(lambda found: [type(found.W).__name__, str(found.W.dtype), found.H.shape,
        apart(found.map(lambda x: x[None]), nmfcore.factorize(V, 2).map(lambda x: np.asarray(x)[None]))])(
        nmfcore.factorize(V, 2, device="cuda"))""",
    "one sparse matrix": """(lambda found: [str(found.W.dtype), apart(found.map(lambda x: x[None]),
        nmfcore.factorize(V, 2).map(lambda x: np.asarray(x)[None]))])(
        nmfcore.factorize(scipy.sparse.csr_array(V), 2, device="cuda"))""",
    "a tensor": """(lambda found: [type(found.W).__name__, str(found.H.dtype), found.H.device.type])(
        nmfcore.factorize(torch.from_numpy(V), 2, device="cuda"))""",
    "two devices": """visible_devices("cuda:1") and (
        lambda a, b: [bool((getattr(a, x) == getattr(b, x)).all()) for x in ("W", "H", "loss")])(
        *(nmfcore.factorize(drawn(device), 2, init=START) for device in ("cuda:1", "cuda")))""",
    "pinned": """nmfcore.factorize(drawn("cuda"), 2, init=START).H.base is not None""",
}
ALL = """
said = {}
for name, program in json.loads(sys.argv[1]).items():
    try:
        said[name] = eval(program)
    except Exception as error:
        said[name] = f"{type(error).__name__}: {error}"
print(json.dumps(said))
"""


@pytest.fixture(scope="module", params=WHERE)
def said(request):
    run = standin.run if request.param == "stand-in" else standin.run_on_gpu
    return json.loads(run(BEGIN + ALL, json.dumps(PROGRAMS), DEVICES=2).stdout.splitlines()[-1])


def test_counts_drawn_in_a_kernel_are_those_of_the_cpu(said):
    assert said["draws"] == [["multinomial", True], ["poisson", True], ["delete", True]]


def test_nothing_is_drawn_on_the_host(said):
    assert said["lazy"] == [False, [3, 6, 2], False]


def test_bootstraps_have_the_cpus_answers(said):
    assert said["two components"] < 2e-6


def test_a_few_iterations_are_the_cpus(said):
    assert said["steps"] < 1e-3


def test_random_starts_are_the_cpus_and_the_same_ones_win(said):
    alike, winners, apart = said["random starts"]
    assert alike
    assert winners > 1
    assert apart < 1e-4


def test_the_divergence_has_the_cpus_answers(said):
    assert said["divergence"] < 1e-5


def test_counts_that_are_given_have_the_cpus_answers(said):
    assert said["given counts"] < 1e-5


def test_a_dense_matrix_goes_to_the_same_kernels_in_its_own_precision(said):
    kind, dtype, shape, apart = said["one dense matrix"]
    assert (kind, dtype, shape) == ("ndarray", "float64", [2, 40])
    assert apart < 1e-6


def test_a_sparse_matrix_goes_to_the_same_kernels(said):
    dtype, apart = said["one sparse matrix"]
    assert dtype == "float64"
    assert apart < 1e-6


def test_a_tensor_comes_back_as_a_tensor(said):
    assert said["a tensor"] == ["Tensor", "torch.float64", "cpu"]


def test_two_devices_share_a_batch_with_the_same_numbers_as_one(said):
    if not said["two devices"]:
        pytest.skip("one device is here")
    assert said["two devices"] == [True, True, True]


def test_answers_lie_where_the_device_wrote_them(said):
    assert said["pinned"] is True


@on_stand_in
def test_chunks_that_do_not_fit_are_halved_with_the_same_numbers():
    program = """
whole = nmfcore.factorize(drawn("cuda", 3), 2, init=START)
run, tried = launch._Run.__call__, []
def scarce(self, tries, answers):
    tried.append(len(tries.starts))
    if len(tries.starts) > 1:
        device_module.call(device_module.driver().cuMemAlloc, 2**40)
    run(self, tries, answers)
launch._Run.__call__ = scarce
parts = nmfcore.factorize(drawn("cuda", 3), 2, init=START)
print(tried, all((getattr(parts, name) == getattr(whole, name)).all() for name in ("W", "H", "loss", "n_iter")))
"""
    assert standin.run(BEGIN + program).stdout.splitlines()[-1] == "[3, 1, 1, 1] True"


@on_stand_in
def test_a_launch_that_fails_is_named_and_ends_the_call():
    program = """
try:
    nmfcore.factorize(drawn("cuda"), 2, init=START)
except RuntimeError as error:
    print(error)
"""
    text = standin.run(BEGIN + program, FAIL=700).stdout
    assert text.startswith("solve, 3 blocks of 64 threads with ")
    assert "CUDA_ERROR_ILLEGAL_ADDRESS" in text


@on_stand_in
def test_little_shared_memory_moves_counts_and_factors_to_global_memory():
    program = """
from nmfcore.kernels.cuda.device import device_of
ours = nmfcore.factorize(drawn("cuda"), 2, init=START)
built = [kernel["built in"] for kernel in device_of(0).described() if kernel["name"] == "solve"]
print(json.dumps([built[-1]["COUNTS_SHARED"], apart(ours, nmfcore.factorize(drawn("cpu"), 2, init=START))]))
"""
    shared, apart = json.loads(standin.run(BEGIN + program, SHARED=2700).stdout.splitlines()[-1])
    assert shared == "0"
    assert apart < 1e-5


def command(folder, *words, **settings):
    program = """
import standin; standin.install()
import sys
from halonmf.cli import main
sys.argv = ["halonmf", *sys.argv[1:]]
main()
"""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], env=standin.environment(**settings), cwd=folder,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    pytest.importorskip("astropy")
    folder = tmp_path_factory.mktemp("stars")
    assert command(folder, "mock", "mock", "--stars", 6000, "--seed", 3, "-q").returncode == 0
    files = *folder.glob("mock/allStar*"), *folder.glob("mock/apogee_astroNN*")
    assert command(folder, "prepare", *files, "-o", "stars.fits", "-q").returncode == 0
    return folder / "stars.fits"


@on_stand_in
def test_a_fit_by_the_prompt_is_made_by_the_kernels(stars, tmp_path):
    from halonmf import halo

    small = ("--bins", "E:4", "--pixels", "5", "--selection", "all")
    for device in ("cuda", "cpu"):
        done = command(tmp_path, "fit", stars, "-o", f"{device}.h5", "--device", device, *small)
        assert done.returncode == 0, done.stderr
    ours, theirs = (halo.load(tmp_path / f"{device}.h5") for device in ("cuda", "cpu"))
    assert ours.mass_fractions == pytest.approx(theirs.mass_fractions, abs=1e-5)


@on_stand_in
def test_an_ensemble_by_the_prompt_is_made_by_the_kernels(stars, tmp_path):
    small = ("--bins", "E:4", "--pixels", "5", "--selection", "all", "--bootstrap", "6", "--batch", "3")
    done = command(tmp_path, "ensemble", stars, "-o", "run", "--device", "cuda", "--no-figures", *small)
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout
