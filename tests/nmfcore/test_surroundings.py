"""Nothing that the process has set for torch changes a result, and a forked child works."""

import multiprocessing
import os

import numpy as np
import pytest
import torch

import nmfcore

from .problems import PROBLEMS

V = PROBLEMS["random"]
LOSSES = pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])


def solved(loss, dtype=np.float32):
    return nmfcore.factorize(V.astype(dtype), 3, loss=loss, starts=2)


@LOSSES
def test_autocast_around_a_call_changes_nothing(loss):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = solved(loss)
    assert np.array_equal(inside.W, solved(loss).W)


@LOSSES
def test_a_default_device_changes_nothing(loss):
    torch.set_default_device("meta")
    try:
        inside = solved(loss)
    finally:
        torch.set_default_device(None)
    assert np.array_equal(inside.W, solved(loss).W)


@LOSSES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_default_type_changes_nothing_and_stays(loss, dtype):
    torch.set_default_dtype(torch.float64)
    try:
        inside = solved(loss, dtype)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert np.array_equal(inside.W, solved(loss, dtype).W)


def test_sparse_tensors_are_refused_by_name():
    with pytest.raises(nmfcore.ProblemError, match=r"V is a sparse tensor .*to_dense"):
        nmfcore.factorize(torch.tensor(V).to_sparse(), 2)


def test_patterns_and_the_estimator_refuse_sparse_tensors_too():
    sparse = torch.tensor(V).to_sparse()
    for name, call in (("V", nmfcore.SharedPattern.from_dense), ("X", nmfcore.NMF(2).fit)):
        with pytest.raises(nmfcore.ProblemError, match=rf"{name} is a sparse tensor .*{name}\.to_dense"):
            call(sparse)


def test_the_estimator_refuses_masked_entries():
    model, X = nmfcore.NMF(2).fit(V), np.ma.masked_less(V, np.median(V))
    for call in (model.fit, model.transform):
        with pytest.raises(nmfcore.ProblemError, match="X has masked entries"):
            call(X)


def test_masked_bins_and_pixels_are_refused_as_masked_data_are():
    rows = np.ma.MaskedArray([0, 1, 1], mask=[False, True, False])
    with pytest.raises(nmfcore.ProblemError, match="rows has masked entries"):
        nmfcore.bootstrap(rows, [0, 1, 2], (2, 3), replicates=2)


def fit_in_child(answers):
    answers.put(float(nmfcore.factorize(np.tile(V, (20, 20)), 3, starts=1).loss))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_works_after_its_parent_has_used_several_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        here = float(nmfcore.factorize(np.tile(V, (20, 20)), 3, starts=1).loss)
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()
        child = context.Process(target=fit_in_child, args=(answers,))
        child.start()
        child.join(120)
        ended = child.exitcode
        child.kill()
    finally:
        torch.set_num_threads(before)
    assert ended == 0
    assert answers.get() == pytest.approx(here, rel=1e-6)
