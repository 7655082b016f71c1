"""Whether weights undo a mock's selection: the fractions of a survey's stars, of the volume, and of fits of either.

Run as ``python benchmarks/selection.py --seeds 1 2 3 4 5``; writes benchmarks/results/selection.json and prints the
tables. The truth of the volume comes by two roads: from the weights of the survey's stars, and from stars that are
drawn from the same populations in the same fields with everything seen.
"""

import argparse
import contextlib
import json
import tempfile
from pathlib import Path
from unittest import mock as patching

import numpy as np
from astropy import units as u
from astropy.table import Table, unique
from record import RESULTS, save

from halonmf import halo
from halonmf.halo.mock import orbits, sky
from halonmf.halo.mock.populations import POPULATIONS
from halonmf.halo.mock.selection import COLUMN, selection_probability, selection_weights
from halonmf.halo.mock.stars import ORDINARY, TrueStars
from halonmf.halo.mock.survey import make
from halonmf.halo.mock.truth import read_truth
from halonmf.halo.orbits.kinematics import kinematics
from halonmf.halo.progress import silent
from halonmf.halo.stars.weights import effective_number

CUTS = ("|z|>2", "r>5")
"""Outside of disc and bulge; within, a few fields of the inner Galaxy stand for nearly all stars."""
ANALYSES = {
    "two components, Kullback-Leibler": {"components": 2, "loss": "kullback-leibler", "bins": "E:5,Lz:5", "pixels": 20},
    "three components, Kullback-Leibler": {
        "components": 3, "loss": "kullback-leibler", "bins": "E:5,Lz:5", "pixels": 20,
    },
    "two components, squared error": {"components": 2, "bins": "E:5,Lz:5", "pixels": 20},
}  # fmt: skip
PROFILE = "z:6:2:8"
REPLICATES = 100
DRAWN = 30_000
"""Stars of each population that are drawn with everything seen."""


@contextlib.contextmanager
def everything_seen():
    """Draw every star of the fields' volume: no magnitude limits, and a fibre for each."""
    kept = (sky.visibility, orbits._calibration, orbits._sightlines)

    def visible(field, distance, b, dwarf):
        return np.zeros(np.broadcast(distance, b).shape), np.ones(np.broadcast(distance, b).shape)

    def forget():
        for one in kept:
            one.cache_clear()

    forget()
    with (
        patching.patch.object(sky, "visible_range", visible),
        patching.patch.object(sky, "sampling_rate", lambda: np.ones(len(sky.fields().l))),
    ):
        yield
    forget()


