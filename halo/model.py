"""The first door to the engine: fit components to mixtures, and re-apply them to stars binned another way."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .binning import Axis, Bins
from .cutflow import CutFlow
from .errors import InputError, UsageError
from .mixtures import Chemistry, Mixtures, Plane, mix
from .selection import select
from .variables import values

if TYPE_CHECKING:
    from nmfcore import Result, SharedPattern

DEFAULT_AXES = (Axis("E", 8), Axis("Lz", 8))
LE, HE = "LE", "HE"
CONVERGED = "CONVERGED"
"""The one `nmfcore.Status` that needs no warning."""


@dataclass(frozen=True)
class FitSettings:
    """Every choice of a fit.

    Attributes
    ----------
    selection : str
        Halo selection: see `selection.SELECTIONS`.
    max_fe_h, min_eccentricity : float
        Thresholds of the selections.
    cuts : tuple of str
        Further conditions to keep, such as ``"LOGG<2.5"``.
    axes : tuple of Axis
        Bins.
    chemistry : Chemistry
        Images.
    components : int
        k.
    loss, update, init : str
        As in `nmfcore.factorize`.
    alpha_W, alpha_H, l1_ratio : float
        Elastic-net penalties with scikit-learn's scaling.
    starts : int or None
        Starts of which the best is kept; None leaves the number to the engine: 1 for two components, 8 for more.
    seed : int
        Seed of random numbers.
    tol : float
        Convergence tolerance of `nmfcore.Stop`.
    max_iter : int
        Most iterations.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    """

    selection: str = "chemically-pure"
    max_fe_h: float = -1.1
    min_eccentricity: float = 0.7
    cuts: tuple[str, ...] = ()
    axes: tuple[Axis, ...] = DEFAULT_AXES
    chemistry: Chemistry = field(default_factory=Chemistry)
    components: int = 2
    loss: str = "frobenius"
    update: str = "auto"
    init: str = "nndsvda"
    alpha_W: float = 0.0
    alpha_H: float = 0.0
    l1_ratio: float = 0.0
    starts: int | None = None
    seed: int = 0
    tol: float = 1e-5
    max_iter: int = 10_000
    device: str = "auto"


def settings_of(record: Mapping[str, Any]) -> FitSettings:
    """Return the settings that `provenance.plain` made plain, as files hold them."""
    chemistry = record["chemistry"]
    return FitSettings(
        **{
            **record,
            "cuts": tuple(record["cuts"]),
            "axes": tuple(Axis(**axis) for axis in record["axes"]),
            "chemistry": Chemistry(
                tuple(Plane(**plane) for plane in chemistry["planes"]),
                tuple((name, (float(limits[0]), float(limits[1]))) for name, limits in chemistry["ranges"]),
                chemistry["pixels"],
            ),
        }
    )


@dataclass(frozen=True)
class Fit:
    """Components and their weights, in order of increasing mean energy.

    Attributes
    ----------
    W : ndarray, shape (m, k)
        Weights, in counts: with each row of H at unit sum, sum(W[i]) is the sum of row i of the model W H, and W[i, j]
        is component j's part of it. A star counts once in every plane whose image it falls into, so a row of V sums
        to about the number of planes times the bin's stars. With Kullback-Leibler and no penalties sum(W[i]) =
        sum(V[i]); with Frobenius it is not: over all bins it is off by some per cent, in single bins by tens of per
        cent, either way. So W says how the components share a bin, not how many stars they have.
    H : ndarray, shape (k, n)
        Components, each row at unit sum.
    names : tuple of str
        LE and HE for two components, else C1 to Ck.
    mean_energy : ndarray, shape (k,)
        Weighted mean of the bins' mean energies, km2 / s2 (of the first binning variable where there is no energy).
    mixtures : Mixtures
        What was fitted.
    settings : FitSettings
        How.
    cutflow : CutFlow
        From the catalogue to the fitted stars.
    bin_energy : ndarray, shape (m,)
        Mean energy of each bin's stars; NaN where empty.
    loss, kkt : float
        The objective and the residual of its optimality conditions.
    n_iter : int
        Iterations.
    status : str
        Name of the engine's `Status`: ``CONVERGED``, ``MAX_ITER``, ...
    device : str
        Where it was computed.
    provenance : dict
        As `provenance.provenance` makes it.
    """

    W: np.ndarray
    H: np.ndarray
    names: tuple[str, ...]
    mean_energy: np.ndarray
    mixtures: Mixtures
    settings: FitSettings
    cutflow: CutFlow
    bin_energy: np.ndarray
    loss: float
    kkt: float
    n_iter: int
    status: str
    device: str
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def converged(self) -> bool:
        """Whether the fit converged; every other status counts as not converged."""
        return self.status == CONVERGED

    @property
    def message(self) -> str:
        """What the status means, and what to do about it."""
        return message(self.status)

    @property
    def mass_fractions(self) -> np.ndarray:
        """Share of each component in sum(W), H rows at unit sum: a bin weighs what it holds; shape (k,)."""
        return self.W.sum(axis=0) / self.W.sum()

    @property
    def mean_fractions(self) -> np.ndarray:
        """Mean over bins of each component's share in its bin: every bin weighs the same; shape (k,)."""
        return np.nanmean(fractions(self.W), axis=0)

    @property
    def images(self) -> np.ndarray:
        """Components as images, shape (k, images, l, l)."""
        return self.mixtures.chemistry.images(self.H)


