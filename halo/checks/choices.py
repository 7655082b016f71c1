"""Choices that an analysis makes and could have made otherwise, each with its alternatives to the base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..fits.settings import DIVERGENCE, FitSettings
from ..mixtures.settings import Chemistry
from ..orbits.convention import TITLES
from ..orbits.settings import ECCENTRICITIES, POTENTIALS
from ..products.settings import PROFILES, ApplySettings
from ..stars.clusters import NEEDED
from ..stars.variables import SKY, VARIABLES
from ..survey.settings import ALL_FLAGS, NO_FLAGS
from .settings import SCALES

BINS = (5, 6, 7, 8, 9, 10, 12)
PIXELS = (10, 20, 30, 40, 50, 60)
NUMERICAL = ("convergence", "start")
"""Choices of the solver. They move no number that is quoted, and are not drawn together with the others."""
WIDTHS = (-0.05, 0.05, 0.1)
"""How much further the images reach on either side, in parts of their width."""


@dataclass(frozen=True)
class Recipe:
    """All that the headline numbers of an analysis come from; where nothing is said, the base.

    Attributes
    ----------
    source : str
        Name of another catalogue.
    prepare : mapping
        Settings of `prepare`, other than the base catalogue's; ``members`` False for no members file.
    distance : str
        Column of other distances.
    distance_scale : float
        Multiplies the distances.
    potential, eccentricity : str
        As in `orbits.kinematics`; empty for those of the catalogue.
    cuts : tuple of str
        Further conditions on the stars.
    no_clusters : bool
        Take out stars in place and motion of a globular cluster.
    fit : mapping
        Settings of the fit, as `FitSettings.replace` takes them.
    profile : mapping
        ``bins`` and ``min_stars`` of the energy profile.
    """

    source: str = ""
    prepare: Mapping[str, Any] = field(default_factory=dict)
    distance: str = ""
    distance_scale: float = 1.0
    potential: str = ""
    eccentricity: str = ""
    cuts: tuple[str, ...] = ()
    no_clusters: bool = False
    fit: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """Return the recipe with an alternative's changes; mappings and cuts are added to those that are there."""
        made = dict(changes)
        for name in ("prepare", "fit", "profile"):
            if name in made:
                made[name] = {**getattr(self, name), **made[name]}
        if "cuts" in made:
            made["cuts"] = (*self.cuts, *made["cuts"])
        return replace(self, **made)

    @property
    def moved(self) -> bool:
        """Whether orbits are computed again."""
        return bool(self.distance or self.potential or self.eccentricity or self.distance_scale != 1.0)


@dataclass(frozen=True)
class Alternative:
    """Another value of one choice.

    Attributes
    ----------
    choice, name : str
        Which, and what it is in place of the base.
    changes : mapping
        Of a `Recipe`.
    """

    choice: str
    name: str
    changes: Mapping[str, Any]


def fit_choices(settings: FitSettings) -> list[Alternative]:
    """Return every alternative of how a fit is made, to the fit of these settings."""
    axes, chemistry, solver = settings.axes, settings.chemistry, settings.solver
    made: list[tuple[str, str, dict[str, Any]]] = []
    for width in WIDTHS:
        moved = {n: (a - width * (b - a), b + width * (b - a)) for n, (a, b) in chemistry.ranges}
        wider = Chemistry.of(chemistry.planes, moved, chemistry.pixels, chemistry.missing)
        made.append(("ranges", f"{100 * width:+.0f} % of the width", {"chemistry": wider}))
    if len(axes) == 2:
        made.append(("nesting", f"{axes[1].variable}, then {axes[0].variable} within", {"axes": axes[::-1]}))
    for q in BINS:
        if any(axis.count != q for axis in axes):
            made.append(("bins", f"q = {q}", {"axes": tuple(replace(axis, count=q) for axis in axes)}))
    made += [("pixels", f"l = {n}", {"pixels": n}) for n in PIXELS if n != chemistry.pixels]
    if len(chemistry.planes) > 1:
        made += [("planes", f"{plane} alone", {"planes": (plane,)}) for plane in chemistry.planes]
    loss = "frobenius" if solver.loss in DIVERGENCE else DIVERGENCE[0]
    made.append(("loss", loss, {"loss": loss}))
    made += [("components", f"k = {k}", {"components": k}) for k in (2, 3, 4) if k != solver.components]
    made += [("convergence", f"tol = {x}", {"tol": float(x)}) for x in ("1e-3", "1e-7") if float(x) != solver.tol]
    made.append(("convergence", "mu", {"update": "mu"}))
    made.append(("start", "random", {"init": "random", "starts": 4}))
    made.append(("start", "nndsvdar", {"init": "nndsvdar"}))
    if settings.selection.name == "chemically-pure":
        least = settings.selection.min_eccentricity
        for limit in (round(least - 0.05, 6), round(least + 0.05, 6)):
            made.append(("eccentricity limit", f"e > {limit:g}", {"min_eccentricity": limit}))
    return [Alternative(choice, name, {"fit": changes}) for choice, name, changes in made]


