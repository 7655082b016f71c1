"""Whether weights undo a mock's selection: the fractions of a survey's stars, of the volume, and of fits of either.

Run as ``python benchmarks/selection.py --seeds 1 2 3 4 5``; writes benchmarks/results/selection.json and prints the
tables. The truth of the volume comes by two roads: from the weights of the survey's stars, and from stars that are
drawn from the same populations in the same fields with everything seen.
"""

import argparse
import contextlib
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
from halonmf.halo.mock.selection import COLUMN, selection_weights
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


def whole(population, seed: int) -> float:
    """Return the integral of a population over the fields, in the population's own unit: seen, or all of it."""
    key = POPULATIONS.index(population) if isinstance(_first_argument(), int) else population.orbits
    weight = orbits._propose(key, 200_000, np.random.default_rng(seed), False)[1]
    return float(orbits._sightlines(key, False)[0][-1] * weight.mean())


def _first_argument():
    import inspect

    return 0 if "index" in inspect.signature(orbits._propose).parameters else None


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
    """Return the accreted fraction of the volume's stars, drawn with everything seen, and its standard error."""
    rng = np.random.default_rng(seed)
    seen = {p.name: whole(p, seed) for p in POPULATIONS}
    number, variance = [], []
    with everything_seen():
        for p in POPULATIONS:
            ratio = whole(p, seed) / seen[p.name]
            stars = orbits.draw(p, DRAWN, rng)
            passed = in_sample(stars.position, stars.velocity).mean()
            scale = p.share * (1 - p.dwarfs) * ratio
            number.append(scale * passed)
            variance.append(scale**2 * passed * (1 - passed) / DRAWN)
    number, variance = np.array(number), np.array(variance)
    accreted = np.array([p.origin == "accreted" for p in POPULATIONS])
    share = number[accreted].sum() / number.sum()
    slope = (accreted - share) / number.sum()
    return {"share": float(share), "se": float(np.sqrt((slope**2 * variance).sum()))}


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
            share = (drawn.W.sum(axis=1) / drawn.W.sum(axis=(1, 2))[:, None])[drawn.good, -1]
            row["fits"][f"{name}{', weights' if column else ''}"] = {
                "share": float(fit.mass_fractions[-1]),
                "se": float(share.std(ddof=1)),
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
    whole, hits = (np.bincount(rows[some], weight[some], minlength=len(found.W)) for some in (inside, inside & accreted))
    return float(np.sqrt(np.mean((found.fractions[:, -1] - hits / whole) ** 2)))


def tables(found: dict) -> str:
    """Return the figures as the documentation has them."""
    rows = found["surveys"]
    lines = ["seed  stars  effective  true of the survey  true of the volume"]
    lines += [
        f"{r['seed']:4d}  {r['stars']:,}  {r['effective']:,.0f}  {r['true']:.3f}  {r['true_weighted']:.3f}" for r in rows
    ]
    volume = np.array([r["volume"] for r in rows])
    drawn = found["drawn"]
    lines.append(
        f"volume by weights {volume.mean():.3f} +- {volume.std(ddof=1) / np.sqrt(len(volume)):.3f}, drawn with "
        f"everything seen {drawn['share']:.3f} +- {drawn['se']:.3f}; by number "
        f"{np.mean([r['volume_by_number'] for r in rows]):.3f}"
    )
    for name in rows[0]["fits"]:
        fits = [r["fits"][name] for r in rows]
        true = [r["true_weighted" if name.endswith("weights") else "true"] for r in rows]
        error = np.array([f["share"] for f in fits]) - true
        lines.append(
            f"{name}: {np.mean([f['share'] for f in fits]):.3f} for {np.mean(true):.3f}, off by {error.mean():+.3f}, rms "
            f"{np.sqrt(np.mean(error**2)):.3f}, standard error {np.mean([f['se'] for f in fits]):.3f}, along |z| "
            f"{np.mean([f['profile_rms'] for f in fits]):.3f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    choices = parser.parse_args()
    found = {"drawn": drawn_volume(), "surveys": [one(seed) for seed in choices.seeds]}
    save(RESULTS / "selection.json", found, "benchmarks/selection.py", {"seeds": choices.seeds, "cuts": CUTS})
    print(tables(found))


if __name__ == "__main__":
    main()
