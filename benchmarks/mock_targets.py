"""What `calibrate_mock.py` holds a mock to: the paper's fit, the survey's marginal planes and real giants.

Every target is (name, value, tolerance): the tolerance is what the difference is divided by. Those of the paper's fit
apply to the paper's method on the mock, not to its truth.

Stars stand for populations by their weights. The package's bins of equal counts are of stars, and its fits of one
sample at a time: bins of equal weights, and the two held components of every profile in closed form, which is called
some thousand times, are made here. Everything else is the package's.
"""

import numpy as np
from astropy.table import Table

import nmfcore
from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.mixtures.bins import columns_of, place
from halonmf.halo.mixtures.counts import count
from halonmf.halo.paper.quoted import numbers
from halonmf.halo.products.compiling import as_python
from halonmf.halo.products.crossings import crossings
from halonmf.halo.products.histograms import percentiles_of
from halonmf.halo.products.profile import LEVELS, MIN_STARS

_QUOTED = {number.id: number.paper for number in numbers()}
_MIXED = {  # section 4 of Davies et al.: which number of the scoreboard, in what unit, the tolerance
    "HE": ("R1.mass.HE", 100, 0.002),
    "E 50 %": ("R9.chemically-pure.50", 1e5, 0.006),
    "E 90 %": ("R9.chemically-pure.90", 1e5, 0.012),
    "E 10 %": ("R9.chemically-pure.10", 1e5, 0.02),
    "r 50 %": ("R10.chemically-pure.r", 1, 0.15),
    "z 50 %": ("R10.chemically-pure.z", 1, 0.15),
    "R 50 %": ("R10.chemically-pure.R", 1, 0.15),
    "kinematic E 50 %": ("R9.kinematically-pure.50", 1e5, 0.02),
    "kinematic E 90 %": ("R9.kinematically-pure.90", 1e5, 0.03),
    "kinematic r 50 %": ("R10.kinematically-pure.r", 1, 0.4),
    "kinematic z 50 %": ("R10.kinematically-pure.z", 1, 0.4),
    "kinematic R 50 %": ("R10.kinematically-pure.R", 1, 0.4),
    "stars": ("R0.stars.chemically-pure", 1e3, 0.15),
    "kinematic stars": ("R0.stars.kinematically-pure", 1e3, 0.10),
    "peak of e, LE": ("R8.peak.LE", 1, 0.04),
    "peak of e, HE": ("R8.peak.HE", 1, 0.04),
}
PAPER = {name: (_QUOTED[quoted] / unit, tolerance) for name, (quoted, unit, tolerance) in _MIXED.items()}
DIGITS = {"FE_H": 0.03, "AL_FE": 0.02, "MG_FE": 0.01}
"""Tolerances of Table 1."""
PERCENTILES = (10, 50, 90)
for _who in ("HE", "LE"):
    for _name, _tolerance in DIGITS.items():
        for _q in PERCENTILES:
            PAPER[f"{_who} {_name} {_q} %"] = _QUOTED[f"R6.{_who}.{_name}.{_q}"], _tolerance

Q = 8
AXES = {"E": (-2.5e5, -1.0e5, 20), "r": (2, 14, 10), "z": (0, 10, 10), "R": (2, 14, 10)}
CHEMISTRY = FitSettings.of().chemistry
METALS = ((-1.8, -1.6), (-1.6, -1.4), (-1.4, -1.2), (-1.2, -1.0))
"""Bins of [Fe/H] in which the marginal planes are compared: halo stars are many in them, disc stars few."""
ABOVE = {"AL_FE": (-0.25, -0.15, -0.05, 0.05, 0.15), "MG_FE": (0.15, 0.22, 0.29)}


def quantile(values, weight, q):
    """Return weighted quantiles."""
    order = np.argsort(values)
    middle = np.cumsum(weight[order]) - 0.5 * weight[order]
    return np.interp(np.asarray(q) * weight.sum(), middle, values[order])


