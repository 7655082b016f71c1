"""What the paper's products are made from: each fit, ensemble and truth computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..ensembles.setups import Setups, over_setups
from ..ensembles.spread import Spread, spreads
from ..errors import HalonmfError, InputError
from ..fits.apply import Application, apply
from ..fits.bootstrap import Refits, refit
from ..fits.fit import Fit
from ..fits.fit import fit as fit_components
from ..fits.settings import FitSettings
from ..mixtures.settings import Chemistry, parse_axes
from ..mock.truth import Truth, model_of, population_images, read_truth, true_application, true_fit
from ..products.boundary import Boundary, boundary_of, grid_axes
from ..products.four import Four, split
from ..products.overview import MAP_AXES, PROFILES
from ..progress import Progress, part_of, silent, stage
from ..replicates.four import four_replicates
from ..replicates.replicate import Base, begin, reduce, usable
from ..replicates.sample import Stars
from ..replicates.setup import Setup
from ..replicates.table import key
from ..simulations.particles import Galaxy
from ..stars.clusters import members, number_by_cluster
from ..stars.variables import VARIABLES as COLUMNS
from .galaxies import mock_galaxy
from .numbers import products_of, two_components
from .recommended import Recommended, recommended
from .settings import PaperSettings as PaperSettings
from .suited import Choices, require_names

CHEMICAL, KINEMATIC = "chemically-pure", "kinematically-pure"
SELECTIONS = (CHEMICAL, KINEMATIC)
VARIABLES = ("E", "r", "z", "R")
"""Variables of the paper's profiles."""
DISTANCES = ("r", "z", "R")


@dataclass(frozen=True)
class Two:
    """Two components of one selection.

    Attributes
    ----------
    base : Base
        Their fit and its products.
    applications : dict of str to Application
        The fit applied to the bins of each variable of `VARIABLES`.
    map : Application
        To the regular grid of E and Lz.
    line : Boundary
        Between them.
    numbers : dict of str to float
        The paper's, by id.
    """

    base: Base
    applications: dict[str, Application]
    map: Application
    line: Boundary
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def boundary(self) -> Boundary:
        """The line between them, under the name that other analyses have for it."""
        return self.line

    @property
    def fit(self) -> Fit:
        """The components."""
        return self.base.fit

    @property
    def stars(self) -> Any:
        """The stars of the selection."""
        return self.base.sample.stars


