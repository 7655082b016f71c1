"""Draw every figure that the software has, on a mock survey, for docs/colours.py."""

from __future__ import annotations

import ast
import pathlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from astropy.table import Table

from halonmf import halo
from halonmf.cli import app
from halonmf.halo import figures
from halonmf.halo.figures.picture import Picture

ROWS, SEED = 16_000, 1


@contextmanager
def watched(seen: dict[str, Any]) -> Iterator[None]:
    """Keep every figure that is drawn, by the function that drew it and a number."""
    check = Picture.__post_init__

    def note(picture: Picture) -> None:
        check(picture)
        drawn = sys._getframe(2)  # beneath this and the __init__ that was made for the class
        name = f"{pathlib.Path(drawn.f_code.co_filename).stem}.{drawn.f_code.co_name}"
        number = 1 + sum(key.split(" ")[0] == name for key in seen)
        seen[f"{name} {number}"] = picture.figure

    Picture.__post_init__ = note  # type: ignore[method-assign]
    try:
        yield
    finally:
        Picture.__post_init__ = check  # type: ignore[method-assign]


def functions() -> set[str]:
    """Return the functions that draw, such as ``fit.components``."""
    found = set()
    for path in pathlib.Path(figures.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and any(ast.unparse(each) == "styled" for each in node.decorator_list):
                found.add(f"{path.stem}.{node.name}")
    return found


def run(*arguments: object) -> None:
    """Run a command of halonmf; one that warns of what has not converged has drawn all the same."""
    try:
        app([*map(str, arguments)])
    except SystemExit as ended:
        if ended.code not in (0, 4, None):
            raise RuntimeError(f"halonmf {arguments[0]} ended with {ended.code}") from None


def everything(folder: pathlib.Path) -> dict[str, Any]:
    """Return every figure, by the function that drew it and a number."""
    seen: dict[str, Any] = {}
    paper, stars = folder / "paper", folder / "paper" / "stars.fits"
    with watched(seen):
        run("paper", paper, "--rows", ROWS, "--seed", SEED, "--bootstrap", 4, "--draws", 6, "--analysis", "both", "-q")
        for k, loss in ((2, "frobenius"), (4, "kullback-leibler")):
            fitted = folder / f"fit{k}.h5"
            run("fit", stars, "-o", fitted, "-k", k, "--loss", loss, "--bins", "E:6,Lz:6", "--pixels", 25, "-q")
            run("report", fitted, stars, "-o", folder / f"{k}.html", "--bootstrap", 8, "-q")
        both = folder / "fit2.h5", folder / "fit4.h5"
        run("compare", *both, stars, "-o", folder / "compared.ecsv", "--figure", folder / "compared", "-q")
        for name, sweep in (("runs2", ("bins=5,6",)), ("runs3", ("components=2,3",))):
            swept = [part for each in sweep for part in ("--sweep", each)]
            run("ensemble", stars, "-o", folder / name, *swept, "--bootstrap", 4, "--pixels", 25, "-q")
            figures.ensemble(halo.summarise(folder / name))
        run("sensitivity", stars, "--choice", "bins", "--draws", 3, "-o", folder / "tornado.ecsv",
            "--figure", folder / "tornado", "-q")  # fmt: skip
        table, fit = Table.read(stars), halo.load(both[0])
        profile, boundary = halo.profile(fit, table, "E:10"), halo.boundary(fit, table)
        figures.summary(fit, None, boundary, profile, truth=np.linspace(0, 1, 10))
        figures.fractions(profile, truth=np.linspace(0, 1, 10))
        # where a galaxy's stars come from is its own; the colours do not depend on it
        table["accreted"] = (np.asarray(table["E"]) > np.median(np.asarray(table["E"]))).astype(int)
        figures.galaxy_recovery(halo.recover(fit, table))
    return seen
