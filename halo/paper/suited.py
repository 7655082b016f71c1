"""Bins and pixels that a sample has stars enough for: the paper's, or those that the verdict on its fit advises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..ensembles.setups import PIXELS, vary_pixels
from ..errors import HalonmfError, InputError
from ..fits.fit import Fit
from ..fits.fit import fit as fit_components
from ..fits.settings import DEFAULT_AXES, FitSettings
from ..fits.verdict import LIMITS, UNSOUND, Verdict, out_of_order, suggested
from ..mixtures.settings import AXES, Chemistry
from ..products.four import Four
from ..stars.catalogue import Catalogue
from ..stars.clusters import described, members, number_by_cluster
from ..stars.selection import select
from .settings import PaperSettings


@dataclass(frozen=True)
class Suited:
    """Settings that a selection was found to have stars enough for.

    Attributes
    ----------
    settings : FitSettings
        The paper's, or others.
    verdict : Verdict or None
        On their fit; None where they were given.
    said : str
        What was changed and why; empty where nothing was.
    refused : str
        Why no fit of the selection is to be trusted; empty where one is, or the settings were given.
    """

    settings: FitSettings
    verdict: Verdict | None = None
    said: str = ""
    refused: str = ""

    def require(self) -> None:
        """Raise where no fit is to be trusted.

        Raises
        ------
        InputError
            That.
        """
        if self.refused:
            raise InputError(self.refused)

    def checked(self, four: Four) -> Four:
        """Return four components; of few stars, for which the settings were changed, only those that are to be trusted.

        Raises
        ------
        InputError
            The others.
        """
        unsound = [part for part in four.parts if part.verdict.word == UNSOUND] if self.said else []
        if unsound:
            said = (f"{' and '.join(part.names)}: {'; '.join(part.verdict.reasons)}" for part in unsound)
            raise InputError(f"a fit of a part of the split sample is not to be trusted. {'. '.join(said)}.")
        return four


class Choices:
    """The settings of the fits of a sample's selections: those that were given, the paper's, or what its stars allow.

    Attributes
    ----------
    table : Table
        Prepared stars.
    settings : PaperSettings
        What was given.
    """

    def __init__(self, table: Any, settings: PaperSettings) -> None:
        self.table, self.settings = table, settings
        self._found: dict[str, Suited] = {}

    def of(self, selection: str) -> Suited:
        """Return the settings of a selection."""
        if selection not in self._found:
            given = self.settings
            paper = FitSettings.of(selection=selection, seed=given.seed, device=given.device)
            if given.axes is not None or given.pixels is not None:
                pixels = given.pixels or paper.chemistry.pixels
                self._found[selection] = Suited(paper.replace(axes=given.axes or paper.axes, pixels=pixels))
            else:
                try:
                    self._found[selection] = suit(self.table, paper)
                except HalonmfError as error:
                    self._found[selection] = Suited(paper, refused=str(error))
        return self._found[selection]

    def configurations(self, selection: str) -> tuple[FitSettings, ...]:
        """Return the settings over whose numbers of pixels the fractions of a selection are averaged."""
        settings = self.of(selection).settings
        return vary_pixels(settings, numbers_of_pixels(settings))

    def said(self, selections: Sequence[str]) -> tuple[str, ...]:
        """Return what was changed in any of these selections, and why, whether it was asked for before or not."""
        return tuple(found.said for found in map(self.of, selections) if found.said)


def suit(table: Any, settings: FitSettings) -> Suited:
    """Return bins and pixels with which the fit of a selection is to be trusted, those of the settings if they will do.

    Parameters
    ----------
    table : Table
        Prepared stars.
    settings : FitSettings
        Of two components.

    Raises
    ------
    InputError
        Too few stars for any fit.
    """
    first = fit_components(table, settings)
    if first.verdict.word != UNSOUND:
        return Suited(settings, first.verdict)
    _, bins, _, pixels = suggested(first).split()
    other = settings.replace(bins=bins, pixels=int(pixels))
    second = fit_components(table, other) if other != settings else first
    stars = f"the {int(first.mixtures.n_stars.sum()):,} {settings.selection.name.replace('-', ' ')} stars"
    if second.verdict.word == UNSOUND:
        tried = " or ".join(dict.fromkeys((layout(settings), layout(other))))
        return Suited(
            other, second.verdict,
            refused=f"with {tried} no fit of {stars} is to be trusted: {'; '.join(second.verdict.reasons)}. Take more "
            "stars; --bins and --pixels make a fit all the same.",
        )  # fmt: skip
    said = (
        f"{layout(other)} for {stars}: a fit with {layout(settings)} is not to be trusted "
        f"({'; '.join(first.verdict.reasons)}), this one is {second.verdict.word}"
    )
    return Suited(other, second.verdict, said)


def layout(settings: FitSettings) -> str:
    """Return bins and pixels in words, such as "bins E:8,Lz:8 and 50 pixels"."""
    return f"bins {AXES.write(settings.axes)} and {settings.chemistry.pixels} pixels"


def as_in_the_paper(settings: FitSettings) -> bool:
    """Whether bins and pixels are those of the paper."""
    return settings.axes == DEFAULT_AXES and settings.chemistry.pixels == Chemistry.pixels


def numbers_of_pixels(settings: FitSettings) -> tuple[int, ...]:
    """Return l of the configurations that errors are taken over: the paper's, or none finer than what was chosen."""
    chosen = settings.chemistry.pixels
    return PIXELS if chosen == Chemistry.pixels else (*(l for l in PIXELS if l < chosen), chosen)  # noqa: E741


def require_names(fit: Fit) -> None:
    """Raise where two components are not what LE and HE mean.

    Raises
    ------
    InputError
        The one of higher energy has the higher mean [Al/Fe].
    """
    order = out_of_order(fit.H, fit.mixtures.chemistry)
    if order:
        raise InputError(f"{order}. Take other bins and pixels, more stars, or the clusters out of them.")


def without_clusters(catalogue: Catalogue, selections: tuple[str, ...]) -> tuple[Catalogue, str]:
    """Return stars without those of globular clusters, where these are too many for a sound fit; and which they were.

    The paper's sample has no members of clusters.

    Parameters
    ----------
    catalogue : Catalogue
        Prepared stars.
    selections : tuple of str
        Of which clusters may be too large a part.
    """
    table = catalogue.table
    names = members(table)
    of = names != ""
    masks = [select(table, selection)[0] for selection in selections] if of.any() else []
    if not any(of[mask].mean() > LIMITS["clusters"].doubtful for mask in masks if mask.any()):
        return catalogue, ""
    flow = catalogue.cutflow.removing("in place and motion of a globular cluster", int(of.sum()))
    said = (
        f"{described(number_by_cluster(names))} by place and motion; prepare --clusters remove takes them out for good"
    )
    return replace(catalogue, table=table[~of], cutflow=flow), said