def component_names(k: int) -> tuple[str, ...]:
    """Return the names of k components, from low to high energy."""
    return (LE, HE) if k == 2 else tuple(f"C{i + 1}" for i in range(k))


@dataclass(frozen=True)
class Application:
    """Components of a fit found in stars binned another way.

    Attributes
    ----------
    W : ndarray, shape (m, k)
        Weights in counts, as `Fit.W`; zero where a bin is empty.
    mixtures : Mixtures
        The bins and counts.
    names : tuple of str
        Component names.
    cutflow : CutFlow
        From the catalogue to these stars.
    converged : ndarray of bool, shape (m,)
        Whether each bin's weights converged.
    fit_status : str
        Status of the fit whose components these are.
    fit_kkt : float
        Its residual of the optimality conditions.
    """

    W: np.ndarray
    mixtures: Mixtures
    names: tuple[str, ...]
    cutflow: CutFlow
    converged: np.ndarray
    fit_status: str
    fit_kkt: float

    @property
    def unconverged(self) -> np.ndarray:
        """Indices of the bins whose weights did not converge; int, shape (bins,)."""
        return np.flatnonzero(~self.converged)

    @property
    def fractions(self) -> np.ndarray:
        """Share of each component in each bin, NaN where it has nothing; shape (m, k)."""
        return fractions(self.W)


def fractions(W: np.ndarray) -> np.ndarray:
    """Return each row of W divided by its sum; NaN where that is zero."""
    total = W.sum(axis=-1, keepdims=True)
    return np.divide(W, total, out=np.full_like(W, np.nan), where=total > 0)


def message(status: str) -> str:
    """Return what the name of an `nmfcore.Status` means, and what to do about it."""
    if status == CONVERGED:
        return "converged"  # without loading the engine
    import nmfcore

    known = nmfcore.Status.__members__.get(status)
    return "unknown to this version" if known is None else known.message


def choose(table: Any, settings: FitSettings) -> tuple[Any, CutFlow]:
    """Return the stars of the settings' selection and their cut-flow."""
    mask, flow = select(
        table,
        settings.selection,
        max_fe_h=settings.max_fe_h,
        min_eccentricity=settings.min_eccentricity,
        cuts=settings.cuts,
    )
    return table[mask], flow


def fit(table: Any, settings: FitSettings | None = None) -> Fit:
    """Fit components to the chemistry of stars in bins.

    Parameters
    ----------
    table : Table
        Prepared stars.
    settings : FitSettings, optional
        The paper's by default.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        Too few stars, or none inside the images.
    UsageError
        Settings that make no sense.
    """
    settings = settings or FitSettings()
    if settings.components < 1:
        raise UsageError(f"components must be >= 1, got {settings.components}.")
    stars, flow = choose(table, settings)
    return fit_mixtures(mix(stars, settings.axes, settings.chemistry), stars, flow, settings)