class Study:
    """A sample and what is computed of it, each thing once.

    Attributes
    ----------
    table : Table
        Prepared stars.
    settings : PaperSettings
        Choices.
    truth_file : Path or None
        A mock's truth.
    galaxies : tuple of Galaxy
        Simulated galaxies to show beside the sample.
    progress : callable
        Called with (stage, done, total).
    """

    def __init__(
        self,
        table: Any,
        settings: PaperSettings,
        *,
        truth_file: Path | None = None,
        galaxies: tuple[Galaxy, ...] = (),
        progress: Progress = silent,
    ) -> None:
        self.table, self.settings, self.truth_file = table, settings, truth_file
        self._galaxies, self.choices = galaxies, Choices(table, settings)
        self.progress = progress
        self._once: dict[Hashable, Any] = {}
        self._replicates: dict[str, dict[str, np.ndarray]] = {}
        self._setups: dict[str, Setups] = {}

    def once(self, name: Hashable, make: Callable[[], Any]) -> Any:
        """Return what `make` makes when a name is first asked for, and raise again what it raised then."""
        if name not in self._once:
            try:
                self._once[name] = make()
            except HalonmfError as error:
                self._once[name] = error
        found = self._once[name]
        if isinstance(found, HalonmfError):
            raise found
        return found

    @property
    def is_mock(self) -> bool:
        """Whether the truth is known."""
        return self.truth_file is not None

    @property
    def galaxies_are_mock(self) -> bool:
        """Whether there are no galaxies but a mock, which only a mock survey is shown beside."""
        return self.is_mock and not self._galaxies

    @cached_property
    def galaxies(self) -> tuple[Galaxy, ...]:
        """Simulated galaxies."""
        return (mock_galaxy(),) if self.galaxies_are_mock else self._galaxies

    @cached_property
    def stars(self) -> Stars:
        """The prepared stars, each selection made once."""
        return Stars(self.table)

    def fit_settings(self, selection: str) -> FitSettings:
        """Return the settings of a fit of two components."""
        return self.choices.of(selection).settings

    def two(self, selection: str) -> Two:
        """Return two components of a selection.

        Raises
        ------
        InputError
            Too few stars, or no fit of them that is to be trusted.
        """
        return self.once(("two", selection), lambda: self._fit_two(selection))

    def _fit_two(self, selection: str) -> Two:
        suited = self.choices.of(selection)
        suited.require()
        base = begin(self.stars, Setup(suited.settings))
        require_names(base.fit)
        clusters = number_by_cluster(members(base.sample.stars)[base.fit.mixtures.rows >= 0])
        found = replace(base.fit, clusters=clusters)
        base = replace(base, fit=replace(found, judged=suited.verdict or found.verdict))
        # the paper reads fractions and crossings off the mean over configurations of l
        means = {key("fraction", name): x.mean(axis=0) for name, x in self.setups(selection).fractions.items()}
        return Two(
            base=base,
            applications={name: apply(base.fit, self.table, parse_axes(PROFILES[name])) for name in self.variables},
            map=apply(base.fit, self.table, parse_axes(MAP_AXES)),
            line=boundary_of(apply(base.fit, self.table, grid_axes())),
            numbers=two_components(selection, base.products | means, base.coordinates),
        )

    def recommended(self, selection: str) -> Recommended:
        """Return the recommended analysis of a selection.

        Raises
        ------
        InputError
            Too few stars, or stars that call for one component.
        """
        stage = f"recommended analysis, {selection.replace('-', ' ')}"
        number = self.settings.bootstrap if self.settings.bootstrap > 1 else 0

        def make() -> Recommended:
            return recommended(
                self.stars,
                FitSettings.of(selection=selection, seed=self.settings.seed, device=self.settings.device),
                replicates=number,
                progress=lambda what, done, total: self.progress(f"{stage}: {what}", done, total),
            )

        return self.once(("recommended", selection), make)

    def replicates(self, selection: str) -> dict[str, np.ndarray]:
        """Return every product of the bootstraps of a selection that converged and were matched; none where none."""
        if selection not in self._replicates:
            number, base = self.settings.bootstrap, self.two(selection).base
            if number == 0:
                return {}
            stage, parts = f"bootstraps, {selection.replace('-', ' ')}", []
            for first in range(0, number, 50):
                self.progress(stage, first, number)
                parts.append(reduce(base, first, min(50, number - first)))
            self.progress(stage, number, number)
            made = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            good = usable(made)
            self._replicates[selection] = {name: x[good] for name, x in made.items()}
        return self._replicates[selection]

    def replicate_numbers(self, selection: str) -> list[dict[str, float]]:
        """Return the paper's numbers of each bootstrap."""
        made, coordinates = self.replicates(selection), self.two(selection).base.coordinates
        number = len(made["loss"]) if made else 0
        return [two_components(selection, {name: x[b] for name, x in made.items()}, coordinates) for b in range(number)]

    @cached_property
    def four(self) -> Four:
        """The chemically pure sample split at its boundary, and two components in each part."""
        two = self.two(CHEMICAL)
        return self.choices.of(CHEMICAL).checked(split(two.fit, self.table, line=two.line))

    @cached_property
    def no_four(self) -> str:
        """Why the sample makes no four components; empty where it does."""
        try:
            _ = self.four, self.four_spreads
        except HalonmfError as error:
            return f"no four components: {error}"
        return ""

    @property
    def parts(self) -> tuple[Fit, ...]:
        """The fits of the parts of the split sample; none where there are none."""
        return () if self.no_four else self.four.parts

    @cached_property
    def refits(self) -> tuple[Refits, ...]:
        """Bootstrap replicates of the fit of two components and of the parts of the split sample."""
        fits = (self.two(CHEMICAL).fit, *self.parts)
        found = []
        for i, fit in enumerate(fits):
            told = part_of(self.progress, "bootstraps of the parts", i, len(fits))
            found.append(refit(fit, self.settings.bootstrap, seed=self.settings.seed, progress=told))
        return tuple(found)

    def spreads(self, selection: str) -> dict[str, Spread]:
        """Return the fractions along every variable: means over the configurations of l, with both of their errors."""
        made = self.replicates(selection)
        noise = {name: made[key("fraction", name)] for name in self.variables} if made else None
        return spreads(self.setups(selection), noise)

    def setups(self, selection: str) -> Setups:
        """Return the fractions along every variable in every configuration of l."""
        if selection not in self._setups:
            with stage(self.progress, f"numbers of pixels, {selection.replace('-', ' ')}"):
                configurations = self.choices.configurations(selection)
                self._setups[selection] = over_setups(self.table, configurations, self.variables)
        return self._setups[selection]

    @property
    def variables(self) -> tuple[str, ...]:
        """Those of `VARIABLES` that the stars have."""
        return tuple(name for name in VARIABLES if COLUMNS[name].column in self.table.colnames)

    @cached_property
    def four_spreads(self) -> dict[str, Spread]:
        """The fractions of the four components against distances; each configuration of l splits the sample itself."""

        def find(table: Any, settings: FitSettings) -> Fit:
            return split(fit_components(table, settings), table).fit

        there = [name for name in self.variables if name in DISTANCES]
        if not there:
            return {}
        setups = over_setups(self.table, self.choices.configurations(CHEMICAL), there, find=find)
        return spreads(setups, self.four_noise)

    @cached_property
    def four_noise(self) -> dict[str, np.ndarray]:
        """The fractions of the four components in every replicate, by variable; none without replicates."""
        number = self.settings.bootstrap
        return four_replicates(self.four, self.stars, number, seed=self.settings.seed) if number > 1 else {}

    def truth(self, selection: str) -> Truth:
        """Return where the stars of a selection came from.

        Raises
        ------
        InputError
            No mock, or a truth of other stars.
        """
        if self.truth_file is None:
            raise InputError("the truth is known of a mock survey only.")
        return read_truth(self.truth_file, self.stars.sample(self.fit_settings(selection).selection).stars)

    def true_line(self, selection: str) -> Boundary:
        """Return where the boundary of a mock's selection truly is."""
        return boundary_of(true_application(self.two(selection).line.application, self.truth(selection).accreted))

    def true_numbers(self, selection: str, of: Two | Recommended | None = None) -> dict[str, float]:
        """Return the paper's numbers as they truly are in a mock, had a fit told every star's origin.

        In the bins and images of an analysis: by default those of the paper's two components.
        """
        of, accreted = of or self.two(selection), self.truth(selection).accreted
        applications = {name: true_application(a, accreted) for name, a in of.applications.items()}
        line = boundary_of(true_application(of.boundary.application, accreted))
        products = products_of(true_fit(of.base.fit, accreted), applications, line)
        return two_components(selection, products, of.base.coordinates)

    def population_images(self, chemistry: Chemistry) -> dict[str, np.ndarray]:
        """Return how stars of each of the mock's populations spread over the pixels of a fit's images."""
        return self.once(("population_images", chemistry), lambda: population_images(chemistry, self._many_stars))

    @cached_property
    def _many_stars(self) -> Any:
        from ..mock.survey import expected

        model = model_of(self.truth_file) if self.truth_file else self.settings.model
        rows, seed, surveys = self.settings.rows, self.settings.seed, self.settings.expected
        return expected(rows, seed, oversample=surveys, progress=self.progress, model=model)
