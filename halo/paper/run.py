"""The whole paper from one sample: every product in order, the files, the scoreboard and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from astropy.io import fits

from .. import figures
from ..errors import HalonmfError, InputError, OutputError, UsageError
from ..fits.engine import resolve_device
from ..fits.store import save_fit
from ..io.alone import SUFFIX, alone
from ..io.atomic import check_output, make_folder, remove, remove_temporary
from ..io.provenance import plain, provenance
from ..io.reading import check_file
from ..io.tables import save_table, save_text
from ..mock.survey import ALLSTAR, ASTRONN, MEMBERS, TRUTH, make
from ..mock.truth import FIRST_MODEL
from ..progress import Progress, announce, silent, stage
from ..progress import kept as tell_kept
from ..stars.catalogue import Catalogue, read_catalogue, write_catalogue
from ..survey.prepare import prepare
from .galaxies import read_galaxies
from .kept import SAMPLE, Left, Steps, own_files, source_of
from .page import pages
from .part import Drawn, Part, Step
from .quoted import kind_of_sample
from .scoreboard import Scoreboard, board
from .settings import FOLDERS, RECOMMENDED, SCORES, STEPS
from .steps import steps_of
from .study import CHEMICAL, SELECTIONS, PaperSettings, Study
from .suited import without_clusters

STARS, MOCK, REPORT, SCOREBOARD = "stars.fits", "mock", "report.html", "scoreboard.html"
PAGE = "page"
"""The step after all others."""
LOCK = f".paper{SUFFIX}"
"""The file of the folder that a run locks."""
WHICH = ("seed", "model")
"""Settings that the mock has under the same names."""


@dataclass(frozen=True)
class Paper:
    """What a run of the whole paper left.

    Attributes
    ----------
    parts : dict of str to Part
        By the title of the step.
    skipped : dict of str to str
        Products and numbers that were not made, and why.
    scores : Scoreboard
        Every number of the paper beside ours.
    figures, tables : int
        How many.
    warnings : tuple of str
        What did not converge.
    headlines : tuple of str
        Lines for a terminal, such as the numbers of both analyses.
    said : tuple of str
        What was changed for these stars, and why: clusters that were left out, other bins and pixels.
    kept : tuple of str
        Titles of the steps that an earlier run had left; of these `parts` has no drawings, no data behind figures and
        no fits, which are in the files.
    """

    parts: dict[str, Part]
    skipped: dict[str, str]
    scores: Scoreboard
    figures: int
    tables: int
    warnings: tuple[str, ...] = field(default_factory=tuple)
    headlines: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return the scoreboard, what was left out and changed, and how many figures and tables there are."""
        scores = {name: found for name, found in self.scores.record().items() if name != "provenance"}
        told = {"headlines": list(self.headlines), "changed": list(self.said), "skipped": dict(self.skipped)}
        return {**scores, **told, "figures": self.figures, "tables": self.tables}


