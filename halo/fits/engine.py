"""The one door to nmfcore and torch."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..rounding import number
from .settings import Solver

if TYPE_CHECKING:
    from nmfcore import Result, SharedPattern


CONVERGED = "CONVERGED"
"""The one `nmfcore.Status` that needs no warning."""


def message(status: str) -> str:
    """Return what the name of an `nmfcore.Status` means, and what to do about it."""
    if status == CONVERGED:
        return "converged"  # without loading the engine
    import nmfcore

    known = nmfcore.Status.__members__.get(status)
    return "unknown to this version" if known is None else known.message


ITS_WORDS = {
    "Use init='random'.": "Use --init random, or fewer components.",
    ", add a small constant, or give zeros weight 0.": ", --loss kullback-leibler.",
    ", or give zeros weight 0.": ", --loss kullback-leibler.",
}
"""What the engine advises in the words of its own arguments, and what it is called here."""


def in_own_words(error: Exception) -> str:
    """Return what the engine says of a problem, with this package's options for the engine's arguments."""
    text = str(error)
    for its, own in ITS_WORDS.items():
        text = text.replace(its, own)
    return text


def not_converged(status: str, kkt: float, bins: int = 0) -> str:
    """Return a line on what did not converge; empty where all did.

    Parameters
    ----------
    status : str
        Name of the fit's `nmfcore.Status`.
    kkt : float
        Its residual of the optimality conditions.
    bins : int
        Number of bins whose weights, with the components held, did not converge.
    """
    parts = (
        [] if status == CONVERGED else [f"the fit ({status}, KKT residual {number(kkt, digits=2)}: {message(status)})"]
    )
    parts += [f"the weights of {bins} bins"] if bins else []
    return f"not converged: {'; '.join(parts)}" if parts else ""


def check_names(solver: Solver) -> None:
    """Raise UsageError where the engine knows no such loss, update or init; what goes together only a fit shows."""
    import nmfcore

    update, loss = ("auto", *nmfcore.RULES), tuple(nmfcore.NAMED_BETA)
    for name, known in (("update", update), ("init", nmfcore.METHODS), ("loss", loss)):
        value = getattr(solver, name)
        if value not in known and not (name == "loss" and _is_number(value)):
            or_beta = " or a number beta" if name == "loss" else ""
            raise UsageError(f"{name} must be one of {', '.join(known)}{or_beta}; got {value!r}.")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def resolve_device(device: str) -> str:
    """Return ``cpu`` or a CUDA device; ``auto`` is CUDA where it was measured to be faster on this machine.

    Raises
    ------
    UsageError
        CUDA was asked for and is not there; the CPU is never taken silently.
    """
    if device == "cpu":
        return device
    if device == "auto":
        from nmfcore.kernels.cuda.measured import gpu_is_faster

        return "cuda" if gpu_is_faster() else "cpu"
    if not re.fullmatch(r"cuda(:\d+)?", device):
        raise UsageError(f"device must be auto, cpu or cuda (cuda:1, ...); got {device!r}.")
    number, reason = _devices()
    if number == 0:
        import torch

        raise UsageError(
            f"device {device!r} was asked for, but torch {torch.__version__} sees no CUDA device, nor do the compiled "
            f"kernels ({reason}); use --device cpu, or install the extra 'cuda' and check nvidia-smi."
        )
    if ":" in device and int(device[5:]) >= number:
        raise UsageError(f"device {device!r} was asked for, but there are {number} CUDA devices, from cuda:0 on.")
    return device


def device_count(device: str) -> int:
    """Return how many devices a name stands for: ``cuda`` for all that are there, ``cpu`` and ``cuda:1`` for one."""
    return _devices()[0] if resolve_device(device) == "cuda" else 1


def _devices() -> tuple[int, str]:
    # How many devices there are for the kernels or else for torch, and why the kernels have none.
    from nmfcore.kernels.cuda.devices import count_devices

    number, reason = count_devices()
    if number == 0:
        import torch

        number = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return number, reason


def _torch_has(device: str) -> bool:
    import torch

    return torch.cuda.is_available() and int(device.partition(":")[2] or 0) < torch.cuda.device_count()


def use_threads(number: int) -> None:
    """Let the engine use so many threads of this process."""
    import nmfcore

    nmfcore.use_threads(number)


def threads() -> int:
    """Return how many threads of this process the engine uses."""
    import nmfcore

    return nmfcore.threads()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let the engine use one thread meanwhile: for single small fits, in which threads wait more than they work."""
    import nmfcore

    before = nmfcore.threads()
    nmfcore.use_threads(1)
    try:
        yield
    finally:
        nmfcore.use_threads(before)


