"""The mock's tables and files, laid out as allStarLite, astroNN and the members of Vasiliev & Baumgardt (2021)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import Table

from ..io.columns import described
from ..orbits.frames import to_galactocentric
from ..orbits.kinematics import angular_momentum, energy
from ..stars.variables import ELEMENTS
from . import sky as mock_sky
from .observe import APO1M, CHI2_BAD, LOGG_BAD, STAR_BAD, STAR_WARN, TEFF_BAD, Observed
from .satellites import CLOUDS, CLUSTERS
from .selection import COLUMN, selection_probability
from .stars import CLOUD, CLUSTER, NAMES, ORIGINS, TrueStars

_ASPCAP_NAMES = {
    STAR_WARN: "STAR_WARN",
    TEFF_BAD: "TEFF_BAD",
    LOGG_BAD: "LOGG_BAD",
    STAR_BAD: "STAR_BAD",
    CHI2_BAD: "CHI2_BAD",
}
_MEMBER_HEADER = "source_id ra dec x y plx pmra pmdec plxe pmrae pmdece pmcorr g_mag bp_rp Sigma qflag memberprob"
_UNOBSERVED = 8  # cluster stars in the members' files for each one that the survey observed


def identify(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return unique 2MASS-style names; of two stars on one spot the later moves by 0.15 arcsec, in its name only."""
    tick = np.round(np.asarray(ra) / 360 * 8_640_000).astype(np.int64) % 8_640_000  # 0.01 s of time
    arc = np.round((np.asarray(dec) + 90) * 36_000).astype(np.int64)  # 0.1 arcsec
    while True:
        key = arc * 8_640_000 + tick
        _, first = np.unique(key, return_index=True)
        again = np.ones(key.size, dtype=bool)
        again[first] = False
        if not again.any():
            break
        tick[again] = (tick[again] + 1) % 8_640_000
    sign = np.where(arc < 3_240_000, "-", "+")
    south = np.abs(arc - 3_240_000)
    parts = zip(
        tick // 360_000,
        tick // 6000 % 60,
        tick % 6000,
        sign,
        south // 36_000,
        south // 600 % 60,
        south % 600,
        strict=True,
    )
    return np.array([f"2M{h:02d}{m:02d}{s:04d}{g}{d:02d}{a:02d}{t:03d}" for h, m, s, g, d, a, t in parts], dtype="S18")


