"""Commands on simulated galaxies and on what a fit misses. Files in and out, as in `commands`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..checks import injection as injecting
from ..checks import stability as repeating
from ..fits.settings import FitSettings
from ..io.atomic import TABLES, check_output
from ..io.provenance import provenance
from ..io.tables import save_table
from ..simulations import fractions as simulating
from ..simulations.particles import read_galaxy
from ..stars.catalogue import read_catalogue
from .output import check_figure, draw_figure


def simulation(
    files: Sequence[Path],
    columns: Path,
    output: Path,
    *,
    by: Sequence[str] = simulating.AXES,
    max_fe_h: float = simulating.MAX_FE_H,
    cuts: Sequence[str] = (),
    min_particles: int = simulating.MIN_PARTICLES,
    figure: Path | None = None,
    overwrite: bool = False,
) -> simulating.Simulated:
    """Write the true mass fractions of a simulated galaxy; the choices are those of `simulations.simulate`.

    Raises
    ------
    UsageError, InputError, OutputError
        As `particles.read_galaxy` and `simulations.simulate`; `output` exists, or cannot be written.
    """
    check_output(output, overwrite=overwrite, suffixes=TABLES, inputs=(*files, columns))
    check_figure(figure, overwrite)
    galaxy = read_galaxy(files, columns)
    result = simulating.simulate(galaxy, by, max_fe_h=max_fe_h, cuts=cuts, min_particles=min_particles)
    choices = {"by": by, "max_fe_h": max_fe_h, "cuts": cuts, "min_particles": min_particles, "mapping": galaxy.mapping}
    record = provenance("simulation", choices, inputs=[*files, columns])
    save_table(output, result.table(), record, overwrite=overwrite)
    draw_figure(figure, lambda figures: figures.simulations([result]), record, overwrite)
    return result


def stability(
    stars: Path,
    output: Path,
    settings: FitSettings | None = None,
    *,
    starts: int = repeating.STARTS,
    bins: Sequence[int] = repeating.BINS,
    pixels: Sequence[int] = repeating.PIXELS,
    figure: Path | None = None,
    overwrite: bool = False,
) -> repeating.Stability:
    """Write how components hold over random starts, bins and pixels; the choices are those of `stability.stability`.

    Raises
    ------
    UsageError, InputError, OutputError
        As `commands.fit`.
    """
    settings = settings or FitSettings()
    check_output(output, overwrite=overwrite, suffixes=TABLES, inputs=(stars,))
    check_figure(figure, overwrite)
    choices: dict[str, Any] = {"starts": starts, "bins": bins, "pixels": pixels}
    result = repeating.stability(read_catalogue(stars).table, settings, **choices)
    record = provenance("stability", {**choices, "fit": settings}, inputs=[stars], seeds=[settings.solver.seed])
    save_table(output, result.table(), record, overwrite=overwrite)
    draw_figure(figure, lambda figures: figures.stabilities(result), record, overwrite)
    return result


def injection(
    stars: Path,
    output: Path,
    settings: FitSettings | None = None,
    stream: injecting.Stream | None = None,
    *,
    widths: Sequence[float] = injecting.WIDTHS,
    numbers: Sequence[int] = injecting.NUMBERS,
    repeats: int = injecting.REPEATS,
    threshold: float = injecting.THRESHOLD,
    seed: int = 0,
    figure: Path | None = None,
    overwrite: bool = False,
) -> injecting.Injection:
    """Write which planted streams a fit finds; the choices are those of `injection.inject`.

    Parameters
    ----------
    settings : FitSettings, optional
        Selection, bins, images and the number of components: two for the sample and one for the stream by default.

    Raises
    ------
    UsageError, InputError, OutputError
        As `commands.fit`.
    """
    settings = settings or FitSettings.of(components=injecting.COMPONENTS)
    stream = stream or injecting.Stream()
    check_output(output, overwrite=overwrite, suffixes=TABLES, inputs=(stars,))
    check_figure(figure, overwrite)
    choices: dict[str, Any] = {
        "widths": tuple(widths),
        "numbers": tuple(numbers),
        "repeats": repeats,
        "threshold": threshold,
        "seed": seed,
    }
    table = read_catalogue(stars).table
    result = injecting.inject(table, settings, stream, components=settings.solver.components, **choices)
    record = provenance("injection", {**choices, "stream": stream, "fit": settings}, inputs=[stars], seeds=[seed])
    save_table(output, result.table(), record, overwrite=overwrite)
    draw_figure(figure, lambda figures: figures.injections(result), record, overwrite)
    return result
