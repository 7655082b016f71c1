"""How far the headline numbers of an analysis depend on each of its choices, one at a time and all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, UsageError
from ..fits.settings import FitSettings
from ..orbits.convention import check_same, stated
from ..orbits.settings import ECCENTRICITIES, POTENTIALS
from ..progress import Progress, silent
from ..stars.catalogue import Catalogue, StarsLike, read_catalogue
from ..stars.clusters import members as in_clusters
from ..stars.cutflow import CutFlow
from ..stars.cuts import apply_cuts, user_cuts
from ..survey.prepare import PrepareSettings, prepare
from ..survey.recompute import recompute
from .choices import NUMERICAL, Alternative, Recipe, fit_choices, profile_choices, star_choices
from .headlines import HEADLINES, headlines
from .movements import BASE, TOGETHER, Row, Sensitivity
from .settings import SCALES, SensitivitySettings


@dataclass(frozen=True)
class SurveyFiles:
    """The files that the base catalogue was prepared from, as `prepare` takes them.

    Attributes
    ----------
    allstar, astronn, members, columns : path
        As in `prepare`.
    """

    allstar: str | Path
    astronn: str | Path | None = None
    members: str | Path | None = None
    columns: str | Path | None = None

    def again(self, record: Mapping[str, Any], changes: Mapping[str, Any]) -> Catalogue:
        """Return the stars prepared as a record says, but for some changes."""
        known = {one.name for one in fields(PrepareSettings)}
        said = {name: x for name, x in (record.get("settings") or {}).items() if name in known}
        said = {name: tuple(x) if isinstance(x, list) else x for name, x in said.items()}
        changes = dict(changes)
        kept = changes.pop("members", True)
        settings = replace(PrepareSettings(**said), **changes)
        return prepare(
            self.allstar, self.astronn, self.members if kept else None, columns=self.columns, settings=settings
        )


def sensitivity(
    stars: StarsLike,
    others: Mapping[str, StarsLike] | None = None,
    settings: FitSettings | None = None,
    *,
    survey: SurveyFiles | None = None,
    choices: Sequence[str] = (),
    scales: Sequence[float] = SCALES,
    distances: Sequence[str] = (),
    draws: int = SensitivitySettings.draws,
    seed: int = SensitivitySettings.seed,
    progress: Progress = silent,
) -> Sensitivity:
    """Return the headline numbers under every alternative of every choice, one at a time and all drawn together.

    Parameters
    ----------
    stars : Table, Catalogue or path
        Prepared stars, the base.
    others : mapping of str to Table, Catalogue or path, optional
        The survey prepared with other distances, by name; of the same convention of energies.
    settings : FitSettings, optional
        Of the base's fit; the paper's by default.
    survey : SurveyFiles, optional
        The files that the stars were prepared from: with them the choices that only they can change are varied too.
    choices : sequence of str
        Vary these alone, by default all.
    scales : sequence of float
        By which all distances are multiplied.
    distances : sequence of str
        Columns of other distances.
    draws : int
        Analyses in which every choice is drawn, the base and each alternative being equally probable. Choices that
        prepare the survey again, and those of the solver, are left out of these; integrated orbits are drawn only with
        the base's orbits.
    seed : int
        Of the draws.
    progress : callable, optional
        Called as progress("analyses", done, in all).

    Returns
    -------
    Sensitivity

    Raises
    ------
    InputError
        Stars that cannot be read or fitted, or energies of different conventions.
    UsageError
        An unknown choice, or numbers that make no sense.

    Examples
    --------
    >>> from halonmf import halo
    >>> found = halo.sensitivity("stars.fits", {"photogeo": "photogeo.fits"}, draws=0)  # doctest: +SKIP
    >>> found.widest("E at 50 %")[0]  # doctest: +SKIP
    """
    settings, others = settings or FitSettings(), dict(others or {})
    if draws < 0 or any(not (np.isfinite(x) and x > 0) for x in scales):
        raise UsageError(f"draws must be >= 0 and scales above 0; got {draws}, {tuple(scales)}.")
    base = _catalogue(stars)
    sources = {name: _catalogue(other) for name, other in others.items()}
    for name, other in sources.items():
        said = stated(other.table.meta)
        check_same(said, stated(base.table.meta), f"the base's, of which {name} would be an alternative")
    given = survey is not None
    listed, left = star_choices(
        base.table, base.provenance, tuple(sources), distances, scales,
        survey=given, members=survey is not None and survey.members is not None,
    )  # fmt: skip
    listed += [*fit_choices(settings), *profile_choices()]
    known = tuple(dict.fromkeys([one.choice for one in listed]))
    unknown = [name for name in choices if name not in known]
    if unknown:
        why = "".join(f" ({name}: {left[name]})" for name in unknown if name in left)
        raise UsageError(f"no choice {', '.join(unknown)} to vary{why}; there are {', '.join(known)}.")
    if choices:
        listed, left = [one for one in listed if one.choice in choices], {}
    kitchen = _Kitchen(base, sources, survey, settings)
    drawn, together = _drawn(listed, draws, seed)
    total = 1 + len(listed) + len(drawn)
    rows = [Row(BASE, "", *kitchen.serve(Recipe(), strict=True))]
    progress("analyses", 1, total)
    for one in listed:
        rows.append(Row(one.choice, one.name, *kitchen.serve(Recipe().changed(one.changes))))
        progress("analyses", len(rows), total)
    for name, recipe in drawn:
        rows.append(Row(TOGETHER, name, *kitchen.serve(recipe)))
        progress("analyses", len(rows), total)
    return Sensitivity(tuple(rows), left, together, stated(base.table.meta))


def _catalogue(stars: StarsLike) -> Catalogue:
    if isinstance(stars, str | Path):
        return read_catalogue(stars)
    return stars if isinstance(stars, Catalogue) else Catalogue(stars, CutFlow(len(stars)))


def _drawn(listed: Sequence[Alternative], draws: int, seed: int) -> tuple[list[tuple[str, Recipe]], tuple[str, ...]]:
    """Return recipes with every choice drawn, each with a name, and the choices that they vary."""
    groups: dict[str, list[Alternative]] = {}
    for one in listed:
        if not one.changes.get("prepare") and one.choice not in NUMERICAL:
            groups.setdefault(one.choice, []).append(one)
    rng, made = np.random.default_rng(seed), []
    for _ in range(draws if groups else 0):
        taken = [group[i - 1] for group in groups.values() if (i := int(rng.integers(len(group) + 1)))]
        others = any({"source", "distance", "distance_scale", "potential"} & set(one.changes) for one in taken)
        if others:  # integrated orbits of all stars take a minute: they are drawn with the base's orbits alone
            taken = [one for one in taken if one.changes.get("eccentricity") != "orbit"]
        recipe = Recipe()
        for one in taken:
            recipe = recipe.changed(one.changes)
        made.append(("; ".join(f"{one.choice}: {one.name}" for one in taken) or BASE, recipe))
    return made, tuple(groups)


@dataclass
class _Kitchen:
    """Makes the headline numbers of a recipe; stars whose orbits are there already are not made again."""

    base: Catalogue
    sources: Mapping[str, Catalogue]
    survey: SurveyFiles | None
    settings: FitSettings
    _kept: dict[str, Any] = field(default_factory=dict)

    def serve(self, recipe: Recipe, *, strict: bool = False) -> tuple[dict[str, float], str]:
        """Return the numbers, and what went wrong; numbers are NaN where the analysis cannot be made."""
        try:
            table = self._stars(recipe)
            return headlines(table, self.settings.replace(**recipe.fit), **recipe.profile)
        except (InputError, UsageError) as error:  # such as too few stars for the bins
            if strict:
                raise
            return dict.fromkeys(HEADLINES, float("nan")), str(error)

    def _stars(self, recipe: Recipe) -> Any:
        table = self._orbits(recipe)
        if recipe.cuts:
            table = table[apply_cuts(table, user_cuts(recipe.cuts))[0]]
        if recipe.no_clusters:
            table = table[in_clusters(table) == ""]
        return table

    def _orbits(self, recipe: Recipe) -> Any:
        bare = Recipe(
            recipe.source, recipe.prepare, recipe.distance, recipe.distance_scale, recipe.potential, recipe.eccentricity
        )
        key = repr(bare)
        if key not in self._kept:
            self._kept[key] = self._made(bare)
        return self._kept[key]

    def _made(self, recipe: Recipe) -> Any:
        found = self.sources[recipe.source] if recipe.source else self.base
        if recipe.prepare:
            assert self.survey is not None
            found = self.survey.again(self.base.provenance, recipe.prepare)
        if not recipe.moved:
            return found.table
        orbits = found.provenance.get("orbits") or {}
        used = str(orbits.get("eccentricity", ECCENTRICITIES[0]))
        own_potential = "mwpotential2014" if orbits.get("potential") == "MWPotential2014" else POTENTIALS[0]
        return recompute(
            found,
            potential=recipe.potential or own_potential,
            eccentricity=recipe.eccentricity or used,
            backend="auto" if recipe.potential else str(orbits.get("backend", "auto")),
            distance=recipe.distance,
            distance_scale=recipe.distance_scale,
        ).table
