"""From a star catalogue to chemical components of the stellar halo, and from components to science.

The front door: ``from halonmf import halo`` gives every function and type of the pipeline by its name, and loads the
module behind a name when the name is first used. Stars may be given as a table, a `Catalogue` or the path of its file,
fits as a `Fit` or a path, bins as text such as ``"r:10:2:14"``.

Examples
--------
>>> from halonmf import halo
>>> fit = halo.fit("stars.fits", components=2, pixels=50)  # doctest: +SKIP
>>> profile = halo.profile(fit, "stars.fits", "r:10:2:14")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers and editors; a test holds both lists equal
    from . import figures as figures
    from .archives.fetch import fetch as fetch
    from .archives.sample import sample as sample
    from .checks.compare import compare as compare
    from .checks.effort import effort as effort
    from .checks.injection import inject as inject
    from .checks.penalties import search as search
    from .checks.rank import rank as rank
    from .checks.sensitivity import SurveyFiles as SurveyFiles
    from .checks.sensitivity import sensitivity as sensitivity
    from .checks.stability import stability as stability
    from .commands.documents import schema as schema
    from .ensembles.launch import ensemble as ensemble
    from .ensembles.plan import Plan as Plan
    from .ensembles.settings import Cluster as Cluster
    from .ensembles.settings import RunOptions as RunOptions
    from .ensembles.summary import summarise as summarise
    from .fits.apply import apply as apply
    from .fits.bootstrap import refit as refit
    from .fits.files import load as load
    from .fits.files import save as save
    from .fits.fit import Fit as Fit
    from .fits.fit import fit as fit
    from .fits.likelihood import likelihood as likelihood
    from .fits.relate import zeropoints as zeropoints
    from .fits.settings import FitSettings as FitSettings
    from .fits.settings import Solver as Solver
    from .fits.zeropoints import ZeroPoints as ZeroPoints
    from .mixtures.settings import Axis as Axis
    from .mixtures.settings import Chemistry as Chemistry
    from .mixtures.settings import Plane as Plane
    from .pages.report import report as report
    from .paper.recommended import recommended as recommended
    from .populations.aurora import aurora as aurora
    from .populations.bifurcation import bifurcation as bifurcation
    from .populations.regions import region_energies as regions  # noqa: F401
    from .products.boundary import boundary as boundary
    from .products.densities import densities as densities
    from .products.eccentricity import eccentricities as eccentricities
    from .products.four import SplitSettings as SplitSettings
    from .products.four import split as split
    from .products.memberships import memberships as memberships
    from .products.profile import profile as profile
    from .products.record import record as record
    from .products.table1 import table1 as table1
    from .products.tracks import tracks as tracks
    from .replicates.posterior import classifier as classifier
    from .replicates.setup import Setup as Setup
    from .simulations.fractions import simulate as simulate
    from .simulations.observe import observe as observe
    from .simulations.particles import read_galaxy as read_galaxy
    from .simulations.recovery import recover as recover
    from .simulations.settings import ObserveSettings as ObserveSettings
    from .stars.catalogue import Catalogue as Catalogue
    from .stars.selection import select as select
    from .stars.settings import Selection as Selection
    from .survey.prepare import PrepareSettings as PrepareSettings
    from .survey.prepare import prepare as prepare
    from .survey.recompute import recompute as recompute

    __version__: str

_ROOMS = {
    "archives.fetch": ("fetch",),
    "archives.sample": ("sample",),
    "fits.files": ("load", "save"),
    "survey.prepare": ("prepare", "PrepareSettings"),
    "survey.recompute": ("recompute",),
    "stars.catalogue": ("Catalogue",),
    "stars.selection": ("select",),
    "stars.settings": ("Selection",),
    "mixtures.settings": ("Axis", "Plane", "Chemistry"),
    "fits.settings": ("Solver", "FitSettings"),
    "fits.fit": ("fit", "Fit"),
    "fits.apply": ("apply",),
    "fits.bootstrap": ("refit",),
    "fits.likelihood": ("likelihood",),
    "fits.relate": ("zeropoints",),
    "fits.zeropoints": ("ZeroPoints",),
    "products.profile": ("profile",),
    "products.boundary": ("boundary",),
    "products.four": ("split", "SplitSettings"),
    "products.memberships": ("memberships",),
    "products.table1": ("table1",),
    "products.eccentricity": ("eccentricities",),
    "products.densities": ("densities",),
    "products.tracks": ("tracks",),
    "products.record": ("record",),
    "populations.regions": ("regions",),
    "populations.bifurcation": ("bifurcation",),
    "populations.aurora": ("aurora",),
    "checks.compare": ("compare",),
    "checks.rank": ("rank",),
    "checks.stability": ("stability",),
    "checks.sensitivity": ("sensitivity", "SurveyFiles"),
    "checks.injection": ("inject",),
    "checks.penalties": ("search",),
    "checks.effort": ("effort",),
    "replicates.posterior": ("classifier",),
    "replicates.setup": ("Setup",),
    "ensembles.settings": ("RunOptions", "Cluster"),
    "ensembles.plan": ("Plan",),
    "ensembles.launch": ("ensemble",),
    "ensembles.summary": ("summarise",),
    "simulations.fractions": ("simulate",),
    "simulations.particles": ("read_galaxy",),
    "simulations.settings": ("ObserveSettings",),
    "simulations.observe": ("observe",),
    "simulations.recovery": ("recover",),
    "paper.recommended": ("recommended",),
    "pages.report": ("report",),
    "commands.documents": ("schema",),
    "figures": ("figures",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}
_OTHERWISE = {"regions": "region_energies"}
"""What a name of the front door is called in its module."""

__all__ = [*_HOME]


if not TYPE_CHECKING:  # to a type checker a name that is not above is an error

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("halonmf")
        if name not in _HOME:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}; see dir({__name__.rpartition('.')[2]})."
            )
        module = import_module(f".{_HOME[name]}", __name__)
        found = module if name == _HOME[name] else getattr(module, _OTHERWISE.get(name, name))
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__", "__all__", "__doc__", "__name__", "__file__", "__path__"})