def source_ids(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` distinct ids of Gaia's size."""
    step = 6_000_000_000_000_000_000 // max(n, 1)
    return rng.permutation(np.arange(n, dtype=np.int64) * step + rng.integers(1_000, step, n))


def allstar_table(true: TrueStars, seen: Observed, apogee_id: np.ndarray, source_id: np.ndarray) -> Table:
    """Return the rows as allStarLite has them; `apogee_id` and `source_id` are per star."""
    c, star = seen.columns, seen.star
    field, programme = _field_names(true)
    flags = c["ASPCAPFLAG"]
    table = Table()
    table["APOGEE_ID"] = apogee_id[star]
    telescope = np.where(c["DEC"] < -20, b"lco25m", b"apo25m").astype("S8")
    table["TELESCOPE"] = np.where(c["EXTRATARG"] & (1 << APO1M), b"apo1m", telescope).astype("S8")
    table["FIELD"] = field[star]
    table["RA"], table["DEC"] = c["RA"], c["DEC"]
    table["PROGRAMNAME"] = programme[star]
    table["SURVEY"] = np.where(c["DEC"] < -20, b"apogee2s", b"apogee2").astype("S35")
    table["NVISITS"] = c["NVISITS"].astype(np.int32)
    table["SNR"] = c["SNR"].astype(np.float32)
    table["STARFLAG"] = np.zeros(star.size, dtype=np.int64)
    table["VHELIO_AVG"] = c["VHELIO_AVG"].astype(np.float32)
    table["VSCATTER"] = c["VSCATTER"].astype(np.float32)
    table["GAIAEDR3_SOURCE_ID"] = source_id[star]
    for name, error in (("parallax", "parallax_error"), ("pmra", "pm_error"), ("pmdec", "pm_error")):
        table[f"GAIAEDR3_{name.upper()}"] = c[name].astype(np.float32)
        table[f"GAIAEDR3_{name.upper()}_ERROR"] = c[error].astype(np.float32)
    for kind in ("GEO", "PHOTOGEO"):
        for which, column in (("MED", "geometric"), ("LO", "geometric_low"), ("HI", "geometric_high")):
            table[f"GAIAEDR3_R_{which}_{kind}"] = (1e3 * c[column]).astype(np.float32)
    table["ASPCAPFLAG"] = flags
    codes, inverse = np.unique(flags, return_inverse=True)
    texts = [",".join(text for bit, text in _ASPCAP_NAMES.items() if code >> bit & 1) for code in codes.tolist()]
    table["ASPCAPFLAGS"] = np.array(texts, dtype="S175")[inverse]
    table["EXTRATARG"] = c["EXTRATARG"]
    for name, size in (("TEFF", 10.0), ("LOGG", 0.03), ("M_H", 0.01), ("ALPHA_M", 0.01)):
        table[name] = c[name].astype(np.float32)
        table[f"{name}_ERR"] = np.where(np.isnan(c[name]), np.nan, size).astype(np.float32)
    for name in (*(f"{element}_FE" for element in ELEMENTS), "FE_H"):
        for end in ("", "_ERR", "_FLAG"):
            table[name + end] = c[name + end]
    return table


def astronn_table(seen: Observed, apogee_id: np.ndarray, source_id: np.ndarray) -> Table:
    """Return the same rows as apogee_astroNN has them; its orbits, in another potential, are left unfilled."""
    c, star = seen.columns, seen.star
    n = star.size
    unfilled = np.full(n, np.nan)
    position, velocity = to_galactocentric(
        c["RA"] * u.deg,
        c["DEC"] * u.deg,
        c["weighted_dist"] * u.kpc,
        c["pmra"] * u.mas / u.yr,
        c["pmdec"] * u.mas / u.yr,
        c["VHELIO_AVG"] * u.km / u.s,
    )
    x, y, z = position.to_value(u.kpc).T
    v_x, v_y, v_z = velocity.to_value(u.km / u.s).T
    R = np.hypot(x, y)
    table = Table()
    table["APOGEE_ID"] = apogee_id[star]
    table["LOCATION_ID"] = np.full(n, 2000, dtype=np.int32)
    table["TELESCOPE"] = np.where(c["DEC"] < -20, b"lco25m", b"apo25m").astype("S8")
    table["RA_APOGEE"], table["DEC_APOGEE"] = c["RA"], c["DEC"]
    for name in ("dist", "dist_error", "weighted_dist", "weighted_dist_error"):
        table[name] = 1e3 * c[name]
    table["RA"], table["DEC"] = c["RA"], c["DEC"]
    for name in ("pmra", "pmdec"):
        table[name], table[f"{name}_error"] = c[name], c["pm_error"]
    table["VHELIO_AVG"] = c["VHELIO_AVG"].astype(np.float32)
    table["source_id"] = source_id[star]
    table["age"] = unfilled
    for name, values in (("galr", R), ("galphi", np.arctan2(y, -x)), ("galz", z), ("galvr", (x * v_x + y * v_y) / R)):
        table[name] = values
    table["galvt"], table["galvz"] = (y * v_x - x * v_y) / R, v_z
    for name in ("e", "zmax", "rperi", "rap", "jr"):
        table[name] = unfilled
    table["Lz"] = R * table["galvt"]
    for name in ("jz", "Energy"):
        table[name] = unfilled
    return table


def truth_table(true: TrueStars, seen: Observed, apogee_id: np.ndarray, thinning: float) -> Table:
    """Return what is true of each row: population, origin, chemistry, phase space, integrals, selection probability."""
    star = seen.star
    position, velocity = true.stars.position * u.kpc, true.stars.velocity * (u.km / u.s)
    sun = np.array([-np.sqrt(mock_sky.R_SUN**2 - mock_sky.Z_SUN**2), 0.0, mock_sky.Z_SUN])
    columns = {
        "FE_H": true.fe_h,
        "MG_FE": true.mg_fe,
        "AL_FE": true.al_fe,
        "LOGG": true.log_g,
        "TEFF": true.teff,
        "distance": np.sqrt(((true.stars.position - sun) ** 2).sum(axis=1)),
        **dict(zip(("x", "y", "z"), true.stars.position.T, strict=True)),
        **dict(zip(("v_x", "v_y", "v_z"), true.stars.velocity.T, strict=True)),
        "E": energy(position, velocity).value,
        "Lz": angular_momentum(position, velocity).value,
        COLUMN: selection_probability(true, thinning),
    }
    table = Table({"APOGEE_ID": apogee_id[star], "STAR": star.astype(np.int32)})
    table["population"] = np.array(NAMES, dtype="S20")[true.population][star]
    table["origin"] = np.array(ORIGINS, dtype="S10")[true.population][star]
    units = {"LOGG": None, "TEFF": u.K, "distance": u.kpc, "E": u.km**2 / u.s**2, "Lz": u.kpc * u.km / u.s}
    units |= dict.fromkeys("xyz", u.kpc) | dict.fromkeys(("v_x", "v_y", "v_z"), u.km / u.s)
    for name, values in columns.items():
        table[name] = values[star]
        table[name].unit = units.get(name)
    return described(table, "truth")


def member_tables(true: TrueStars, source_id: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return per cluster the 17 columns of its members' file: the stars observed, and others that were not."""
    tables = {}
    for row, cluster in enumerate(CLUSTERS):
        observed = source_id[(true.kind == CLUSTER) & (true.system == row)]
        others = _UNOBSERVED * observed.size + 20
        n = observed.size + others
        # ids beyond the survey's own belong to nobody in it
        ids = np.concatenate([observed, 6_100_000_000_000_000_000 + rng.integers(0, 10**17, others)])
        probability = member_probability(observed.size, rng)
        probability = np.concatenate([probability, np.where(rng.random(others) < 0.6, 1.0, rng.random(others))])
        columns = np.zeros((n, 17))
        columns[:, 1] = cluster.ra + rng.normal(0, cluster.size, n) / np.cos(np.radians(cluster.dec))
        columns[:, 2] = cluster.dec + rng.normal(0, cluster.size, n)
        columns[:, 5] = 1 / cluster.distance + rng.normal(0, 0.05, n)
        columns[:, 6] = cluster.pmra + rng.normal(0, 0.2, n)
        columns[:, 7] = cluster.pmdec + rng.normal(0, 0.2, n)
        columns[:, 8:11] = 0.05
        columns[:, 12], columns[:, 13] = rng.uniform(12, 18, n), rng.normal(1.1, 0.2, n)
        columns[:, 16] = probability
        names = _MEMBER_HEADER.split()
        table = np.empty(n, dtype=[(names[0], np.int64), *((name, np.float64) for name in names[1:])])
        table[names[0]] = ids
        for name, values in zip(names[1:], columns[:, 1:].T, strict=True):
            table[name] = values
        tables[cluster.name] = table[rng.permutation(n)]
    return tables


def member_probability(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw membership probabilities of true members: nine in ten are near one, the rest anywhere."""
    return np.where(rng.random(n) < 0.92, 1 - 0.05 * rng.random(n), rng.random(n))


def write_members(folder: Path, tables: dict[str, np.ndarray]) -> None:
    """Write one text file per cluster into folder/catalogues."""
    catalogues = folder / "catalogues"
    catalogues.mkdir(parents=True, exist_ok=True)
    formats = ["%d", "%.6f", "%.6f", *["%.4f"] * 13, "%.6f"]
    for name, table in tables.items():
        np.savetxt(catalogues / f"{name}.txt", table, fmt=formats, header=_MEMBER_HEADER)


def _field_names(true: TrueStars) -> tuple[np.ndarray, np.ndarray]:
    f = mock_sky.fields()
    names = [f"{round(lon) % 360:03d}{round(lat):+03d}" for lon, lat in zip(f.l, f.b, strict=True)]
    zone = np.where(np.abs(f.b) > 16, b"halo", np.where((f.l < 15) | (f.l > 345), b"bulge", b"disk")).astype("S18")
    index = true.stars.field
    field, programme = np.array(names, dtype="S18")[index], zone[index]
    for kind, systems, name in ((CLUSTER, CLUSTERS, b"cluster_gc"), (CLOUD, CLOUDS, b"magclouds")):
        rows = true.kind == kind
        titles = np.array([s.name.split("_oCen")[0] for s in systems], dtype="S18")
        field[rows], programme[rows] = titles[true.system[rows]], name
    return field, programme