def equal_counts(x, weight, number):
    """Return the bin of every star when each of so many holds the same weight."""
    order = np.argsort(x, kind="stable")
    middle = np.cumsum(weight[order]) - 0.5 * weight[order]
    bins = np.empty(len(x), dtype=int)
    bins[order] = np.minimum((number * middle / weight.sum()).astype(int), number - 1)
    return bins


def held(V, H):
    """Return the weights of two held components in every row of V: least squares without negative weights."""
    G, b = H @ H.T, V @ H.T
    W = np.linalg.solve(G, b.T).T
    alone = b / np.diag(G)
    for i in range(2):
        negative = W[:, i] < 0
        W[negative] = np.where(np.arange(2) == i, 0.0, alone[negative])
    return np.maximum(W, 0)


def fitted(sample, weight):
    """Fit the paper's two components to a weighted sample: rows, W, H (each of sum 1), low energies first."""
    first = equal_counts(sample["E"], weight, Q)
    rows = np.empty_like(first)
    for i in range(Q):
        part = np.flatnonzero(first == i)
        rows[part] = i * Q + equal_counts(sample["Lz"][part], weight[part], Q)
    columns = columns_of(Table({name: sample[name] for name in CHEMISTRY.variables}), CHEMISTRY)
    found = nmfcore.factorize(count(rows, columns, (Q * Q, CHEMISTRY.n), weight), 2)
    W, H = found.normalised()
    number = np.bincount(rows, weight, Q * Q)
    energy = np.bincount(rows, weight * sample["E"], Q * Q) / np.maximum(number, 1e-12)
    order = np.argsort(energy @ W / W.sum(axis=0))
    return rows, columns, W[:, order], H[order]


def of_fit(sample, weight, before=""):
    """Return what the paper reports of a fit of two components, by the names of `PAPER`."""
    rows, columns, W, H = fitted(sample, weight)
    found = {"HE": W[:, 1].sum() / W.sum()}
    for name, (low, high, number) in AXES.items():
        edges = np.linspace(low, high, number + 1)
        into = place(sample[name], edges)
        w = held(count(into, columns, (number, CHEMISTRY.n), weight), H)
        enough = np.bincount(into[into >= 0], weight[into >= 0], number) >= MIN_STARS
        share = np.where(enough, w[:, 1] / np.maximum(w.sum(axis=1), 1e-12), np.nan)
        scale = 1e-5 if name == "E" else 1
        for level in LEVELS if name == "E" else (0.5,):
            at = crossings(0.5 * (edges[1:] + edges[:-1]), share, level)
            found[f"{name} {level:.0%}".replace("%", " %")] = near(at, found_at(name, level)) * scale
    (values,) = percentiles_of(H[None], CHEMISTRY, tuple(DIGITS), PERCENTILES, run=as_python)
    for variable, components in zip(DIGITS, values, strict=True):
        for name, of_one in zip(("LE", "HE"), components, strict=True):
            found |= {f"{name} {variable} {q} %": float(x) for q, x in zip(PERCENTILES, of_one, strict=True)}
    return {before + name: value for name, value in found.items()}, rows, W


def found_at(name, level):
    """The paper's crossing, in the sample's units."""
    target = PAPER[f"{name} {level:.0%}".replace("%", " %")][0]
    return target * (1e5 if name == "E" else 1)


def near(at, target):
    """Return the crossing nearest to the paper's; far off where there is none, so that a fit is drawn back."""
    return min(at, key=lambda x: abs(x - target)) if at else target * 1.3


def peak_of_eccentricity(sample, weight, rows, W, i):
    """Return where the eccentricities of a component peak: bins weighed by W above a tenth of its largest."""
    edges = np.linspace(0, 1, 41)
    fine, number = place(sample["ecc"], edges), len(edges) - 1
    counts = np.bincount((rows * number + fine)[fine >= 0], weight[fine >= 0], len(W) * number)
    density = counts.reshape(-1, number)
    density /= np.maximum(density.sum(axis=1, keepdims=True), 1e-12)
    total = np.where(W[:, i] > 0.1 * W[:, i].max(), W[:, i], 0) @ density
    smooth = np.convolve(np.pad(total, 4, mode="edge"), np.hanning(9) / np.hanning(9).sum(), "valid")[:number]
    # the mean about the highest bin varies smoothly where its place alone would jump
    top = smooth > 0.9 * smooth.max()
    return float((smooth * (0.5 * (edges[1:] + edges[:-1])))[top].sum() / smooth[top].sum())