def solve(
    V: np.ndarray | SharedPattern,
    solver: Solver,
    *,
    init: str | tuple[np.ndarray | None, np.ndarray | None],
    hold: str | None = None,
    starts: int | None = 1,
    penalised: bool = True,
    first_replicate: int = 0,
    device: str | None = None,
) -> Result:
    """Return the engine's answer for V: the one place where it is called for a fit.

    Parameters
    ----------
    V : ndarray, shape (m, n) or (B, m, n), or SharedPattern
        Counts.
    solver : Solver
        k, loss, rule, penalties, seed and when to stop.
    init : str or pair of arrays
        As in `nmfcore.factorize`.
    hold : {None, "W", "H"}
        A factor to leave as `init` has it.
    starts : int or None
        Starts of which the best is kept.
    penalised : bool
        Whether the solver's penalties apply.
    first_replicate : int
        Number of the first replicate, which names its random stream.
    device : str, optional
        Another device than the solver's.

    Raises
    ------
    UsageError
        Settings that make no sense, for these data or at all.
    """
    import nmfcore

    where = resolve_device(solver.device if device is None else device)
    if hold is not None and where != "cpu" and not _torch_has(where):
        where = "cpu"  # no kernel holds a factor, and one pass over the bins takes milliseconds
    penalty = (solver.alpha_W, solver.alpha_H, solver.l1_ratio) if penalised else (0.0, 0.0, 0.0)
    try:
        return nmfcore.factorize(
            V,
            solver.components,
            init=init,
            hold=hold,
            loss=solver.loss,
            update=solver.update,
            penalty=nmfcore.Penalty(*penalty),
            stop=nmfcore.Stop(tol=solver.tol, max_iter=solver.max_iter),
            starts=starts,
            seed=solver.seed,
            first_replicate=first_replicate,
            device=where,
        )
    except nmfcore.ProblemError as error:
        # The engine's errors name their remedy; here they are the user's settings meeting the user's data.
        raise UsageError(in_own_words(error)) from error


def solve_many(
    V: np.ndarray, solver: Solver, *, first: int = 0, cells: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the answers for many mixtures at once, on the CPU, by the engine's sparse kernels.

    Parameters
    ----------
    V : ndarray, shape (B, m, n)
        Counts, most of them zero.
    solver : Solver
        k, loss, rule, start and when to stop; its penalties are left out.
    first : int
        Number of the first of them, by which its random starts are drawn.
    cells : ndarray of bool, shape (m, n), optional
        Where any of them may have counts; by default where any of these has. It sets the order of sums: with the same
        cells and number a mixture has the same answer, to the last digit, whichever others stand next to it.

    Returns
    -------
    W : ndarray, shape (B, m, k)
    H : ndarray, shape (B, k, n)
        Each row of H at unit sum.
    converged : ndarray of bool, shape (B,)
    """
    import nmfcore

    if cells is None:
        counts = nmfcore.SharedPattern.from_dense(V)
    else:
        counts = nmfcore.SharedPattern.from_dense(np.concatenate([V, cells[None]])).select(range(len(V)))
    result = solve(
        counts, solver, init=solver.init, starts=solver.starts, penalised=False, first_replicate=first, device="cpu"
    )
    return *result.normalised(), result.converged
