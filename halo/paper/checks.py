"""How far the components can be relied upon: R11, R15, R16, memberships; figure 11."""

from __future__ import annotations

from typing import Any

from astropy.table import Table

from .. import figures
from ..checks.injection import inject
from ..checks.penalties import search
from ..checks.stability import stability
from ..errors import InputError
from ..fits.settings import FitSettings
from ..products.memberships import memberships, reliability
from ..products.profile import Profile, profile_of
from ..simulations.fractions import Simulated, simulate, unlikeness
from .fractions import WITHOUT
from .part import Part, refusals
from .scoreboard import Value
from .study import CHEMICAL, DISTANCES, KINEMATIC, SELECTIONS, Study
from .suited import as_in_the_paper, numbers_of_pixels
from .two import two_values

LIKE_THE_MILKY_WAY = ("m12f", "m12r")
"""Galaxies that the paper finds nearest to the Milky Way."""
FAR = 12.0
"""r beyond which the Milky Way's in-situ stars are negligible, kpc."""


def simulations(study: Study) -> Part:
    """R11: true fractions in simulated galaxies beside those of the kinematically pure halo (Fig 11)."""
    values = two_values(study, KINEMATIC, ("R11",))
    galaxies = study.galaxies
    if not galaxies:
        why = "no simulated galaxy was given (--galaxy)"
        return Part(values=values, skipped=dict.fromkeys(("R11.nearest", "R11.further", "fig11"), why))
    found = [simulate(galaxy) for galaxy in galaxies]
    applications = study.two(KINEMATIC).applications
    ours = {name: profile_of(applications[name]) for name in DISTANCES if name in applications}
    if not ours:
        why = WITHOUT.format(", ".join(DISTANCES))
        return Part(values=values, skipped=dict.fromkeys(("R11", "fig11"), why))
    names = [each.galaxy.name for each in found]
    skipped, said = {}, []
    if "r" not in ours:
        skipped = dict.fromkeys(("R11.in_situ", "R11.nearest", "R11.further"), WITHOUT.format("r"))
    elif set(LIKE_THE_MILKY_WAY) <= set(names):
        order = sorted(found, key=lambda each: _unlike(each, ours))
        places = [[each.galaxy.name for each in order].index(name) + 1 for name in LIKE_THE_MILKY_WAY]
        values["R11.nearest"] = Value(float(max(places)))
        values["R11.further"] = Value(sum(_reach(each) > _own_reach(ours["r"]) for each in found) / len(found))
    else:
        why = f"needs simulated galaxies, {' and '.join(LIKE_THE_MILKY_WAY)} among them; given: {', '.join(names)}"
        skipped = {"R11.nearest": why, "R11.further": why}
    for each in found:
        said.append(f"{each.galaxy.name}: rms difference from the fit's fractions {_unlike(each, ours):.3f}.")
    if study.galaxies_are_mock:
        said.append("The galaxy is a mock in the simulations' layout, not one of the paper's.")
    picture = figures.simulations(found, ours, thick=LIKE_THE_MILKY_WAY)
    return Part(values=values, pictures={"fig11": picture}, said=tuple(said), skipped=skipped)


def _unlike(each: Simulated, ours: dict[str, Profile]) -> float:
    return sum(unlikeness(each.profiles[name], own) for name, own in ours.items()) / len(ours)


def _reach(each: Simulated) -> float:
    """Return the largest in-situ fraction of a simulated galaxy beyond `FAR`."""
    profile = each.profiles["r"]
    return float(profile.fractions[profile.centre > FAR, 0].max())


def _own_reach(ours: Profile) -> float:
    mixtures = ours.application.mixtures
    far = (mixtures.bins.bounds[:, 0].mean(axis=-1) > FAR) & (mixtures.n_stars >= ours.min_stars)
    return float(ours.application.fractions[far, 0].max()) if far.any() else 0.0