def of_paper(stars, weight):
    """Return the paper's numbers, by the names of `PAPER`, of weighted stars."""
    chemical = (stars["Lz"] < 0) | (stars["ecc"] > 0.7)
    poor = stars["FE_H"] <= -1.1
    found, _, _ = of_fit(*part(stars, weight, chemical))
    sample, its = part(stars, weight, poor)
    kinematic, rows, W = of_fit(sample, its, "kinematic ")
    found |= kinematic
    for i, name in enumerate(("LE", "HE")):
        found[f"peak of e, {name}"] = peak_of_eccentricity(sample, its, rows, W, i)
    return found | {"stars": weight[chemical].sum() / 1e3, "kinematic stars": weight[poor].sum() / 1e3}


def part(stars, weight, chosen):
    """Return the chosen stars and their weights."""
    return {name: values[chosen] for name, values in stars.items()}, weight[chosen]


def of_planes(counts):
    """Return targets of the marginal planes: shares above thresholds, and how the poor stars divide by [Fe/H].

    `counts` gives for each element (counts, edges of [Fe/H], edges of the element), shape of counts (n_fe_h, n).
    """
    found, numbers = {}, []
    for element, thresholds in ABOVE.items():
        image, fe_h, x = counts[element]
        centre, height = 0.5 * (fe_h[1:] + fe_h[:-1]), 0.5 * (x[1:] + x[:-1])
        for low, high in METALS:
            poor = image[(centre > low) & (centre < high)].sum(axis=0)
            if element == "AL_FE":
                numbers.append(poor.sum())
            for level in thresholds:
                found[f"[Fe/H] {low} to {high}, {element} > {level}"] = poor[height > level].sum() / poor.sum()
    for (low, high), number in zip(METALS, numbers, strict=True):
        found[f"[Fe/H] {low} to {high}, of the poor"] = number / sum(numbers)
    return found


def plane_counts(stars, weight, edges):
    """Return weighted counts of stars in the planes, as `of_planes` takes them."""
    return {
        element: (np.histogram2d(stars["FE_H"], stars[element], bins=both, weights=weight)[0], *both)
        for element, both in edges.items()
    }


def of_giants(stars, weight, distances):
    """Return energies (10, 50, 90 %, 1e5 km2/s2) of in-situ and of accreted giants on eccentric orbits near the Sun.

    `distances`: (edges, number of real giants in each); stars are weighed to the same distances.
    """
    edges, wanted = distances
    into = place(stars["distance"], edges)
    chosen = (into >= 0) & ((stars["Lz"] < 0) | (stars["ecc"] > 0.85)) & (stars["LOGG"] > 1)
    halo = (into >= 0) & ((stars["Lz"] < 0) | (stars["ecc"] > 0.7)) & (stars["LOGG"] > 1)
    have = np.bincount(into[halo], weight[halo], len(edges) - 1)
    w = weight * np.where(chosen, (wanted / np.maximum(have, 1e-9))[into], 0)
    fe_h, al_fe, mg_fe = (stars[name] for name in ("FE_H", "AL_FE", "MG_FE"))
    kinds = {
        "in-situ": (fe_h > -1) & (al_fe > 0) & (al_fe < 0.4),
        "accreted": (fe_h < -0.7) & (al_fe < -0.1) & (mg_fe < 0.3),
    }
    found = {}
    for name, kind in kinds.items():
        E = quantile(stars["E"][kind & chosen], w[kind & chosen], np.array(PERCENTILES) / 100)
        found |= {f"{name}, E of {q} %": x / 1e5 for q, x in zip(PERCENTILES, E, strict=True)}
    return found
