"""Synthetic survey files in the layout of APOGEE DR17, with every fault of every row known beforehand."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits

from halonmf.halo.orbits.frames import to_galactocentric, to_heliocentric
from halonmf.halo.stars.variables import ELEMENTS

FULL_SIZE = 734_000

_CHUNK = 100_000


def _allstar_dtype() -> np.dtype:
    fields = [("APOGEE_ID", "S18"), ("TELESCOPE", "S8"), ("LOCATION_ID", ">i4"), ("FIELD", "S18")]
    fields += [("RA", ">f8"), ("DEC", ">f8"), ("PROGRAMNAME", "S18"), ("SURVEY", "S35"), ("NVISITS", ">i4")]
    fields += [("SNR", ">f4"), ("STARFLAG", ">i8"), ("VHELIO_AVG", ">f4"), ("VSCATTER", ">f4")]
    fields += [("GAIAEDR3_SOURCE_ID", ">i8")]
    for name in ("PARALLAX", "PMRA", "PMDEC"):
        fields += [(f"GAIAEDR3_{name}", ">f4"), (f"GAIAEDR3_{name}_ERROR", ">f4")]
    fields += [(f"GAIAEDR3_R_{a}_{b}", ">f4") for b in ("GEO", "PHOTOGEO") for a in ("MED", "LO", "HI")]
    fields += [("ASPCAPFLAG", ">i8"), ("ASPCAPFLAGS", "S175"), ("EXTRATARG", ">i4")]
    fields += [(f"{n}{e}", ">f4") for n in ("TEFF", "LOGG", "M_H", "ALPHA_M") for e in ("", "_ERR")]
    for name in [f"{x}_FE" for x in ELEMENTS] + ["FE_H"]:
        fields += [(name, ">f4"), (f"{name}_ERR", ">f4"), (f"{name}_FLAG", ">i4")]
    return np.dtype(fields)


def _astronn_dtype() -> np.dtype:
    fields = [("APOGEE_ID", "S18"), ("LOCATION_ID", ">i4"), ("TELESCOPE", "S8")]
    names = "RA_APOGEE DEC_APOGEE dist dist_error weighted_dist weighted_dist_error pmra pmra_error pmdec pmdec_error "
    names += "age age_error galr galphi galz galvr galvt galvz e zmax rperi rap jr Lz jz Energy"
    return np.dtype([*fields, *((n, ">f8") for n in names.split()), ("VHELIO_AVG", ">f4"), ("source_id", ">i8")])


ALLSTAR_DTYPE, ASTRONN_DTYPE = _allstar_dtype(), _astronn_dtype()


@dataclass(frozen=True)
class Survey:
    """Rows of both files, and which of them each cut is to remove."""

    allstar: np.ndarray
    astronn: np.ndarray
    faults: dict[str, np.ndarray]
    member_ids: np.ndarray

    @property
    def expected(self) -> list[tuple[str, int]]:
        """Removed by each cut in turn, as counted from the labels."""
        left = np.ones(len(self.allstar), dtype=bool)
        rows = []
        for name, fault in self.faults.items():
            rows.append((name, int((left & fault).sum())))
            left &= ~fault
        return rows

    @property
    def passing(self) -> np.ndarray:
        return ~np.logical_or.reduce(list(self.faults.values()))


def survey(n: int, seed: int = 0) -> Survey:
    """Stars of which a quarter or so pass, as in the real catalogue; the faults fall on rows independently."""
    rng = np.random.default_rng(seed)
    a, v = np.zeros(n, ALLSTAR_DTYPE), np.zeros(n, ASTRONN_DTYPE)

    def some(share):
        return rng.random(n) < share

    first = int(rng.integers(10**6))
    a["APOGEE_ID"] = np.char.add("2M", np.char.zfill((first + 7 * np.arange(n)).astype(str), 16)).astype("S18")
    a["TELESCOPE"] = np.where(some(0.3), b"lco25m", b"apo25m")
    a["LOCATION_ID"] = rng.integers(2000, 7000, n)
    a["FIELD"] = b"120+60-C"
    a["PROGRAMNAME"] = rng.choice(np.array([b"disk1", b"halo2_stars", b"cluster_gc1", b""]), n)
    a["SURVEY"] = b"apogee2"
    a["NVISITS"], a["SNR"] = rng.integers(1, 20, n), rng.lognormal(4.8, 0.6, n)
    a["GAIAEDR3_SOURCE_ID"] = (
        2**52 + rng.permutation(n).astype(np.int64) * 4_294_967_311 + 1
    )  # beyond a float's 53 bits
    a["ASPCAPFLAGS"] = b"N_M_WARN"
    a["ASPCAPFLAG"] = np.where(some(0.5), 1 << 7, 0) | np.where(some(0.05), np.int64(1) << 40, 0)
    _sky(a, v, rng)
    _chemistry(a, rng)
    faults = _faults(a, v, some)

    # the second visit of a star repeats its identifier, as in the real files, with a spectrum of its own
    duplicate = faults["no duplicates"]
    duplicate[0] = False
    source = np.flatnonzero(duplicate) - 1
    good = ~duplicate[source]
    a["EXTRATARG"][duplicate] |= 1 << 4
    a["APOGEE_ID"][np.flatnonzero(duplicate)[good]] = a["APOGEE_ID"][source[good]]

    for name in ("APOGEE_ID", "LOCATION_ID", "TELESCOPE", "VHELIO_AVG"):
        v[name] = a[name]
    members = a["GAIAEDR3_SOURCE_ID"][faults["no cluster member, probability >= 0.8"]].astype(np.int64)
    return Survey(a, v, faults, members)


def _sky(a, v, rng):
    n = len(a)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    d = np.clip(rng.lognormal(0.6, 0.7, n), 0.05, 9.9)
    still = np.zeros(n)
    position, _ = to_galactocentric(
        ra * u.deg, dec * u.deg, d * u.kpc, still * u.mas / u.yr, still * u.mas / u.yr, still * u.km / u.s
    )
    x, y, _z = position.to_value(u.kpc).T
    halo = rng.random(n) < 0.1
    spread = np.where(halo, 110.0, 30.0)
    rotation = np.where(halo, 0.0, 220.0)
    R = np.hypot(x, y)
    velocity = rng.normal(0, spread, (3, n))
    velocity[0] += rotation * y / R
    velocity[1] -= rotation * x / R
    seen = to_heliocentric(position, velocity.T * u.km / u.s)
    a["RA"], a["DEC"], a["VHELIO_AVG"] = ra, dec, seen.radial_velocity.value
    v["RA_APOGEE"], v["DEC_APOGEE"] = ra, dec
    v["pmra"], v["pmdec"] = seen.pmra.value, seen.pmdec.value
    v["weighted_dist"], v["weighted_dist_error"] = 1e3 * d, 40 * d
    v["dist"], v["dist_error"] = 1.02e3 * d, 60 * d
    v["Energy"], v["Lz"] = -5e4, -1.0  # of another potential, and not to be read
    v["source_id"] = a["GAIAEDR3_SOURCE_ID"]


def _chemistry(a, rng):
    n = len(a)
    a["TEFF"], a["LOGG"] = rng.normal(4700, 200, n), rng.uniform(1.0, 2.9, n)
    a["FE_H"] = np.clip(rng.normal(-0.4, 0.5, n), -2.4, 0.6)
    a["M_H"], a["ALPHA_M"] = a["FE_H"], 0.1
    for x in ELEMENTS:
        a[f"{x}_FE"] = rng.normal(0.1, 0.1, n)
    for name in [f"{x}_FE" for x in ELEMENTS] + ["FE_H", "TEFF", "LOGG"]:
        a[f"{name}_ERR"] = rng.uniform(0.01, 0.1, n)


def _faults(a, v, some):
    faults = {"no cluster member, probability >= 0.8": some(0.01)}
    bad = faults["no TEFF_BAD, LOGG_BAD, STAR_BAD"] = some(0.15)
    a["ASPCAPFLAG"][bad] |= np.int64(1) << 23
    a["ASPCAPFLAG"][bad & some(0.3)] |= np.int64(1) << 16
    faults["no duplicates"] = some(0.1)
    telluric = faults["no tellurics"] = some(0.03)
    magellanic = faults["no Magellanic Cloud programmes"] = some(0.02)
    a["EXTRATARG"][telluric] |= 1 << 2
    a["PROGRAMNAME"][magellanic] = b"MagClouds_evolved"
    for name in ("FE_H", "AL_FE", "MG_FE"):
        flagged = faults[f"{name}_FLAG = 0"] = some(0.03)
        a[f"{name}_FLAG"][flagged] = 256
        unsure, missing = some(0.03), some(0.03)
        a[f"{name}_ERR"][unsure] = 0.3
        # a sentinel error passes "below 0.2" unless it is made missing first
        a[f"{name}_ERR"][missing] = -9999.99
        a[f"{name}"][missing & some(0.5)] = np.nan
        unmeasured = some(0.01)
        a[name][unmeasured] = np.resize(np.float32([-9999.0, 99.99, 1e20, np.nan, -9999.99]), len(a))[unmeasured]
        faults[f"{name}_ERR < 0.2"] = unsure | missing | unmeasured
    dwarf, no_logg = some(0.35), some(0.02)
    a["LOGG"][dwarf], a["LOGG"][no_logg] = 4.4, -9999.0
    faults["LOGG < 3"] = dwarf | no_logg
    far, no_distance = some(0.1), some(0.03)
    v["weighted_dist"][far], v["weighted_dist"][no_distance] = 15_000.0, -9999.0
    faults["distance < 10 kpc"] = far | no_distance
    still = faults["6-d phase space"] = some(0.02)
    v["pmra"][still], v["pmdec"][still] = -9999.99, np.nan
    unbound = faults["bound, E < 0"] = some(0.002)
    v["pmra"][unbound & ~still] += 5e3  # mas/yr: fast enough at the least distance
    return faults


def write_table(path: Path, rows: np.ndarray, **cards: float) -> Path:
    """Write rows as extension 1, with further header cards."""
    rows = rows.astype(rows.dtype.newbyteorder(">"))  # NumPy makes native what it concatenates
    header = fits.BinTableHDU(rows[:1]).header
    header["NAXIS2"] = len(rows)
    header.update(cards)
    with path.open("wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode())
        file.write(header.tostring().encode())
        for start in range(0, len(rows), _CHUNK):
            file.write(rows[start : start + _CHUNK].tobytes())
        file.write(bytes(-rows.nbytes % 2880))
    return path


def write_survey(folder: Path, made: Survey) -> tuple[Path, Path]:
    """Write both files and return their paths."""
    return (
        write_table(folder / "allStarLite-dr17-synspec_rev1.fits", made.allstar),
        write_table(folder / "apogee_astroNN-DR17.fits", made.astronn),
    )


def member_lines(ids: np.ndarray, probability: float = 0.95) -> str:
    """Text of one cluster's catalogue: 17 columns, of which the first and the last count."""
    lines = ["#source_id ra dec x y plx pmra pmdec plxe pmrae pmdece pmcorr gmag bprp Sigma qflag memberprob"]
    lines += [f"{i} " + " ".join(["0.5"] * 15) + f" {probability}" for i in ids]
    return "\n".join(lines) + "\n"


def write_members(folder: Path, ids: np.ndarray) -> Path:
    """Write a folder of two clusters, with unlikely members among them that are to stay."""
    folder.mkdir(parents=True, exist_ok=True)
    half = len(ids) // 2
    (folder / "NGC_104.txt").write_text(member_lines(ids[:half]))
    (folder / "NGC_5139_oCen.txt").write_text(member_lines(ids[half:], 0.8) + member_lines(ids[:1] + 1, 0.79))
    return folder