def profile_choices() -> list[Alternative]:
    """Return every alternative of how the energy profile of a fit is made."""
    few = [
        Alternative("fewest stars", f"{n} stars", {"profile": {"min_stars": n}})
        for n in (1, 5, 20)
        if n != ApplySettings.min_stars
    ]
    name, count, *limits = PROFILES["E"].split(":")
    return few + [
        Alternative("energy bins", f"{n} bins", {"profile": {"bins": ":".join([name, str(n), *limits])}})
        for n in (10, 15, 30, 40)
        if n != int(count)
    ]


def star_choices(
    table: Any,
    record: Mapping[str, Any],
    others: Sequence[str] = (),
    distances: Sequence[str] = (),
    scales: Sequence[float] = SCALES,
    *,
    survey: bool = False,
    members: bool = False,
) -> tuple[list[Alternative], dict[str, str]]:
    """Return every alternative of which stars there are and of their orbits, and what has to be left out and why.

    Parameters
    ----------
    table : Table
        The base's prepared stars.
    record : mapping
        Their provenance.
    others : sequence of str
        Names of further catalogues.
    distances : sequence of str
        Columns of other distances.
    scales : sequence of float
        By which distances are multiplied.
    survey, members : bool
        The survey's own files, and those of cluster members, are there.
    """
    made: list[tuple[str, str, dict[str, Any]]] = []
    left: dict[str, str] = {}
    sky = set(SKY) <= set(table.colnames)
    made += [("distance catalogue", name, {"source": name}) for name in others]
    made += [("distance catalogue", name, {"distance": name}) for name in distances]
    if not others and not distances:
        left["distance catalogue"] = "give further prepared catalogues, or a column with --distance-column"
    if sky:
        made += [("distance scale", f"x {x:g}", {"distance_scale": x}) for x in scales if x != 1]
        orbits = record.get("orbits") or {}
        model = next(m for m in POTENTIALS if TITLES[m] != orbits.get("potential", TITLES[POTENTIALS[0]]))
        made.append(("potential", TITLES[model], {"potential": model}))
        used = str(orbits.get("eccentricity", ECCENTRICITIES[0]))
        other = next(x for x in ECCENTRICITIES if x != used)
        made.append(("eccentricity method", other, {"eccentricity": other}))
    else:
        for choice in ("distance scale", "potential", "eccentricity method"):
            left[choice] = f"the catalogue lacks {', '.join(name for name in SKY if name not in table.colnames)}"
    base = dict(record.get("settings") or {})
    for choice, column, setting, lower, higher in (
        ("log g", "LOGG", "max_logg", (2.0, 2.5), 3.5),
        ("distance limit", "distance", "max_distance", (5.0, 7.0), 15.0),
    ):
        if column in table.colnames:
            limit = float(base.get(setting, float("inf")))
            made += [(choice, f"{column} < {x:g}", {"cuts": (f"{column}<{x:g}",)}) for x in lower if x < limit]
            if survey:
                made.append((choice, f"{column} < {higher:g}", {"prepare": {setting: higher}}))
            else:
                left[f"{choice} above the prepared {limit:g}"] = "give the survey's files with --allstar"
        else:
            left[choice] = f"the catalogue has no {column}"
    if survey:
        ignored = base.get("flags") in (False, NO_FLAGS)
        name, flags = ("applied", ALL_FLAGS) if ignored else ("not applied", NO_FLAGS)
        made.append(("flags", name, {"prepare": {"flags": flags}}))
    else:
        left["flags"] = "give the survey's files with --allstar"
    if all(VARIABLES[name].within(table) for name in NEEDED):
        made.append(("cluster threshold", "none by place and motion", {"no_clusters": True}))
    if survey and members:
        used_limit = float(base.get("member_probability", 0.8))
        for x in (0.5, 0.95):
            if x != used_limit:
                made.append(("cluster threshold", f"probability {x:g}", {"prepare": {"member_probability": x}}))
        made.append(("cluster threshold", "members kept", {"prepare": {"members": False}}))
    else:
        left["probability of cluster members"] = "give the survey's files and --members"
    return [Alternative(*one) for one in made], left
