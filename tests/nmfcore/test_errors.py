"""Every wrong input is refused with a message that says what and where."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
import torch

import nmfcore
from nmfcore import Penalty, Stop

GOOD = np.ones((4, 5))


def spoiled(value):
    V = GOOD.copy()
    V[2, 3] = V[3, 0] = value
    return V


@pytest.mark.parametrize(
    ("value", "words"),
    [(-0.5, "below zero"), (np.nan, "NaN or infinite"), (np.inf, "NaN or infinite")],
)
def test_bad_entries_are_counted_and_located(value, words):
    with pytest.raises(nmfcore.ProblemError, match=rf"2 of 20 entries are {words}.*first at row 2, column 3"):
        nmfcore.factorize(spoiled(value), 2)


def test_bad_entries_of_a_batch_name_the_replicate():
    with pytest.raises(nmfcore.ProblemError, match="first at replicate 1, row 2, column 3"):
        nmfcore.factorize(np.stack([GOOD, spoiled(-1)]), 2)


@pytest.mark.parametrize("beta", ["itakura-saito", 0, -1])
def test_zeros_are_refused_where_the_loss_divides_by_them(beta):
    with pytest.raises(nmfcore.ProblemError, match=r"strictly positive; 2 of 20.*beta > 0"):
        nmfcore.factorize(spoiled(0.0), 2, loss=beta)


def test_zeros_of_weight_zero_are_no_obstacle_to_itakura_saito():
    V = spoiled(0.0)
    result = nmfcore.factorize(V, 2, loss="itakura-saito", weight=(V > 0).astype(float))
    assert np.isfinite(result.loss)


@pytest.mark.parametrize("method", ["nndsvd", "nndsvda", "nndsvdar"])
def test_nndsvd_goes_up_to_the_smaller_side_and_no_further(method):
    V = np.random.default_rng(0).random((4, 6))
    assert nmfcore.factorize(V, 4, init=method).W.shape == (4, 4)
    with pytest.raises(nmfcore.ProblemError, match=r"at most min\(m, n\) = 4.*init='random'"):
        nmfcore.factorize(V, 5, init=method)
    assert nmfcore.factorize(V, 5, init="random").W.shape == (4, 5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"init": "magic"}, "init must be one of"),
        ({"init": (np.ones((4, 3)), None)}, r"W in init must have shape \(4, 2\)"),
        ({"init": (-np.ones((4, 2)), None)}, "finite and non-negative"),
        ({"hold": "H"}, "needs the held factor"),
        ({"hold": "H", "init": (np.ones((4, 2)), None)}, "needs H in init"),
        ({"hold": "V"}, "hold must be"),
        ({"update": "magic"}, "update must be 'auto'"),
        ({"update": "hals", "loss": 1}, "Frobenius loss only"),
        ({"update": "hals", "weight": GOOD}, "takes no weights"),
        ({"loss": "magic"}, "loss must be one of"),
        ({"loss": np.inf}, "finite"),
        ({"weight": np.ones((3, 3))}, "does not fit"),
        ({"weight": -GOOD}, "weight must be non-negative"),
        ({"starts": 0}, "starts must be >= 1"),
        ({"dtype": torch.float16}, "float32 or torch.float64"),
    ],
)
def test_wrong_options_say_what_was_expected(options, words):
    with pytest.raises(nmfcore.ProblemError, match=words):
        nmfcore.factorize(GOOD, 2, **options)


@pytest.mark.parametrize("k", [0, -1, 1.5, True])
def test_n_components_must_be_a_positive_integer(k):
    with pytest.raises(nmfcore.ProblemError, match="integer >= 1"):
        nmfcore.factorize(GOOD, k)


@pytest.mark.parametrize("V", [np.ones(5), np.ones((0, 5)), np.ones((2, 2, 2, 2))], ids=["1-d", "empty", "4-d"])
def test_shape_of_the_data_is_checked(V):
    with pytest.raises(nmfcore.ProblemError, match="V must have shape"):
        nmfcore.factorize(V, 2)


@pytest.mark.parametrize("V", [GOOD + 0j, GOOD.astype("U4"), GOOD.astype(object)], ids=["complex", "text", "object"])
def test_data_must_be_real_numbers(V):
    with pytest.raises(TypeError, match="real numbers"):
        nmfcore.factorize(V, 2)


def test_masked_entries_are_refused_with_the_remedy():
    with pytest.raises(nmfcore.ProblemError, match="weight=0"):
        nmfcore.factorize(np.ma.masked_equal(spoiled(3.0), 3.0), 2)


def masked_csr():
    matrix = scipy.sparse.csr_matrix(GOOD)
    matrix.data = np.ma.masked_equal(matrix.data, matrix.data[0])
    return matrix


MASKED = np.ma.MaskedArray(GOOD, mask=GOOD == GOOD[0, 0])
FACTORS = np.ones((len(GOOD), 1)), np.ones((1, GOOD.shape[1]))


@pytest.mark.parametrize(
    "call",
    [
        lambda: nmfcore.SharedPattern.from_dense(MASKED),
        lambda: nmfcore.SharedPattern.from_scipy(masked_csr()),
        lambda: nmfcore.factorize(masked_csr(), 1),
        lambda: nmfcore.fit_masked(MASKED, [nmfcore.Penalty()], FACTORS),
    ],
    ids=["from_dense", "from_scipy", "csr", "fit_masked"],
)
def test_masked_entries_are_refused_wherever_data_come_in(call):
    with pytest.raises(nmfcore.ProblemError, match=r"V has masked entries; .*missing"):
        call()


def test_arrays_that_mask_nothing_are_taken():
    assert nmfcore.SharedPattern.from_dense(np.ma.MaskedArray(GOOD, mask=False)).shape == (1, *GOOD.shape)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_cuda_without_cuda_is_an_error_and_never_the_cpu():
    with pytest.raises(RuntimeError, match="sees no CUDA device"):
        nmfcore.factorize(GOOD, 2, device="cuda")


@pytest.mark.parametrize("options", [{"tol": -1}, {"tol": np.nan}, {"max_iter": -1}, {"every": 0}, {"criterion": "x"}])
def test_stop_checks_its_arguments(options):
    with pytest.raises(nmfcore.ProblemError, match="must be"):
        Stop(**options)


@pytest.mark.parametrize("options", [{"alpha_W": -1}, {"alpha_H": np.inf}, {"l1_ratio": 2}])
def test_penalty_checks_its_arguments(options):
    with pytest.raises(nmfcore.ProblemError, match="must"):
        Penalty(**options)


def test_importing_the_engine_loads_no_astronomy_and_no_plotting():
    code = (
        "import sys, nmfcore; bad = {'astropy', 'matplotlib', 'galpy', 'h5py', 'halonmf', 'typer'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["replicates", "seed", "first_replicate"])
@pytest.mark.parametrize("value", [None, "1", 1.0, True])
def test_bootstraps_numbers_must_be_integers(name, value):
    given = {"replicates": 2, name: value}
    with pytest.raises(nmfcore.ProblemError, match=f"{name} must be an integer; got {value!r}"):
        nmfcore.bootstrap([0, 1], [0, 1], (2, 2), **given)


@pytest.mark.parametrize("name", ["alpha_W", "alpha_H", "l1_ratio"])
def test_penalties_must_be_numbers(name):
    with pytest.raises(nmfcore.ProblemError, match=f"{name} must .*; got 'much'"):
        nmfcore.Penalty(**{name: "much"})


def test_the_estimator_takes_no_masked_entries():
    masked = np.ma.masked_less(np.arange(12.0).reshape(3, 4), 2)
    with pytest.raises(nmfcore.ProblemError, match=r"X has masked entries; fill them"):
        nmfcore.NMF(2).fit(masked)
    with pytest.raises(nmfcore.ProblemError, match=r"X has masked entries; fill them"):
        nmfcore.NMF(2).fit(masked.filled(0.5)).transform(masked)