def in_sample(position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Return which true stars, kpc and km / s, are of the halo selection and within the cuts and 10 kpc."""
    x, y, z = position.T
    near = np.hypot(np.hypot(x + sky.R_SUN, y), z - sky.Z_SUN) < 10
    some = near & (np.abs(z) > 2) & (np.hypot(np.hypot(x, y), z) > 5)
    found = np.zeros(len(position), bool)
    made = kinematics(position[some] * u.kpc, velocity[some] * (u.km / u.s))
    Lz, e = np.asarray(made["Lz"].value), np.asarray(made["ecc"])
    found[some] = (Lz < 0) | (e > 0.7)
    return found


def drawn_volume(seed: int = 0) -> dict[str, float]:
    """Return the accreted fraction of the volume's stars, drawn with everything seen, and its standard error.

    Of each population the survey has a given number of giants; they are so many parts of those in the volume as the
    volume's stars have of a probability to be selected in the mean.
    """
    rng = np.random.default_rng(seed)
    number, variance = [], []
    for code, population in enumerate(POPULATIONS):
        with everything_seen():
            stars = orbits.draw(population, DRAWN, rng)
        passed = in_sample(stars.position, stars.velocity)
        probability = np.nan_to_num(selection_probability(giants(stars, code)))
        scale = population.share * (1 - population.dwarfs) / probability.mean()
        number.append(scale * passed.mean())
        each = scale * (passed - passed.mean() * probability / probability.mean())  # of a ratio of means
        variance.append(each.var() / DRAWN)
    found, errors = np.array(number), np.array(variance)
    accreted = np.array([population.origin == "accreted" for population in POPULATIONS])
    fraction = found[accreted].sum() / found.sum()
    slope = (accreted - fraction) / found.sum()
    return {"fraction": float(fraction), "se": float(np.sqrt((slope**2 * errors).sum()))}


def giants(stars, code: int) -> TrueStars:
    """Return stars of a population as the mock has them, their chemistry left out."""
    nothing, number = np.zeros(len(stars)), len(stars)
    kind, system = np.full(number, ORDINARY), np.full(number, -1)
    return TrueStars(stars, nothing, nothing, nothing, nothing, nothing, np.full(number, code), kind, system)


def weighed_volume(truth: Path) -> tuple[float, float]:
    """Return the accreted fraction of the same volume by the weights of a survey's giants; and by their numbers."""
    table = unique(Table.read(truth), keys="STAR")
    table = table[np.isfinite(table[COLUMN]) & (np.asarray(table["LOGG"]) < 3)]
    position, velocity = (np.column_stack([np.asarray(table[x]) for x in names]) for names in ("xyz", VELOCITIES))
    some = in_sample(position, velocity)
    weight, accreted = 1 / np.asarray(table[COLUMN])[some], np.char.strip(np.asarray(table["origin"]).astype(str))[some]
    hit = accreted == "accreted"
    return float(weight[hit].sum() / weight.sum()), float(hit.mean())


VELOCITIES = ("v_x", "v_y", "v_z")


def one(seed: int) -> dict:
    """Return what fits of a mock survey find with and without weights, and what is true."""
    with tempfile.TemporaryDirectory() as folder:
        paths = make(folder, 60_000, seed, False, silent, False)
        stars = halo.prepare(paths.allstar, paths.astronn, paths.members).table
        accreted = np.asarray(read_truth(paths.truth, stars).accreted)
        stars["weight"] = selection_weights(paths.truth, stars)
        volume = weighed_volume(paths.truth)
    selection = halo.Selection(cuts=CUTS)
    mask, _ = halo.select(stars, selection)
    weight, true = np.asarray(stars["weight"])[mask], accreted[mask]
    row = {
        "seed": seed,
        "stars": int(mask.sum()),
        "effective": effective_number(weight),
        "largest": float(weight.max() / weight.mean()),
        "true": float(true.mean()),
        "true_weighted": float(weight[true].sum() / weight.sum()),
        "volume": volume[0],
        "volume_by_number": volume[1],
        "fits": {},
    }
    for name, choices in ANALYSES.items():
        for column in (None, "weight"):
            fit = halo.fit(stars, selection=selection, weights=column, **choices)
            drawn = halo.refit(fit, REPLICATES)
            fraction = (drawn.W.sum(axis=1) / drawn.W.sum(axis=(1, 2))[:, None])[drawn.good, -1]
            row["fits"][f"{name}{', weights' if column else ''}"] = {
                "fraction": float(fit.mass_fractions[-1]),
                "se": float(fraction.std(ddof=1)),
                "lost": drawn.lost,
                "profile_rms": profile_error(fit, stars, mask, true, weight if column else np.ones(len(weight))),
                "word": fit.verdict.word,
            }
    return row


def profile_error(fit, stars, mask, accreted, weight) -> float:
    """Return the rms of the last component's fraction along |z| less the true one."""
    found = halo.profile(fit, stars, PROFILE).application
    rows = found.mixtures.rows
    assert len(rows) == mask.sum()
    inside = rows >= 0
    whole, hits = (
        np.bincount(rows[some], weight[some], minlength=len(found.W)) for some in (inside, inside & accreted)
    )
    return float(np.sqrt(np.mean((found.fractions[:, -1] - hits / whole) ** 2)))


def volumes(found: dict) -> tuple[str, str, str]:
    """Return the accreted fraction of the volume: drawn with everything seen, by weights, and by number."""
    volume = np.array([r["volume"] for r in found["surveys"]])
    drawn, number = found["drawn"], np.mean([r["volume_by_number"] for r in found["surveys"]])
    error = volume.std(ddof=1) / np.sqrt(len(volume))
    return f"{drawn['fraction']:.3f} +- {drawn['se']:.3f}", f"{volume.mean():.3f} +- {error:.3f}", f"{number:.3f}"


def fitted(rows: list[dict]) -> dict[str, tuple[str, ...]]:
    """Return of each kind of fit: fraction, truth, error (mean and rms), standard error, rms along |z|."""
    made = {}
    for name in rows[0]["fits"]:
        fits = [r["fits"][name] for r in rows]
        fraction, se, profile = (np.array([f[x] for f in fits]) for x in ("fraction", "se", "profile_rms"))
        true = np.array([r["true_weighted" if name.endswith("weights") else "true"] for r in rows])
        error = fraction - true
        made[name] = (
            f"{fraction.mean():.3f}", f"{true.mean():.3f}", f"{error.mean():+.3f}, {np.sqrt(np.mean(error**2)):.3f}",
            f"{se.mean():.3f}", f"{profile.mean():.3f}",
        )  # fmt: skip
    return made


def tables(found: dict) -> str:
    """Return the figures as the documentation has them."""
    lines = [
        f"seed {r['seed']}: {r['stars']:,} stars, effective {r['effective']:,.0f}, true fraction of the survey's stars "
        f"{r['true']:.3f}, of the volume {r['true_weighted']:.3f}"
        for r in found["surveys"]
    ]
    lines.append("volume, drawn with everything seen {}, by weights {}, by number {}".format(*volumes(found)))
    lines += [
        "{}: {} for {}, error {}, standard error {}, along |z| {}".format(name, *numbers)
        for name, numbers in fitted(found["surveys"]).items()
    ]
    return "\n".join(lines)


def sentences(found: dict) -> list[str]:
    """The tables of docs/weights.md."""
    rows = found["surveys"]
    lines = [
        f"| seed {r['seed']}, {r['stars']:,} stars | {r['effective']:,.0f} | {r['true']:.3f} | "
        f"{r['true_weighted']:.3f} |"
        for r in rows
    ]
    for name, errors in fitted(rows).items():
        fit, given, _ = name.partition(", weights")
        lines.append(" | ".join([f"| {fit}", "yes" if given else "none", *errors]) + " |")
    volume = volumes(found)
    return [*lines, f"is {volume[0]}; by the weights of the surveys' giants {volume[1]}; by their numbers {volume[2]}"]


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--drawn", action="store_true", help="renew what is drawn with everything seen alone")
    choices = parser.parse_args()
    path = RESULTS / "selection.json"
    surveys = json.loads(path.read_text())["surveys"] if choices.drawn else [one(seed) for seed in choices.seeds]
    found = {"drawn": drawn_volume(), "surveys": surveys}
    save(path, found, "benchmarks/selection.py", {"seeds": [row["seed"] for row in surveys], "cuts": CUTS})
    print(tables(found))


if __name__ == "__main__":
    main()
