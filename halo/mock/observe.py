"""Observe the mock's stars as APOGEE, Gaia and astroNN would: errors, flags and gaps.

Error sizes follow the medians of DR17's giants by signal-to-noise and metallicity (Jonsson et al. 2020; Holtzman et
al. in Abdurro'uf et al. 2022), Gaia EDR3's (Lindegren et al. 2021) and astroNN's distances (Leung & Bovy 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units as u

from ..orbits.frames import to_heliocentric
from .stars import CLOUD, ORDINARY, TELLURIC, TrueStars

SENTINEL = -9999.99
STAR_WARN, TEFF_BAD, LOGG_BAD, STAR_BAD, CHI2_BAD = 7, 16, 17, 23, 24
NOT_MAIN, COMMISSIONING, TELLURIC_BIT, APO1M, DUPLICATE = range(5)

# error at S/N = 200 and [Fe/H] = -0.4, its growth per dex towards poor stars (medians of DR17 giants), rate of bad
# flags, and the scatter of the one measurement in a hundred that went wrong
_ABUNDANCES = {
    "FE_H": (0.0085, 0.30, 0.002, 0.03),
    "MG_FE": (0.0140, 0.70, 0.006, 0.07),
    "AL_FE": (0.0210, 0.20, 0.020, 0.18),
}
# other elements as a + b [Mg/Fe] + c [Fe/H] with this scatter: fillers for the layout, without scientific content
_FILLERS = {
    "C": (0.0, -0.1, 0.10, 0.08), "CI": (0.0, -0.1, 0.10, 0.10), "N": (0.2, 0.0, 0.0, 0.10), "O": (0.0, 0.9, 0.0, 0.04),
    "NA": (0.0, -0.2, 0.15, 0.12), "SI": (0.0, 0.7, 0.0, 0.03), "P": (0.1, 0.2, 0.0, 0.20), "S": (0.05, 0.8, 0.0, 0.08),
    "K": (0.05, 0.6, 0.0, 0.08), "CA": (0.0, 0.55, -0.03, 0.04), "TI": (0.0, 0.6, 0.0, 0.06),
    "TIII": (0.05, 0.6, 0.0, 0.12),
    "V": (0.0, 0.2, 0.1, 0.12), "CR": (0.0, 0.0, 0.05, 0.06), "MN": (0.0, -0.3, 0.2, 0.05), "CO": (0.0, 0.3, 0.1, 0.10),
    "NI": (0.0, 0.1, 0.03, 0.02), "CU": (0.0, 0.1, 0.2, 0.15), "CE": (-0.1, 0.0, -0.05, 0.15),
}  # fmt: skip


@dataclass(frozen=True)
class Observed:
    """Rows of the survey: columns by name, and for each row the true star behind it."""

    columns: dict[str, np.ndarray]
    star: np.ndarray


def observe(true: TrueStars, n_repeats: int, rng: np.random.Generator, *, lean: bool = False) -> Observed:
    """Observe every star once, and `n_repeats` of them again.

    Parameters
    ----------
    true : TrueStars
    n_repeats : int
        Rows that repeat a star with another spectrum; EXTRATARG marks them.
    rng : numpy.random.Generator
    lean : bool
        Leave out all elements but [Fe/H], [Mg/Fe] and [Al/Fe].

    Returns
    -------
    Observed
        In random order. Distances in kpc, everything else in the survey's units.
    """
    n = len(true)
    astrometry = _astrometry(true, rng)
    star = np.concatenate([np.arange(n), rng.choice(n, n_repeats, replace=n_repeats > n)])
    repeat = np.arange(star.size) >= n
    order = rng.permutation(star.size)
    star, repeat = star[order], repeat[order]
    columns = {name: values[star] for name, values in astrometry.items()}
    columns |= _spectra(true, star, repeat, columns.pop("true_radial_velocity"), rng, lean)
    return Observed(columns, star)


def _astrometry(true: TrueStars, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Gaia's and astroNN's columns, one row per star, since both combine all observations of it."""
    n = len(true)
    sky = to_heliocentric(true.stars.position * u.kpc, true.stars.velocity * (u.km / u.s))
    d = sky.distance.to_value(u.kpc)
    G = true.stars.H + 2.3
    parallax_error = 0.013 * 10 ** (0.17 * np.maximum(G - 14.0, 0)) * rng.lognormal(0, 0.15, n)
    pm_error = 0.95 * parallax_error
    parallax = 1 / d + rng.normal(0, parallax_error)
    # the network's 10 % and the parallax, weighted
    fraction = 1 / np.sqrt(1 / 0.10**2 + 1 / np.maximum(parallax_error * d, 1e-4) ** 2)
    weighted = d * np.exp(rng.normal(0, 1, n) * fraction)
    network = d * np.exp(rng.normal(0, 0.10, n))
    geometric = d * np.exp(rng.normal(0, 1, n) * np.minimum(parallax_error * d, 0.3))
    spread = np.minimum(parallax_error * d, 0.3)
    missing = rng.random(n) < 0.004
    return {
        "RA": sky.ra.to_value(u.deg),
        "DEC": sky.dec.to_value(u.deg),
        "true_radial_velocity": sky.radial_velocity.to_value(u.km / u.s),
        "parallax": np.where(missing, np.nan, parallax),
        "parallax_error": np.where(missing, np.nan, parallax_error),
        "pmra": np.where(missing, np.nan, sky.pmra.to_value(u.mas / u.yr) + rng.normal(0, pm_error)),
        "pmdec": np.where(missing, np.nan, sky.pmdec.to_value(u.mas / u.yr) + rng.normal(0, pm_error)),
        "pm_error": np.where(missing, np.nan, pm_error),
        "geometric": geometric,
        "geometric_low": geometric * (1 - spread),
        "geometric_high": geometric * (1 + spread),
        "dist": network,
        "dist_error": 0.10 * network,
        "weighted_dist": np.where(rng.random(n) < 0.006, np.nan, weighted),
        "weighted_dist_error": fraction * weighted,
    }