def run(
    directory: str | Path,
    *,
    stars: str | Path | None = None,
    truth: str | Path | None = None,
    galaxies: Sequence[str] = (),
    galaxy_columns: str | Path | None = None,
    settings: PaperSettings | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Paper:
    """Make every product of the paper and leave it in a directory, with the scoreboard and the report.

    Parameters
    ----------
    directory : path
        Made where there is none.
    stars : path, optional
        Prepared catalogue; a mock survey is made in the directory where none is given, or taken from an earlier run
        with the same seed and rows.
    truth : path, optional
        Truth of the stars, where these are a mock's.
    galaxies : sequence of str
        Simulated galaxies, ``NAME=FILES`` each; wildcards may stand in the name of the files.
    galaxy_columns : path, optional
        Mapping of their columns.
    settings : PaperSettings, optional
        Choices.
    resume : bool
        Take up what an earlier run left: a step is made again only where what goes into it has changed (the stars, the
        settings, this software), or a file of it is damaged, edited or gone.
    overwrite : bool
        Replace what an earlier run left.
    progress : callable, optional
        Called with (stage, done, total).

    Returns
    -------
    Paper

    Raises
    ------
    UsageError
        A truth without stars, `resume` together with `overwrite`, or settings that make no sense.
    InputError
        Stars that cannot be read, or too few for the first fit.
    OutputError
        A file exists or cannot be written, or another process makes this paper.
    """
    settings, directory = settings or PaperSettings(), Path(directory)
    if truth is not None and stars is None:
        raise UsageError("--truth is that of given stars; the mock that is made without them has its own.")
    if resume and overwrite:
        raise UsageError("--overwrite does not go with --resume: it makes every step again.")
    device = resolve_device(settings.device)  # an absent one is to fail now, not after the survey
    if directory.exists() and not directory.is_dir():
        raise OutputError(f"{directory}: is a file, expected a directory; choose another.")
    given = None if stars is None else read_catalogue(stars)  # what is refused leaves no folder
    make_folder(directory)
    columns = None if galaxy_columns is None else Path(galaxy_columns)
    with alone(directory, directory / LOCK):
        return _run(directory, stars, given, truth, galaxies, columns, settings, device, progress, resume, overwrite)


def _run(
    directory: Path,
    stars: str | Path | None,
    given: Catalogue | None,
    truth: str | Path | None,
    galaxies: Sequence[str],
    columns: Path | None,
    settings: PaperSettings,
    device: str,
    progress: Progress,
    resume: bool,
    overwrite: bool,
) -> Paper:
    steps = steps_of(settings.analysis)
    if resume and (directory / REPORT).exists() and not Steps(directory).begun:
        raise OutputError(f"{directory}: its steps were not kept; make them again (--overwrite), or choose another.")
    inputs_given = (stars, truth)
    _check(directory, steps, overwrite=overwrite or resume, inputs=inputs_given, with_stars=stars is None)
    _tidy(directory, with_stars=stars is None)
    simulated = read_galaxies(galaxies, columns)
    announce(progress, SAMPLE, *(step.title for step in steps), PAGE)
    catalogue, truth_file, inputs = _sample(directory, stars, truth, settings, progress, given=given, resume=resume)
    inputs += [columns] if columns is not None else []
    catalogue, clusters = without_clusters(catalogue, SELECTIONS)
    study = Study(catalogue.table, settings, truth_file=truth_file, galaxies=simulated, progress=progress)
    chemical = len(study.stars.sample(study.fit_settings(CHEMICAL).selection))
    record = provenance(
        "paper",
        {"paper": settings, "fit": study.fit_settings(CHEMICAL), "galaxies": galaxies},
        inputs=inputs,
        seeds=[settings.seed],
        device=device,
    )

    kept = Steps(directory, source_of(settings, device, inputs, simulated, texts=galaxies), resume)
    before = _left_before(directory) | kept.named()
    left: dict[str, Left] = {}
    taken_up: list[str] = []
    for step in steps:
        found = kept.find(step.name)
        if found is None:
            found = _made(directory, step, study, record)
            kept.keep(step.name, found)
        else:
            taken_up.append(step.title)
            tell_kept(progress, step.title)
        left[step.title] = found
    progress(PAGE, 0, 1)
    parts = {title: each.part for title, each in left.items()}
    skipped = {name: why for part in parts.values() for name, why in part.skipped.items()}
    files = {name: paths for each in left.values() for name, paths in each.files.items()}
    merged = {name: value for part in parts.values() for name, value in part.values.items()}
    kind = kind_of_sample(chemical, study.is_mock)
    scores = board(merged, kind, chemical, skipped=skipped, provenance=record)
    if settings.analysis == RECOMMENDED:  # a board of what the paper alone makes would say nothing of it
        scores = replace(scores, rows=tuple(row for row in scores.rows if row.value is not None))
    warned = tuple(f"{title}: {said}" for title, part in parts.items() for said in part.warnings)
    said = (*((f"without {clusters}",) if clusters else ()), *study.choices.said(SELECTIONS))
    shown = {**scores.record(), "said": list(said), "skipped": skipped, "warnings": list(warned), "files": files}
    save_text(directory / SCORES, json.dumps(plain(shown), indent=1, allow_nan=False), overwrite=True)
    for name in before - {file for named in files.values() for file in named}:
        if (directory / name).is_file():
            remove(directory / name)  # of an earlier run, which this page does not speak of
    kept.forget(step.name for step in steps)
    made = pages(directory, catalogue, parts, scores, skipped, files, settings, said)
    for name, text in zip((REPORT, SCOREBOARD), made, strict=True):
        save_text(directory / name, text, overwrite=True)
    drawn = sum(len(part.pictures) for part in parts.values())
    lines = tuple(line for part in parts.values() for line in part.headlines)
    tables = sum(len(part.tables) for part in parts.values())
    progress(PAGE, 1, 1)
    return Paper(parts, skipped, scores, drawn, tables, warned, lines, said, tuple(taken_up))


def _made(directory: Path, step: Step, study: Study, record: Mapping[str, Any]) -> Left:
    """Return what a step comes to, its files written."""
    with stage(study.progress, step.title):
        try:
            part = step.make(study)
        except HalonmfError as error:
            part = Part(said=(f"Not made: {error}",), skipped=dict.fromkeys(step.products, str(error)))
        return Left(part, _write(directory, step, part, record))


def _check(directory: Path, steps: Sequence[Step], *, overwrite: bool, inputs: Sequence[Any], with_stars: bool) -> None:
    """Raise where an output cannot be written; make the folders."""
    for folder in (directory, *(directory / name for name in FOLDERS)):
        make_folder(folder)
    paths = [directory / name for name in (REPORT, SCOREBOARD, SCORES)]
    paths += [directory / STARS] if with_stars else []
    for step in steps:
        paths += [
            directory / "figures" / f"{name}.{suffix}" for name in step.figures for suffix in ("png", "pdf", "txt")
        ]
        paths += [directory / "tables" / f"{name}.ecsv" for name in step.tables]
    for path in paths:
        check_output(path, overwrite=overwrite, inputs=inputs)


def _tidy(directory: Path, *, with_stars: bool) -> None:
    """Remove the temporary files of an earlier run that was killed as it wrote."""
    for name in (REPORT, SCOREBOARD, SCORES, *((STARS,) if with_stars else ())):
        remove_temporary(directory, name)
    own = (*FOLDERS, STEPS, *((MOCK, f"{MOCK}/{MEMBERS}") if with_stars else ()))
    for folder in own:
        remove_temporary(directory / folder)


def _sample(
    directory: Path,
    stars: str | Path | None,
    truth: str | Path | None,
    settings: PaperSettings,
    progress: Progress,
    *,
    given: Catalogue | None = None,
    resume: bool,
) -> tuple[Catalogue, Path | None, list[Path]]:
    """Return the stars, which are `given` where they come from a file, a mock's truth, and the files."""
    if given is not None:
        truth_file = None if truth is None else Path(truth)
        with stage(progress, SAMPLE):
            return given, truth_file, [Path(x) for x in (stars, truth) if x is not None]
    folder, written = directory / MOCK, directory / STARS
    inputs = [written, folder / TRUTH]
    # the mock and its orbits depend on nothing else
    mock = {name: getattr(settings, name) for name in ("seed", "rows", "model")}
    kept = Steps(directory, source_of(replace(PaperSettings(), **mock), "cpu"), resume)
    if kept.find(SAMPLE) is not None:
        tell_kept(progress, SAMPLE)
        return read_catalogue(written), folder / TRUTH, inputs
    with stage(progress, SAMPLE):
        if not _is_made(folder, settings):
            make(folder, n_stars=settings.rows, progress=progress, overwrite=True, **{k: mock[k] for k in WHICH})
        catalogue = prepare(folder / ALLSTAR, folder / ASTRONN, folder / MEMBERS, progress=progress)
        write_catalogue(written, catalogue.table, catalogue.cutflow, catalogue.provenance, overwrite=True)
        names = [path.relative_to(directory).as_posix() for path in inputs]
        kept.keep(SAMPLE, Left(Part(), {SAMPLE: names}))
        # as the file has them: so they are the same where it is taken up
        return read_catalogue(written), folder / TRUTH, inputs


def _is_made(folder: Path, settings: PaperSettings) -> bool:
    """Return whether an earlier run left this very mock: it is drawn from its seed, and takes a while."""
    try:
        for name in (ALLSTAR, ASTRONN, TRUTH):
            header = fits.getheader(check_file(folder / name), 1)
            primary = {**fits.getheader(folder / name, 0), **header}
            known = (
                primary["MOCKSEED"],
                bool(primary["MOCKFULL"]),
                header["NAXIS2"],
                primary.get("MOCKMODL", FIRST_MODEL),
            )
            if known != (settings.seed, False, settings.rows, settings.model):
                return False
    except Exception:  # missing, or damage of any kind: it is made again
        return False
    return (folder / MEMBERS).is_dir()


def _left_before(directory: Path) -> set[str]:
    """Return the files that an earlier run's scoreboard names, none outside its own folders."""
    try:
        files = json.loads(check_file(directory / SCORES).read_text(encoding="utf-8"))["files"]
        return own_files(name for named in files.values() for name in named)
    except (InputError, OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return set()


def _write(directory: Path, step: Step, part: Part, record: Mapping[str, Any]) -> dict[str, list[str]]:
    """Write a part's files; returns their names below the directory, by figure or table."""
    written: dict[str, list[str]] = {}
    unknown = (part.pictures.keys() - set(step.figures)) | (part.tables.keys() - set(step.tables))
    assert not unknown, f"{step.title} made what it does not name: {unknown}"
    for name, picture in part.pictures.items():
        assert not isinstance(picture, Drawn), f"{step.title} was drawn before"
        stem = directory / "figures" / name
        paths = figures.save(picture, stem, overwrite=True, provenance=record)
        paths.append(save_text(stem.with_suffix(".txt"), picture.caption, overwrite=True))
        own = {} if picture.data is None else {name: picture.data}
        for key, table in {**own, **part.data}.items():
            if key == name or key.startswith(f"{name}-"):
                paths.append(save_table(stem.with_name(f"{key}.ecsv"), table, record, overwrite=True))
        written[name] = [path.relative_to(directory).as_posix() for path in paths]
    for name, table in part.tables.items():
        path = save_table(directory / "tables" / f"{name}.ecsv", table, record, overwrite=True)
        written[name] = [path.relative_to(directory).as_posix()]
    for name, fit in part.fits.items():
        path = save_fit(directory / "fits" / f"{name}.h5", replace(fit, provenance=dict(record)), overwrite=True)
        written[f"fit {name}"] = [path.relative_to(directory).as_posix()]
    return written
