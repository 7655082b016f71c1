"""Every choice of a fit; plain Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict, Unpack

from ..errors import UsageError
from ..fields import Option
from ..mixtures.settings import AXES, BALANCE, DROP, Axis, Chemistry, Plane, as_axes, parse_plane, parse_ranges
from ..stars.settings import SELECTIONS, Cuts, Selection, as_selection

DEFAULT_AXES = (Axis("E", 8), Axis("Lz", 8))
LEAST_SQUARES = ("frobenius", "2", "2.0")
"""Names of the loss whose minimum is that of the squared error."""
DIVERGENCE = ("kullback-leibler", "1", "1.0")
"""Names of the loss whose minimum is the maximum of the likelihood of Poisson counts."""
Device = Annotated[str, "auto, cpu or cuda (cuda:1, ...)."]


MOST_STARTS = 100_000
"""Most starts of a fit: a number beyond is a slip of the keyboard, and would fill the memory."""


@dataclass(frozen=True)
class Solver:
    """How V is factorised.

    Attributes
    ----------
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
        Maximum number of iterations.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    """

    components: Annotated[int, "Number of components.", Option("--components", "-k", minimum=1)] = 2
    loss: Annotated[
        str,
        "frobenius, kullback-leibler, itakura-saito or a number beta; beta <= 0 (itakura-saito) needs data "
        "without zeros, which counts never are: prefer kullback-leibler for them.",
    ] = "frobenius"
    update: Annotated[str, "auto, mu (Lee & Seung), amu, hals, ehals, rank2, arank2 or newton."] = "auto"
    init: Annotated[str, "nndsvda, nndsvd, nndsvdar or random."] = "nndsvda"
    alpha_W: Annotated[float, "Penalty on W, as scikit-learn scales it."] = 0.0
    alpha_H: Annotated[float, "Penalty on H, as scikit-learn scales it."] = 0.0
    l1_ratio: Annotated[float, "Fraction of L1 in the penalties."] = 0.0
    starts: Annotated[
        int | None,
        "Starts, the best of which is kept: 1 for two components, else 8.",
        Option(minimum=1, maximum=MOST_STARTS),
    ] = None
    seed: Annotated[int, "Seed of random starts, and of the resampling in an ensemble."] = 0
    tol: Annotated[float, "Convergence: relative change still to come."] = 1e-5
    max_iter: Annotated[int, "Maximum number of iterations."] = 10_000
    device: Device = "auto"

    @property
    def least_squares(self) -> bool:
        """Whether the loss is the squared error."""
        return self.loss in LEAST_SQUARES


class FitChoices(TypedDict, total=False):
    """What `FitSettings.replace` takes, by name: the fields of all parts on one level, and texts."""

    selection: Selection | str
    axes: str | Axis | Sequence[Axis]
    chemistry: Chemistry
    solver: Solver
    weights: str | None
    bins: str | Axis | Sequence[Axis]
    planes: str | Plane | Sequence[str | Plane]
    ranges: str | Sequence[str] | Mapping[str, tuple[float, float]]
    pixels: int
    missing: str
    max_fe_h: float
    min_eccentricity: float
    cuts: str | Sequence[str]
    components: int
    loss: str
    update: str
    init: str
    alpha_W: float
    alpha_H: float
    l1_ratio: float
    starts: int | None
    seed: int
    tol: float
    max_iter: int
    device: str


@dataclass(frozen=True)
class FitSettings:
    """Every choice of a fit: which stars, in which bins, as which images, factorised how.

    `FitSettings.of` makes one from the names of its parts' fields.

    Attributes
    ----------
    selection : Selection
        The stars.
    axes : tuple of Axis
        The bins.
    chemistry : Chemistry
        The images.
    solver : Solver
        The factorisation.
    weights : str or None
        Column of the weights that the stars count with; None counts each once.
    """

    selection: Selection = field(default_factory=Selection)
    axes: Annotated[
        tuple[Axis, ...],
        "VARIABLE:COUNT (equal counts) or VARIABLE:COUNT:LOW:HIGH; one or two.",
        Option("--bins", keyword="bins", form=AXES),
    ] = DEFAULT_AXES
    chemistry: Chemistry = field(default_factory=Chemistry)
    solver: Solver = field(default_factory=Solver)
    weights: Annotated[
        str | None, "Column of weights that the stars count with, such as one over the probability of selection."
    ] = None

    def __post_init__(self) -> None:
        measured = self.chemistry.variables if self.chemistry.missing == DROP else ()
        if self.selection.measured != measured:
            object.__setattr__(self, "selection", dataclasses.replace(self.selection, measured=measured))

    @classmethod
    def of(cls, **choices: Unpack[FitChoices]) -> FitSettings:
        """Return the default settings with some choices changed, as `replace` takes them.

        Examples
        --------
        >>> settings = FitSettings.of(selection="retrograde", bins="E:5,Lz:5", pixels=20, components=3)
        >>> settings.solver.components
        3
        """
        return cls().replace(**choices)

    def replace(self, **choices: Any) -> FitSettings:
        """Return these settings with some choices changed.

        Parameters
        ----------
        **choices
            ``selection``, ``axes``, ``chemistry``, ``solver`` or ``weights``; any field of `Selection` (but its name,
            which is ``selection``) or `Solver`; ``bins`` as text, such as ``"E:8,Lz:8"``; ``pixels``; ``missing``;
            ``planes`` as texts such as ``"AL_FE:FE_H"``, or `Plane`; ``ranges`` as texts such as ``"FE_H:-2.5:0.7"``,
            or limits by name.

        Raises
        ------
        UsageError
            An unknown name, or a text that cannot be read.
        """
        parts: dict[str, Any] = {name: choices.pop(name) for name in _PARTS if name in choices}
        selection, solver = parts.get("selection", self.selection), parts.get("solver", self.solver)
        if isinstance(selection, str):
            selection = dataclasses.replace(self.selection, name=selection)
        if "bins" in choices and "axes" in parts:
            raise UsageError("bins and axes mean the same; give one of them.")
        axes = choices.pop("bins") if "bins" in choices else parts.get("axes", self.axes)
        chemistry = parts.get("chemistry", self.chemistry)
        images = {name: choices.pop(name) for name in _IMAGES if name in choices}
        weights = choices.pop("weights", self.weights)
        unknown = sorted(choices.keys() - _SELECTION - _SOLVER)
        if unknown:
            known = sorted({*_PARTS, *_SELECTION, *_SOLVER, *_IMAGES, "bins", "weights"})
            raise UsageError(f"a fit has no setting {', '.join(unknown)}; it has {', '.join(known)}.")
        return FitSettings(
            selection=dataclasses.replace(selection, **{n: x for n, x in choices.items() if n in _SELECTION}),
            axes=as_axes(axes),
            chemistry=_images(chemistry, **images) if images else chemistry,
            solver=dataclasses.replace(solver, **{n: x for n, x in choices.items() if n in _SOLVER}),
            weights=weights,
        )

    def refuse_weights(self, what: str) -> None:
        """Raise UsageError where stars have weights, or are balanced; `what` counts each once."""
        if self.weights is not None:
            raise UsageError(f"{what} counts every star once; leave the weights ({self.weights}) out.")
        if self.chemistry.missing == BALANCE:
            raise UsageError(f"{what} counts every star once; take missing count or drop, not {BALANCE}.")

    def record(self) -> dict[str, Any]:
        """Return the settings as files hold them: the fields of all parts on one level."""
        selection = dataclasses.asdict(self.selection)
        selection.pop("measured")  # follows from the rest
        chemistry = self.chemistry.record()
        lacking = {name: chemistry.pop(name) for name in ("missing",) if name in chemistry}
        return {
            "selection": selection.pop("name"),
            **selection,
            "axes": self.axes,
            "chemistry": chemistry,
            **dataclasses.asdict(self.solver),
            # what a file of older versions lacks is not written where it is not used
            **({} if self.weights is None else {"weights": self.weights}),
            **lacking,
        }


_PARTS = ("selection", "axes", "chemistry", "solver")
_IMAGES = ("planes", "ranges", "pixels", "missing")
_SELECTION = {one.name for one in dataclasses.fields(Selection)} - {"name", "measured"}
_SOLVER = {one.name for one in dataclasses.fields(Solver)}


def _texts(texts: str | Sequence[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _images(
    chemistry: Chemistry,
    *,
    planes: Any = None,
    ranges: Any = None,
    pixels: int | None = None,
    missing: str | None = None,
) -> Chemistry:
    given = chemistry.planes if planes is None else (planes,) if isinstance(planes, str | Plane) else planes
    chosen = tuple(parse_plane(plane) if isinstance(plane, str) else plane for plane in given)
    if ranges is None:
        wanted = {name for plane in chosen for name in (plane.x, plane.y)}
        limits = {name: pair for name, pair in chemistry.ranges if name in wanted}
    else:
        limits = dict(ranges) if isinstance(ranges, Mapping) else parse_ranges(_texts(ranges))
    number = chemistry.pixels if pixels is None else pixels
    lacking = chemistry.missing if missing is None else missing
    if planes is None and ranges is None:
        return dataclasses.replace(chemistry, pixels=number, missing=lacking)
    return Chemistry.of(chosen, limits, number, lacking)


def settings_of(record: Mapping[str, Any]) -> FitSettings:
    """Return the settings whose `FitSettings.record` a file holds."""
    chemistry = record["chemistry"]
    return FitSettings.of(
        **{
            **record,
            "axes": tuple(Axis(**axis) for axis in record["axes"]),
            "chemistry": Chemistry(
                tuple(Plane(**plane) for plane in chemistry["planes"]),
                tuple((name, (float(limits[0]), float(limits[1]))) for name, limits in chemistry["ranges"]),
                chemistry["pixels"],
            ),
        }
    )


@dataclass(frozen=True)
class Elsewhere:
    """Other stars than those of a fit, and another device.

    Attributes
    ----------
    selection : str or None
        Name of another selection than the fit's, whose limits it keeps.
    cuts : tuple of str or None
        Conditions in place of the fit's.
    device : str
        As in `Solver`.
    zeropoints : str or None
        Table of zero points for stars of another survey, or ``none``; see `zeropoints.on_scale`.
    """

    selection: Annotated[str | None, "Another selection than the fit's.", Option(choices=SELECTIONS)] = None
    cuts: Cuts | None = None
    device: Device = Solver.device
    zeropoints: Annotated[
        str | None, "For stars of another survey: a table from halonmf zeropoints, or none to take them as they are."
    ] = None

    def change(self, settings: FitSettings) -> FitSettings:
        """Return the settings of a fit with these changes."""
        selection = as_selection(self.selection, settings.selection)
        if self.cuts is not None:
            selection = dataclasses.replace(selection, cuts=self.cuts)
        return settings.replace(selection=selection, device=self.device)


INTERVALS = ("percentile", "basic", "bias-corrected", "centred")
"""Types of intervals from replicates; see `intervals.TYPES`."""
RECOMMENDED = "centred"
"""The type that, at worst, covers most of what it is to cover: see docs/uncertainties.md."""


@dataclass(frozen=True)
class Bootstrap:
    """Replicates behind the intervals of a product.

    Attributes
    ----------
    replicates : int
        How many; 0 for no intervals.
    seed : int
        Of the replicates.

    Raises
    ------
    UsageError
        A single replicate, which has no spread.
    """

    replicates: Annotated[
        int,
        "Bootstrap replicates behind the intervals; 0 for no intervals.",
        Option("--bootstrap", keyword="bootstrap", minimum=0),
    ] = 200
    seed: Annotated[int, "Seed of the replicates."] = 0

    def __post_init__(self) -> None:
        if self.replicates == 1 or self.replicates < 0:
            raise UsageError(
                f"bootstrap must be 0, for no intervals, or two replicates and more; got {self.replicates}."
            )


@dataclass(frozen=True)
class LikelihoodSettings:
    """Intervals of the profile likelihood; see `likelihood.likelihood`.

    Attributes
    ----------
    level : float
        Probability of the intervals.
    """

    level: Annotated[float, "Probability of the intervals."] = 0.68
