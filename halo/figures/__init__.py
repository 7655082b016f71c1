"""Figures: what is computed elsewhere, drawn. Every function returns a `Picture`, and `save` writes it.

A figure is a function in a file of its subject, with its caption and its alternative text below it. It is named here
twice: in `_HOME`, which says where it is, and for the type checker. A file never has the name of a function here, so
that ``figures.fractions`` is always the function. Naming this package loads no matplotlib; asking for a figure does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aurora import aurora_maps as aurora_maps
    from .bifurcation import branches as branches
    from .both import analyses as analyses
    from .both import comparison as comparison
    from .compared import fits_compared as fits_compared
    from .distributions import densities as densities
    from .distributions import eccentricities as eccentricities
    from .ensembles import ensemble as ensemble
    from .fit import components as components
    from .four import four_components as four_components
    from .galaxies import simulations as simulations
    from .injection import injections as injections
    from .memberships import reliabilities as reliabilities
    from .overview import NAMES as NAMES
    from .overview import every as every
    from .overview import summary as summary
    from .penalties import search as search
    from .picture import Picture as Picture
    from .picture import save as save
    from .profiles import fractions as fractions
    from .rank import ranks as ranks
    from .recoveries import galaxy_recovery as galaxy_recovery
    from .regions import energies as energies
    from .regions import labelled_component as labelled_component
    from .selections import selection_maps as selection_maps
    from .sensitivity import tornado as tornado
    from .spreads import distance_fractions as distance_fractions
    from .spreads import energy_fractions as energy_fractions
    from .spreads import four_fractions as four_fractions
    from .stability import stabilities as stabilities
    from .stars import chemistry as chemistry
    from .stars import sample as sample

_HOME = {
    "NAMES": "overview",
    "Picture": "picture",
    "analyses": "both",
    "aurora_maps": "aurora",
    "branches": "bifurcation",
    "chemistry": "stars",
    "comparison": "both",
    "components": "fit",
    "densities": "distributions",
    "distance_fractions": "spreads",
    "eccentricities": "distributions",
    "energies": "regions",
    "energy_fractions": "spreads",
    "ensemble": "ensembles",
    "every": "overview",
    "fits_compared": "compared",
    "four_components": "four",
    "four_fractions": "spreads",
    "fractions": "profiles",
    "galaxy_recovery": "recoveries",
    "injections": "injection",
    "labelled_component": "regions",
    "ranks": "rank",
    "reliabilities": "memberships",
    "sample": "stars",
    "save": "picture",
    "search": "penalties",
    "selection_maps": "selections",
    "simulations": "galaxies",
    "stabilities": "stability",
    "summary": "overview",
    "tornado": "sensitivity",
}
"""The file of every public name."""

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
