"""The first door to the engine: fit components to mixtures, and re-apply them to stars binned another way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import numpy as np
from astropy.table import QTable

from ..errors import UsageError
from ..io.notebook import Shown, bar
from ..mixtures.counts import Mixtures, mix
from ..rounding import number
from ..stars.catalogue import StarsLike
from ..stars.clusters import members, number_by_cluster
from ..stars.cutflow import CutFlow
from ..stars.origin import scale_of
from ..stars.selection import choose
from ..stars.variables import values
from ..stars.weights import weights_of
from ..units import ENERGY, Measured
from .engine import CONVERGED, message, not_converged, resolve_device, solve
from .labelled import labelled
from .reading import ACCRETED, IN_SITU, Reading, read
from .settings import FitChoices, FitSettings
from .tables import convergence, images_table, weights_table
from .verdict import Verdict, assess, out_of_order

if TYPE_CHECKING:
    import xarray

LE, HE = "LE", "HE"


@dataclass(frozen=True, repr=False)
class Fit(Shown, Measured):
    """Components and their weights, in order of increasing mean energy.

    Attributes
    ----------
    W : ndarray, shape (m, k)
        Weights, in counts (in sums of weights where stars have weights): with each row of H at unit sum, sum(W[i]) is
        the sum of row i of the model W H, and W[i, j] is component j's part of it. A star counts once in every plane
        whose image it falls into, so a row of V sums to about the number of planes times the bin's stars. With
        Kullback-Leibler and no penalties sum(W[i]) = sum(V[i]); with Frobenius it is not: over all bins it is off by
        some per cent, in single bins by tens of per cent, either way. So W says how the components share a bin, not how
        many stars they have.
    H : ndarray, shape (k, n)
        Components, each row at unit sum.
    names : tuple of str
        LE and HE for two components, else C1 to Ck; also C1 and C2 where that of higher energy has the higher mean
        [Al/Fe], which is not what the names mean.
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
    clusters : dict of str to int
        Stars in place and motion of each globular cluster, among those in the bins; see `stars.clusters`.
    judged : Verdict, optional
        The verdict that came with it, such as from its file.
    verified : bool
        False where it comes from a file without a checksum, as earlier versions wrote it.
    survey : str
        On whose scale the stars' abundances are; empty where that is not known.
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
    clusters: dict[str, int] = field(default_factory=dict)
    judged: Verdict | None = None
    verified: bool = True
    survey: str = ""
    UNITS: ClassVar[Mapping[str, str]] = {"mean_energy": ENERGY, "bin_energy": ENERGY}

    @cached_property
    def verdict(self) -> Verdict:
        """How far the fit is to be trusted, and why: measured when it is first asked for; see `verdict.assess`."""
        return self.judged or assess(self)

    @cached_property
    def reading(self) -> Reading:
        """Which of the components are read as accreted; see `reading.read`."""
        if self.names == NAMES:  # of two parts, each of which has its own order
            return Reading(self.names)
        return read(self.H, self.names, self.mixtures.chemistry)

    @property
    def accreted_fraction(self) -> float:
        """Mass fraction of the components that are read as accreted."""
        return float(self.reading.of(self.mass_fractions))

    @cached_property
    def merged(self) -> Fit:
        """The in-situ and the accreted part as two components, to be described; not to be applied to other bins.

        There the in-situ components stand in other proportions.
        """
        W, H = self.reading.merged(self.W, self.H)
        energy = np.where(np.isfinite(self.bin_energy), self.bin_energy, 0.0) @ W
        mass = W[np.isfinite(self.bin_energy)].sum(axis=0)
        mean = np.divide(energy, mass, out=np.full(2, np.nan), where=mass > 0)
        return replace(self, W=W, H=H, names=(IN_SITU, ACCRETED), mean_energy=mean, judged=None)

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
        """Fraction of each component in sum(W), H rows at unit sum: a bin weighs what it holds; shape (k,)."""
        return self.W.sum(axis=0) / self.W.sum()

    @property
    def mean_fractions(self) -> np.ndarray:
        """Mean over bins of each component's fraction in its bin: every bin weighs the same; shape (k,)."""
        return np.nanmean(fractions(self.W), axis=0)

    @property
    def ended(self) -> str:
        """How the fit ended, such as "212 iterations, CONVERGED, KKT residual 3.0e-8"."""
        plural = "s" * (self.n_iter != 1)
        return f"{self.n_iter:,} iteration{plural}, {self.status}, KKT residual {number(self.kkt, digits=2)}"

    @property
    def composition(self) -> str:
        """Mass fractions of the components, and the means of their fractions over the bins, in words."""
        mass, mean = (percentages(self.names, x) for x in (self.mass_fractions, self.mean_fractions))
        said = f"mass fractions {mass}; W-mean over bins {mean}"
        if not self.reading.nameless:
            return said
        return f"{said}; accreted ({self.reading.label}) {100 * self.accreted_fraction:.2f} %"

    @property
    def images(self) -> np.ndarray:
        """Components as images, shape (k, images, l, l)."""
        return self.mixtures.chemistry.images(self.H)

    def table(self) -> QTable:
        """Return weights and fractions as a table, one row per bin; see `tables.weights_table`."""
        ended = convergence(self.status, self.kkt, np.zeros(0, dtype=int))
        return weights_table(self.mixtures, self.W, fractions(self.W), self.names, ended)

    def tables(self) -> dict[str, QTable]:
        """Return all tables by name: ``weights`` is that of `table`, ``images`` has the pixels of the components."""
        images = images_table(self.mixtures.chemistry, self.H, self.names)
        return {"weights": self.table(), "images": images}

    def to_xarray(self) -> xarray.Dataset:
        """Return the fit as a `xarray.Dataset`, as ``xarray.open_dataset`` makes it of the fit's file.

        Raises
        ------
        UsageError
            xarray is not installed.

        Examples
        --------
        >>> from halonmf import halo
        >>> halo.load("fit.h5").to_xarray().fraction.sel(component="HE")  # doctest: +SKIP
        """
        return labelled(self).to_xarray()

    def describe(self) -> str:
        """Return the cut-flow, what was counted, the components' fractions and how the fit ended."""
        verdict = "" if self.judged is None else f"{self.judged.describe()}\n"
        return f"{self.cutflow}\n{self.mixtures.describe()}\n{verdict}{self.composition} ({self.ended})"

    def problems(self) -> str:
        """Return a line on the fit where it did not converge; empty where it did."""
        return not_converged(self.status, self.kkt)

    def _shown(self) -> tuple[str, dict[str, str], str]:
        counted = self.mixtures
        m, n = counted.V.shape
        facts = {
            "stars": f"{int(counted.n_stars.sum()):,}, {self.settings.selection.name}",
            "data": f"{m} bins of {', '.join(axis.variable for axis in counted.bins.axes)} x {n} pixels",
            "mass fractions": percentages(self.names, self.mass_fractions),
            "status": self.ended,
            **({} if self.judged is None else {"verdict": self.judged.line}),
        }
        return f"Fit of {len(self.names)} components", facts, bar(self.mass_fractions.tolist())