def _spectra(
    true: TrueStars, star: np.ndarray, repeat: np.ndarray, velocity: np.ndarray, rng: np.random.Generator, lean: bool
) -> dict[str, np.ndarray]:
    n = star.size
    kind, fe_h, teff, log_g = true.kind[star], true.fe_h[star], true.teff[star], true.log_g[star]
    H = true.stars.H[star]
    giant = log_g < 3.0
    snr = np.clip(130 * 10 ** (0.2 * (12.2 - H)) * rng.lognormal(0, 0.35, n), 5, 1500)
    snr = np.where(repeat, 0.6 * snr, snr)
    # Clouds and clusters were exposed for longer
    snr = np.where((H > 13) & (kind != ORDINARY), np.maximum(snr, rng.uniform(40, 120, n)), snr)
    visits = 1 + rng.poisson(np.where(H > 12, 3.0, 1.2))
    rv_error = 0.05 + 2.0 / snr

    bad = rng.random(n) < np.where(giant, 0.035, 0.10) + np.where(snr < 40, 0.25, 0.0) + np.where(teff < 3700, 0.3, 0.0)
    bad |= (kind == TELLURIC) & (rng.random(n) < 0.9)
    flags = np.zeros(n, dtype=np.int64)
    for bit, rate in ((STAR_BAD, 1.0), (CHI2_BAD, 0.4), (TEFF_BAD, 0.3), (LOGG_BAD, 0.4)):
        flags |= np.where(bad & (rng.random(n) < rate), np.int64(1) << bit, 0)
    flags |= np.where(rng.random(n) < 0.08, np.int64(1) << STAR_WARN, 0)

    extra = np.zeros(n, dtype=np.int32)
    off_plan = rng.random(n) < np.where(giant & (kind == ORDINARY), 0.30, 0.85)
    early = rng.random(n) < 0.018
    small = (H < 9.0) & (rng.random(n) < 0.01)
    marks = {NOT_MAIN: off_plan, COMMISSIONING: early, TELLURIC_BIT: kind == TELLURIC, APO1M: small, DUPLICATE: repeat}
    for bit, on in marks.items():
        extra |= np.where(on, np.int32(1) << bit, 0).astype(np.int32)

    gap = (kind == TELLURIC) | (bad & (rng.random(n) < 0.5))
    out: dict[str, np.ndarray] = {
        "SNR": snr,
        "NVISITS": visits,
        "VHELIO_AVG": np.where(rng.random(n) < 0.003, np.nan, velocity + rng.normal(0, rv_error)),
        "VSCATTER": np.where(visits > 1, np.abs(rng.normal(0, 1, n)) * rv_error, 0.0),
        "ASPCAPFLAG": flags,
        "EXTRATARG": extra,
        "TEFF": np.where(gap, np.nan, teff + rng.normal(0, 60, n)),
        "LOGG": np.where(gap, np.nan, log_g + rng.normal(0, 0.06, n)),
        "H": H,
    }
    truth = {"FE_H": fe_h, "MG_FE": true.mg_fe[star], "AL_FE": true.al_fe[star]}
    for name, (size, growth, rate, gross) in _ABUNDANCES.items():
        error = size * (200 / snr) ** 0.7 * np.maximum(0.8, 1 - growth * (fe_h + 0.4)) * rng.lognormal(0, 0.15, n)
        error = np.hypot(error, 0.4 * size)
        # the survey's sequences have wings: one measurement in twelve is three times worse than its error
        wings = rng.random(n)
        spread = np.where(wings < 0.01, gross, np.where(wings < 0.09, 3 * error, error))
        value = truth[name] + rng.normal(0, spread)
        flagged = rng.random(n) < rate * np.where(giant, 1.0, 6.0) * np.where(fe_h < -1.6, 4.0, 1.0)
        flag = np.where(flagged, np.where(rng.random(n) < 0.5, 1, 256), 0).astype(np.int32)
        empty = gap | (flagged & (rng.random(n) < 0.5))
        _store(out, name, value, error, np.where(gap, 2, flag).astype(np.int32), empty)
        sentinel = rng.random(n) < 0.001
        out[name][sentinel] = out[f"{name}_ERR"][sentinel] = SENTINEL
    if not lean:
        _fill(out, truth, gap, snr, rng)
    out["M_H"] = np.where(gap, np.nan, truth["FE_H"] + rng.normal(0, 0.01, n))
    out["ALPHA_M"] = np.where(gap, np.nan, 0.85 * truth["MG_FE"] + rng.normal(0, 0.01, n))
    out["magellanic"] = kind == CLOUD
    return out


def _fill(
    out: dict[str, np.ndarray], truth: dict[str, np.ndarray], gap: np.ndarray, snr: np.ndarray, rng: np.random.Generator
) -> None:
    for element, (a, b, c, scatter) in _FILLERS.items():
        error = (0.01 + 0.2 * scatter) * (200 / snr) ** 0.7
        value = a + b * truth["MG_FE"] + c * truth["FE_H"] + rng.normal(0, scatter, gap.size) + rng.normal(0, error)
        _store(out, f"{element}_FE", value, error, np.where(gap, 2, 0).astype(np.int32), gap)


def _store(
    out: dict[str, np.ndarray], name: str, value: np.ndarray, error: np.ndarray, flag: np.ndarray, empty: np.ndarray
) -> None:
    out[name] = np.where(empty, np.nan, value).astype(np.float32)
    out[f"{name}_ERR"] = np.where(empty, np.nan, error).astype(np.float32)
    out[f"{name}_FLAG"] = flag
