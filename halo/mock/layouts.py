"""A mock survey laid out as the files of other surveys: the same stars and the same measured values.

The columns of SDSS-V are those of the public data model of ``astraAllStarASPCAP-0.6.0`` and
``astraAllStarAstroNNdist-0.6.0``, those of GALAH the survey's table schema; what the mock does not have is filled as
these files fill it. What could not be confirmed on a real file is listed in ``docs/surveys.md``.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.table import Table

from ..io.atomic import write_atomically
from ..io.hdus import table_hdu
from ..stars.variables import ELEMENTS
from .observe import APO1M, COMMISSIONING, DUPLICATE, LOGG_BAD, NOT_MAIN, STAR_BAD, STAR_WARN, TEFF_BAD, TELLURIC_BIT
from .settings import FILES

if TYPE_CHECKING:
    from .survey import MockSurvey

FIRST_SDSS_ID = 54_000_000
FIRST_SOBJECT_ID = 131_000_000_000_000
_BAD = sum(1 << bit for bit in (TEFF_BAD, LOGG_BAD, STAR_BAD))
_EXTRA = sum(1 << bit for bit in (NOT_MAIN, COMMISSIONING, TELLURIC_BIT, APO1M, DUPLICATE))
_GRID_EDGE_BAD, _GRID_EDGE_WARN = 8, 9
_KINDS = {"int64": "i8", "int32": "i4", "float32": "f4", "bool": "?"}
_SPELT = {"CI": "c_1", "TIII": "ti_2"}
"""Elements whose columns in SDSS-V have another name than the element."""
_GALAH_ELEMENTS = tuple(
    "li c n o na mg al si k ca sc ti v cr mn co ni cu zn rb sr y zr mo ru ba la ce nd sm eu".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Layout:
    """A mock survey in the layout of a survey.

    Attributes
    ----------
    files : mapping of str to tuple of Table
        By name of the file its extensions, the catalogue first.
    truth : Table
        The truth under the ids of the layout.
    """

    files: Mapping[str, tuple[Table, ...]]
    truth: Table


def laid_out(survey: MockSurvey, layout: str) -> Layout:
    """Return a mock survey in a layout.

    Parameters
    ----------
    survey : MockSurvey
    layout : str
        One of `LAYOUTS`.
    """
    return LAYOUTS[layout](survey)


def empty(columns: str, n_rows: int) -> np.ndarray:
    """Return rows of a file of SDSS-V without values, as it fills them.

    Parameters
    ----------
    columns : str
        ``astraAllStarASPCAP`` or ``astraAllStarAstroNNdist``.
    n_rows : int

    Returns
    -------
    ndarray
        Structured: -1 for integers, NaN for floats, an empty text, false, and 0 for bit fields.
    """
    text = Path(__file__).with_name(f"{columns}.tsv").read_text()
    out = np.zeros(n_rows, dtype=[_field(*line.split("\t")) for line in text.splitlines()])
    for name in out.dtype.names or ():
        kind = out.dtype[name].base.kind
        if kind == "f":
            out[name] = np.nan
        elif kind == "i" and not name.endswith("flags"):
            out[name] = -1
    return out


def _field(name: str, kind: str) -> tuple[Any, ...]:
    match = re.fullmatch(r"(\w+)(?:\[(\d+)\])?", kind)
    assert match is not None
    if match[1] == "char":
        return name, f"S{match[2]}"
    return (name, _KINDS[match[1]]) if match[2] is None else (name, _KINDS[match[1]], (int(match[2]),))


def milky_way_mapper(survey: MockSurvey) -> Layout:
    """Return the mock as DR19 of SDSS-V has its stars: a row for each spectrum, [X/H] alone, no units."""
    table, astronn = survey.table, survey.astronn
    n_rows = len(table)
    out, dist = empty("astraAllStarASPCAP", n_rows), empty("astraAllStarAstroNNdist", n_rows)
    star = np.asarray(survey.truth["STAR"], dtype=np.int64)
    same = {
        "sdss_id": FIRST_SDSS_ID + star,
        "sdss4_apogee_id": table["APOGEE_ID"],
        "gaia_dr3_source_id": table["GAIAEDR3_SOURCE_ID"],
        "sdss4_apogee_extra_target_flags": np.asarray(table["EXTRATARG"], dtype=np.int64) & _EXTRA,
        "spectrum_pk": np.arange(n_rows) + 1,
        "release": b"dr17",
        "telescope": table["TELESCOPE"],
        "field": table["FIELD"],
        "obj": table["APOGEE_ID"],
        "n_visits": table["NVISITS"],
        "v_astra": b"0.6.0",
        **{name: table[name.upper()] for name in ("ra", "dec", "snr")},
        "v_rad": table["VHELIO_AVG"],
        "e_v_rad": np.maximum(table["VSCATTER"] / np.sqrt(np.maximum(table["NVISITS"], 1)), 0.1),
        "std_v_rad": table["VSCATTER"],
        "plx": table["GAIAEDR3_PARALLAX"],
        "e_plx": table["GAIAEDR3_PARALLAX_ERROR"],
        **{name: astronn[column] for name, column in (("pmra", "pmra"), ("pmde", "pmdec"))},
        **{f"e_{name}": astronn[column] for name, column in (("pmra", "pmra_error"), ("pmde", "pmdec_error"))},
        **{
            f"r_{which}_{kind}": table[f"GAIAEDR3_R_{which}_{kind}".upper()]
            for which in ("med", "lo", "hi")
            for kind in ("geo", "photogeo")
        },
    }
    for name, values in same.items():
        out[name] = values
        if name in (dist.dtype.names or ()):
            dist[name] = values
    for name, column in (("teff", "TEFF"), ("logg", "LOGG"), ("m_h_atm", "M_H"), ("alpha_m_atm", "ALPHA_M")):
        out[name], out[f"e_{name}"] = table[column], table[f"{column}_ERR"]
    out["flag_bad"] = (np.asarray(table["ASPCAPFLAG"]) & _BAD) != 0
    out["flag_warn"] = out["flag_bad"] | ((np.asarray(table["ASPCAPFLAG"]) >> STAR_WARN & 1) != 0)
    fe_h = _measured(table["FE_H"])
    out["fe_h"], out["e_fe_h"] = fe_h, _measured(table["FE_H_ERR"])
    out["fe_h_flags"] = _mwm_flags(table["FE_H_FLAG"], fe_h)
    for element in ELEMENTS:
        name = f"{_SPELT.get(element, element.lower())}_h"
        out[name] = _measured(table[f"{element}_FE"]) + fe_h
        out[f"e_{name}"] = _measured(table[f"{element}_FE_ERR"])  # in truth that of [X/H]
        out[f"{name}_flags"] = _mwm_flags(table[f"{element}_FE_FLAG"], out[name])
    for name, column in (("weighted_dist", "weighted_dist"), ("nn_dist", "dist")):
        dist[name], dist[f"{name}_err"] = astronn[column], astronn[f"{column}_error"]
    catalogue, distances, names = Table(out), Table(dist), FILES["mwm-dr19"]
    return Layout(
        {
            names[0]: (catalogue[:0], catalogue),
            names[1]: (distances[:0], distances),
        },
        _renamed(survey.truth, FIRST_SDSS_ID + star),
    )


def galah(survey: MockSurvey) -> Layout:
    """Return the mock as DR4 of GALAH has its stars: a row for each star, its proper motions in another file."""
    first = (np.asarray(survey.table["EXTRATARG"]) >> DUPLICATE & 1) == 0
    table, astronn, truth = survey.table[first], survey.astronn[first], survey.truth[first]
    ids = FIRST_SOBJECT_ID + np.asarray(truth["STAR"], dtype=np.int64)
    n_rows = len(table)
    out: dict[str, Any] = {
        "sobject_id": ids,
        "tmass_id": np.char.lstrip(np.asarray(table["APOGEE_ID"]), b"2M").astype("S16"),
        "gaiadr3_source_id": np.asarray(table["GAIAEDR3_SOURCE_ID"]),
        "ra": np.asarray(table["RA"]),
        "dec": np.asarray(table["DEC"]),
        "flag_sp": ((np.asarray(table["ASPCAPFLAG"]) & _BAD) != 0).astype(np.int32),
        "flag_sp_fit": np.zeros(n_rows, dtype=np.int16),
        **{f"snr_px_ccd{i}": np.asarray(table["SNR"], dtype=np.float32) for i in range(1, 5)},
        "rv_comp_1": np.asarray(table["VHELIO_AVG"], dtype=np.float32),
        "e_rv_comp_1": np.maximum(table["VSCATTER"] / np.sqrt(np.maximum(table["NVISITS"], 1)), 0.1),
    }
    for name in ("teff", "logg"):
        out[name] = np.asarray(table[name.upper()])
        out[f"e_{name}"] = np.asarray(table[f"{name.upper()}_ERR"])
    out["fe_h"], out["e_fe_h"] = _measured(table["FE_H"]), _measured(table["FE_H_ERR"])
    # the survey says to neglect it: here it is set where [Fe/H] is low, so that using it would show
    out["flag_fe_h"] = (out["fe_h"] < -1).astype(np.int32)
    for x in _GALAH_ELEMENTS:
        column = f"{x.upper()}_FE"
        known = column in table.colnames
        unknown = np.full(n_rows, np.nan, dtype=np.float32)
        out[f"{x}_fe"] = _measured(table[column]) if known else unknown
        out[f"e_{x}_fe"] = _measured(table[f"{column}_ERR"]) if known else unknown
        flag = np.asarray(table[f"{column}_FLAG"]) != 0 if known else np.full(n_rows, 32)
        out[f"flag_{x}_fe"] = flag.astype(np.int32)
    distance, error = np.asarray(astronn["weighted_dist"]), np.asarray(astronn["weighted_dist_error"])
    out |= {"r_med": distance, "r_lo": distance - error, "r_hi": distance + error}
    gaia = {
        "sobject_id": ids,
        "tmass_id": out["tmass_id"],
        "source_id": out["gaiadr3_source_id"],
        **{name: np.asarray(table[f"GAIAEDR3_R_{name[2:].upper()}"]) for name in _BAILER_JONES},
        **{name: np.asarray(astronn[name]) for name in ("pmra", "pmdec", "pmra_error", "pmdec_error")},
        "pmra_pmdec_corr": np.zeros(n_rows, dtype=np.float32),
        "ra": out["ra"],
        "dec": out["dec"],
        "parallax": np.asarray(table["GAIAEDR3_PARALLAX"]),
        "parallax_error": np.asarray(table["GAIAEDR3_PARALLAX_ERROR"]),
    }
    names = FILES["galah-dr4"]
    return Layout(
        {
            names[0]: (Table(out),),
            names[1]: (Table(gaia),),
        },
        _renamed(truth, ids),
    )


_BAILER_JONES = tuple(f"r_{which}_{kind}" for kind in ("geo", "photogeo") for which in ("med", "lo", "hi"))


def full_allstar(table: Table) -> Table:
    """Return the rows of allStarLite with vectors that the full allStar of DR17 has beside them.

    The real table has 234 columns; those that are left out here are further scalars and texts.
    """
    out = table.copy()
    n_rows, rng = len(table), np.random.default_rng(0)
    for name, shape, kind in (
        ("FPARAM", (9,), "f4"), ("FPARAM_COV", (9, 9), "f4"), ("PARAM", (9,), "f4"), ("PARAM_COV", (9, 9), "f4"),
        ("PARAMFLAG", (9,), "i4"), ("FELEM", (20,), "f4"), ("FELEM_ERR", (20,), "f4"), ("X_H", (20,), "f4"),
        ("X_H_ERR", (20,), "f4"), ("X_M", (20,), "f4"), ("X_M_ERR", (20,), "f4"), ("ELEM_CHI2", (20,), "f4"),
        ("ELEMFRAC", (20,), "f4"), ("ELEMFLAG", (20,), "i4"), ("ALL_VISIT_PK", (50,), "i4"),
        ("VISIT_PK", (50,), "i4"),
    ):  # fmt: skip
        out[name] = rng.integers(-9999, 9999, (n_rows, *shape)).astype(kind)
    return out


def _measured(column: Any) -> np.ndarray:
    found = np.asarray(column, dtype=np.float32)
    return np.where(found < -9000, np.float32(np.nan), found)


def _mwm_flags(flag: Any, value: np.ndarray) -> np.ndarray:
    """Return the bits of SDSS-V for those of DR17; 0 where there is no value, as in its files."""
    flag = np.asarray(flag)
    bits = np.where(flag & 1, 1 << _GRID_EDGE_BAD, 0) | np.where(flag & 256, 1 << _GRID_EDGE_WARN, 0)
    return np.where(np.isnan(value), 0, bits).astype(np.int64)


def _renamed(truth: Table, ids: np.ndarray) -> Table:
    out = truth.copy()
    out["APOGEE_ID"] = ids.astype("S20")
    return out


def write_extensions(path: Path, tables: tuple[Table, ...], header: Mapping[str, tuple[object, str]]) -> None:
    """Write tables as extensions 1, 2, ... of one file, within gzip where its name ends so, with `header` in each."""
    hdus = fits.HDUList([fits.PrimaryHDU(), *(table_hdu(table) for table in tables)])
    for hdu in hdus[1:]:
        for key, value in header.items():
            hdu.header[key] = value

    def write(file: Any) -> None:
        if path.suffix != ".gz":
            hdus.writeto(file)
            return
        with gzip.open(file, "wb", compresslevel=1) as packed:
            hdus.writeto(packed)

    write_atomically(path, write, overwrite=True)


LAYOUTS: Mapping[str, Callable[[MockSurvey], Layout]] = {"mwm-dr19": milky_way_mapper, "galah-dr4": galah}
"""Layouts other than APOGEE DR17's, by the names of surveys."""