def component_names(k: int, ordered: bool = True) -> tuple[str, ...]:
    """Return the names of k components, from low to high energy; LE and HE only where that is also their chemistry."""
    return (LE, HE) if k == 2 and ordered else tuple(f"C{i + 1}" for i in range(k))


def percentages(names: Sequence[str], parts: Sequence[float] | np.ndarray) -> str:
    """Return fractions with their components' names, such as "LE 60.63 %, HE 39.37 %"."""
    return ", ".join(f"{name} {100 * fraction:.2f} %" for name, fraction in zip(names, parts, strict=True))


def fractions(W: np.ndarray) -> np.ndarray:
    """Return each row of W divided by its sum; NaN where that is zero."""
    total = W.sum(axis=-1, keepdims=True)
    return np.divide(W, total, out=np.full_like(W, np.nan), where=total > 0)


def fit(stars: StarsLike, settings: FitSettings | None = None, **choices: Unpack[FitChoices]) -> Fit:
    """Fit components to the chemistry of stars in bins.

    Parameters
    ----------
    stars : Table, Catalogue or path
        Prepared stars.
    settings : FitSettings, optional
        The paper's by default.
    **choices
        Settings to change, as `FitSettings.replace` takes them: ``components=3``, ``bins="E:5,Lz:5"``, ``pixels=20``,
        ``selection="retrograde"``.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        Too few stars, or none inside the images.
    UsageError
        Settings that make no sense.

    Examples
    --------
    >>> from halonmf import halo
    >>> fit = halo.fit("stars.fits", components=3, pixels=20)  # doctest: +SKIP
    >>> fit.mass_fractions  # doctest: +SKIP
    """
    settings = (settings or FitSettings()).replace(**choices)
    if settings.solver.components < 1:
        raise UsageError(f"components must be >= 1, got {settings.solver.components}.")
    chosen, flow = choose(stars, settings.selection)
    mixtures = mix(chosen, settings.axes, settings.chemistry, weights_of(chosen, settings.weights))
    clusters = number_by_cluster(members(chosen)[mixtures.rows >= 0])
    return replace(fit_mixtures(mixtures, chosen, flow, settings), clusters=clusters, survey=scale_of(chosen))


def fit_mixtures(mixtures: Mixtures, stars: Any, flow: CutFlow, settings: FitSettings) -> Fit:
    """Fit components to mixtures that were made already; `stars` are those that the mixtures count."""
    import nmfcore

    solver = settings.solver
    device = resolve_device(solver.device)
    result = solve(mixtures.V, solver, init=solver.init, starts=solver.starts, device=device)
    W, H = result.normalised()
    if not W.any():
        raise UsageError(
            f"alpha_W = {solver.alpha_W:g} and alpha_H = {solver.alpha_H:g} penalise every component away; "
            "use smaller ones, or 0 for none."
        )
    bin_energy = _bin_means(mixtures, stars)
    weight = np.where(np.isfinite(bin_energy)[:, None], W, 0.0)
    mass = weight.sum(axis=0)
    mean_energy = np.divide(weight.T @ np.nan_to_num(bin_energy), mass, out=np.full(len(mass), np.inf), where=mass > 0)
    order = np.argsort(mean_energy, kind="stable")
    k = solver.components
    return Fit(
        W=W[:, order],
        H=H[order],
        names=tuple(f"C{i + 1}" for i in range(k))
        if out_of_order(H[order], mixtures.chemistry)
        else component_names(k),
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


def _bin_means(mixtures: Mixtures, stars: Any) -> np.ndarray:
    name = "E" if "E" in stars.colnames else mixtures.bins.axes[0].variable
    x, inside = values(stars, name), mixtures.rows >= 0
    inside &= np.isfinite(x)
    each = np.ones(len(x)) if mixtures.weights is None else mixtures.weights
    total = np.bincount(mixtures.rows[inside], weights=(each * x)[inside], minlength=len(mixtures.bins))
    number = np.bincount(mixtures.rows[inside], weights=each[inside], minlength=len(mixtures.bins))
    return np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)


NAMES = ("LE2", "LE1", "HE2", "HE1")
"""The four, in order of increasing energy."""