def fit_mixtures(mixtures: Mixtures, stars: Any, flow: CutFlow, settings: FitSettings) -> Fit:
    """Fit components to mixtures that were made already; `stars` are those that the mixtures count."""
    import nmfcore

    device = resolve_device(settings.device)
    penalty = (settings.alpha_W, settings.alpha_H, settings.l1_ratio)
    result = _factorize(mixtures.V, settings, device, init=settings.init, starts=settings.starts, penalty=penalty)
    W, H = result.normalised()
    if not W.any():
        raise UsageError(
            f"alpha_W = {settings.alpha_W:g} and alpha_H = {settings.alpha_H:g} penalise every component away; "
            "use smaller ones, or 0 for none."
        )
    bin_energy = _bin_means(mixtures, stars)
    weight = np.where(np.isfinite(bin_energy)[:, None], W, 0.0)
    mass = weight.sum(axis=0)
    mean_energy = np.divide(weight.T @ np.nan_to_num(bin_energy), mass, out=np.full(len(mass), np.inf), where=mass > 0)
    order = np.argsort(mean_energy, kind="stable")
    k = settings.components
    return Fit(
        W=W[:, order],
        H=H[order],
        names=component_names(k),
        mean_energy=np.where(np.isinf(mean_energy), np.nan, mean_energy)[order],
        mixtures=mixtures,
        settings=settings,
        cutflow=flow,
        bin_energy=bin_energy,
        loss=float(result.loss),
        kkt=float(result.kkt),
        n_iter=int(result.n_iter),
        status=nmfcore.Status(int(result.status)).name,
        device=device,
    )


def apply(fit: Fit, table: Any, bins: Bins | Sequence[Axis], *, settings: FitSettings | None = None) -> Application:
    """Find a fit's components in stars binned another way: H held, W' minimises the loss (paper, section 3.4).

    Each bin is solved by itself, without the penalties of the fit: the paper's equation 4 has none, and at unit sum of
    H they would weigh otherwise than they did in the fit.

    Parameters
    ----------
    fit : Fit
        Whose components to apply.
    table : Table
        Prepared stars.
    bins : Bins or sequence of Axis
        The new bins.
    settings : FitSettings, optional
        Another selection or device than the fit's; loss, rule, tolerance and images stay the fit's.

    Returns
    -------
    Application

    Raises
    ------
    InputError
        No star, or none inside the bins and the images.
    UsageError
        Settings that make no sense.
    """
    settings = settings or fit.settings
    stars, flow = choose(table, settings)
    return apply_mixtures(fit, mix(stars, bins, fit.mixtures.chemistry), flow, device=settings.device)


def apply_mixtures(fit: Fit, mixtures: Mixtures, flow: CutFlow, *, device: str | None = None) -> Application:
    """Find a fit's components in mixtures that were made already; on the fit's device unless another is given."""
    if mixtures.V.shape[1] != fit.H.shape[1]:
        raise InputError(f"the fit has {fit.H.shape[1]} pixels, these mixtures {mixtures.V.shape[1]}.")
    where = resolve_device(fit.settings.device if device is None else device)
    W, converged = held_weights(mixtures.V, fit.H, fit.settings, device=where)
    return Application(W, mixtures, fit.names, flow, converged, fit.status, fit.kkt)