def repeats(study: Study) -> Part:
    """R15: the same components on every repeat and over q and l."""
    settings = study.fit_settings(CHEMICAL)
    around = {} if as_in_the_paper(settings) else _around(settings)
    found = stability(study.table, settings, **around, progress=study.progress)
    table = found.table()
    table.meta["caption"] = (
        "Fits from random starts, in q x q bins and with l x l pixels: fractions of the components, and the cosine "
        "between each component and that of the fiducial fit."
    )
    bad = int((~found.good).sum())
    return Part(
        values={
            "R15.repeats": Value(found.least_cosine("start")),
            "R15.sweep": Value(found.least_cosine("q", "l")),
        },
        pictures={"stability": figures.stabilities(found)},
        tables={"stability-fits": table},
        warnings=(f"not converged: {bad} of {len(found.status)} fits of the stability table",) if bad else (),
    )


def _around(settings: FitSettings) -> dict[str, Any]:
    """Return the bins and pixels of the fits that others than the paper's are compared with."""
    q = settings.axes[0].count
    return {"bins": tuple(x for x in (q - 1, q + 1) if x > 1), "pixels": numbers_of_pixels(settings)}


def streams(study: Study) -> Part:
    """R16: how wide and how populous an injected stream must be to be found."""
    found = inject(study.table, study.fit_settings(CHEMICAL), seed=study.settings.seed, progress=study.progress)
    table = found.table()
    table.meta["caption"] = "Planted streams: the fraction of the repeats in which a component took the stream's shape."
    narrowest = 100 * found.narrowest()
    note = (
        f"Of streams with at most as many stars as the sample has where they lie; found: cosine {found.threshold:g} "
        f"with one of {found.components} components."
    )
    return Part(
        values={"R16.injection": Value(narrowest if narrowest == narrowest else None, note=note)},
        pictures={"injection": figures.injections(found)},
        tables={"injection-grid": table},
    )


def penalties(study: Study) -> Part:
    """Return the search for penalties, with fewer draws than the paper's 5000."""
    draws = study.settings.draws
    if draws == 0:
        return Part(skipped=dict.fromkeys(("S", "search"), "no draws were asked for (--draws)"))
    settings = study.fit_settings(CHEMICAL)
    found = search(study.table, settings, draws=draws, seed=study.settings.seed, progress=study.progress)
    table = found.table()
    best, unconverged = table.meta["best"], table.meta["unconverged"]
    note = f"Of {draws:,} draws; the paper took 5,000 from a grid without zero, ours has zero on it."
    table.meta["caption"] = "Settings of the penalties by their held-out error, and what they gain over none."
    return Part(
        values={f"S.{name}": Value(float(best[name]), note=note) for name in ("alpha_W", "alpha_H")},
        pictures={"search": figures.search(found)},
        data={"search": table},
        tables={"search-draws": table},
        said=tuple(found.describe().splitlines()),
        warnings=(f"not converged: {unconverged} settings of the search",) if unconverged > 0.05 * draws else (),
    )


def members(study: Study) -> Part:
    """Return the stars' probabilities of each component, and how reliable they are where the truth is known."""
    refused = refusals(study)
    found = {s: memberships(study.two(s).fit, study.table) for s in SELECTIONS if s not in refused}
    if CHEMICAL in refused:
        raise InputError(refused[CHEMICAL])
    chemical = found[CHEMICAL]
    table = Table()
    if "APOGEE_ID" in chemical.stars.colnames:
        table["APOGEE_ID"] = chemical.stars["APOGEE_ID"]
    for j, name in enumerate(chemical.names):
        table[f"P_{name}"] = chemical.probability[:, j]
    table["bin"], table["images"] = chemical.bins, chemical.images
    table.meta["caption"] = "Probability of each component for the stars of the chemically pure halo."
    if not study.is_mock:
        why = "the truth of the stars is not known"
        return Part(tables={"members": table}, skipped={"reliability": why})
    results = {
        selection.replace("-", " "): reliability(each.P_accreted, study.truth(selection).accreted)
        for selection, each in found.items()
    }
    return Part(tables={"members": table}, pictures={"reliability": figures.reliabilities(results)})