def held_weights(
    V: np.ndarray, H: np.ndarray, settings: FitSettings, *, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights W (m, k) of held components in V, zero where a bin is empty, and which bins converged (m,)."""
    W = np.zeros((len(V), len(H)))
    converged = np.ones(len(W), dtype=bool)
    filled = V.any(axis=1)  # an empty bin has no chemistry to weigh
    if filled.any():
        # One replicate per bin: a poor bin converges on its own scale, not on that of the richest.
        result = _factorize(V[filled][:, None], settings, device, init=(None, H), hold="H")
        W[filled], converged[filled] = result.W[:, 0], result.converged
    return W, converged


def held_components(
    V: np.ndarray, W: np.ndarray, settings: FitSettings, *, device: str = "cpu"
) -> tuple[np.ndarray, bool]:
    """Return the components H (k, n) that held weights W (m, k) have in V (m, n), and whether they converged."""
    result = _factorize(V, settings, device, init=(W, None), hold="W")
    return result.H, bool(result.converged)


def fit_many(V: np.ndarray, settings: FitSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit the settings' number of components to many mixtures at once, on the CPU, by the engine's sparse kernels.

    Parameters
    ----------
    V : ndarray, shape (B, m, n)
        Counts, most of them zero.
    settings : FitSettings
        k, loss, rule, start and when to stop.

    Returns
    -------
    W : ndarray, shape (B, m, k)
    H : ndarray, shape (B, k, n)
        Each row of H at unit sum.
    converged : ndarray of bool, shape (B,)
    """
    import nmfcore

    counts = nmfcore.SharedPattern.from_dense(V)
    result = _factorize(counts, settings, "cpu", init=settings.init, starts=settings.starts)
    return *result.normalised(), result.converged


def check_names(settings: FitSettings) -> None:
    """Raise UsageError where the engine knows no such loss, update or init; what goes together only a fit shows."""
    from nmfcore import METHODS, NAMED_BETA, RULES

    for name, known in (("update", ("auto", *RULES)), ("init", METHODS), ("loss", NAMED_BETA)):
        value = getattr(settings, name)
        if value not in known and not (name == "loss" and _is_number(value)):
            or_beta = " or a number beta" if name == "loss" else ""
            raise UsageError(f"{name} must be one of {', '.join(known)}{or_beta}; got {value!r}.")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def resolve_device(device: str) -> str:
    """Return ``cpu`` or a CUDA device; ``auto`` is CUDA where there is one.

    Raises
    ------
    UsageError
        CUDA was asked for and is not there; the CPU is never taken silently.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UsageError(f"device must be auto, cpu or cuda (cuda:1, ...); got {device!r}.")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(
            f"device {device!r} was asked for, but torch {torch.__version__} sees no CUDA device; "
            "use --device cpu, or install a CUDA build of torch and check nvidia-smi."
        )
    if ":" in device and int(device[5:]) >= torch.cuda.device_count():
        raise UsageError(
            f"device {device!r} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices, from cuda:0 on."
        )
    return device


def device_count(device: str) -> int:
    """Return how many devices a name stands for: ``cuda`` for all that torch sees, ``cpu`` and ``cuda:1`` for one."""
    if resolve_device(device) != "cuda":
        return 1
    import torch

    return torch.cuda.device_count()


def use_threads(number: int) -> None:
    """Let the engine use so many threads of this process."""
    import torch

    torch.set_num_threads(number)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let the engine use one thread meanwhile: for single small fits, in which threads wait more than they work."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _factorize(
    V: np.ndarray | SharedPattern,
    settings: FitSettings,
    device: str,
    *,
    init: str | tuple[np.ndarray | None, np.ndarray | None],
    hold: str | None = None,
    starts: int | None = 1,
    penalty: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Result:
    import nmfcore

    try:
        return nmfcore.factorize(
            V,
            settings.components,
            init=init,
            hold=hold,
            loss=settings.loss,
            update=settings.update,
            penalty=nmfcore.Penalty(*penalty),
            stop=nmfcore.Stop(tol=settings.tol, max_iter=settings.max_iter),
            starts=starts,
            seed=settings.seed,
            device=device,
        )
    except nmfcore.ProblemError as error:
        # The engine's errors name their remedy; here they are the user's settings meeting the user's data.
        raise UsageError(str(error)) from error


def _bin_means(mixtures: Mixtures, stars: Any) -> np.ndarray:
    name = "E" if "E" in stars.colnames else mixtures.bins.axes[0].variable
    x, inside = values(stars, name), mixtures.rows >= 0
    inside &= np.isfinite(x)
    total = np.bincount(mixtures.rows[inside], weights=x[inside], minlength=len(mixtures.bins))
    number = np.bincount(mixtures.rows[inside], minlength=len(mixtures.bins))
    return np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)
