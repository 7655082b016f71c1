"""The command line: parse, one call, one line printed. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import functools
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .halo.errors import HalonmfError, UsageError

if TYPE_CHECKING:
    from .halo.fits.settings import FitSettings
    from .halo.products.protocol import Product

app = typer.Typer(
    help="Blind source separation of the stellar halo: from APOGEE catalogues to chemical components of the halo.",
    epilog="Start with: halonmf demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Selection(StrEnum):
    """Halo selections."""

    chemically_pure = "chemically-pure"
    kinematically_pure = "kinematically-pure"
    retrograde = "retrograde"
    all = "all"


class Backend(StrEnum):
    """Libraries that compute orbits."""

    auto = "auto"
    agama = "agama"
    builtin = "builtin"
    galpy = "galpy"


class Eccentricity(StrEnum):
    """Ways to peri- and apocentre."""

    staeckel = "staeckel"
    orbit = "orbit"


class Fill(StrEnum):
    """What to do where an Lz column has no boundary."""

    nearest = "nearest"
    drop = "drop"


class Order(StrEnum):
    """What makes a part's first component the first."""

    energy = "energy"
    metallicity = "metallicity"


class Scheme(StrEnum):
    """Ways to resample stars."""

    multinomial = "multinomial"
    poisson = "poisson"
    delete = "delete"
    none = "none"


class Edges(StrEnum):
    """Whose stars settle the bins."""

    fixed = "fixed"
    redrawn = "redrawn"


class Errors(StrEnum):
    """What becomes of measurement errors."""

    none = "none"
    redrawn = "redrawn"


class Interval(StrEnum):
    """Intervals from replicates."""

    percentile = "percentile"
    basic = "basic"
    bias_corrected = "bias-corrected"
    centred = "centred"


class Terminal:
    """Progress on standard error: bars on a terminal, one line per stage elsewhere, nothing when quiet."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._since = time.monotonic()

    def __enter__(self) -> Terminal:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=Console(stderr=True))
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` is done of a stage."""
        if self._bars is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total)
            self._bars.update(self._tasks[stage], completed=done, total=total)
        elif not self._quiet and done >= total and stage not in self._tasks:
            # From the stage before: many stages report only when they are done.
            self._tasks[stage], start, self._since = None, self._since, time.monotonic()
            typer.echo(f"{stage}: done in {self._since - start:.1f} s", err=True)


class Meter:
    """Progress of many equal pieces: a bar with rate and time left, lines in a log, lines of JSON, or nothing.

    Rate and time left are of the pieces done since the start, those of an earlier run left out.
    """

    EVERY = 15.0

    def __init__(self, quiet: bool, as_json: bool = False, noun: str = "fits") -> None:
        self._quiet, self._json, self._noun = quiet, as_json, noun
        self._bar: Any = None
        self._task: Any = None
        self._start = self._said = time.monotonic()
        self._before: int | None = None

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        if self._quiet:
            return
        now = time.monotonic()
        if self._before is None:
            self._before, self._start, self._said = done, now, now
            if not self._json and sys.stderr.isatty():
                self._open(total)
        rate = (done - self._before) / (now - self._start) if now > self._start else 0.0
        left = (total - done) / rate if rate else None
        if self._bar is not None:
            said = f"{rate:,.0f} per s, {_left(left)}" if rate else ""
            self._bar.update(self._task, completed=done, said=f"{done:,} of {total:,} {said}")
        elif now - self._said >= (1.0 if self._json else self.EVERY) or (done >= total and rate):
            self._said = now
            text = f"{self._noun}: {done:,} of {total:,}, {rate:,.1f} per s, {_left(left)}"
            _say(self._json, text, err=True, event="progress", done=done, total=total, rate=rate, seconds_left=left)

    def _open(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[said]}"),
        )
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task(self._noun, total=total, said="")
        self._bar.start()


@contextmanager
def _compiling(quiet: bool) -> Iterator[None]:
    """Say once, unless quiet, that kernels are being compiled: nothing else moves meanwhile."""
    from nmfcore.kernels.compiling import when_compiling

    text = "compiling kernels: 10 to 20 s at the first use of a number of components, then they are kept"
    with when_compiling(lambda: None if quiet else typer.echo(text, err=True)):
        yield


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "time left unknown"
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours} h {minutes:02d} min left" if hours else f"{minutes} min {whole % 60:02d} s left"


def _say(as_json: bool, text: str, *, err: bool = False, **record: Any) -> None:
    """Print a line for people, or what it says as JSON for programs."""
    if not as_json:
        typer.echo(text, err=err)
        return
    from .halo.io.provenance import plain

    typer.echo(json.dumps(plain(record)))


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a command whose known errors become one line and an exit code."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except HalonmfError as error:
            typer.echo(f"halonmf: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo("halonmf: interrupted", err=True)
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise  # a reader that left, as head does, is no fault: typer ends silently
        except Exception as error:
            if os.environ.get("HALONMF_DEBUG"):
                traceback.print_exc()
            typer.echo(
                f"halonmf: internal error ({type(error).__name__}: {error}); please report it, "
                "with what HALONMF_DEBUG=1 prints",
                err=True,
            )
            raise typer.Exit(1) from None

    return guarded


def _read_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Take a command's defaults from the table of its name in a TOML file."""
    if path is None or ctx.resilient_parsing:
        return path
    tables, command = _read_toml(path), str(ctx.info_name)
    commands = sorted(ctx.parent.command.list_commands(ctx.parent)) if ctx.parent else [command]  # type: ignore[attr-defined]
    for name, table in tables.items():
        if name not in commands:
            raise typer.BadParameter(f"{path}: unknown table or setting {name!r}; known tables: {', '.join(commands)}")
        if not isinstance(table, dict):
            raise typer.BadParameter(f"{path}: {name} must be a table, such as [{name}] above its settings")
    # Names as on the command line: --min-stars is min-stars or min_stars, a repeatable option takes a list.
    known = {}
    for parameter in ctx.command.params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--config":
                known[option[2:].replace("-", "_")] = parameter
    given = tables.get(command, {})
    section = {key.replace("-", "_"): value for key, value in given.items()}
    if len(section) < len(given):
        raise typer.BadParameter(f"{path}: [{command}] has a setting twice, with - and with _ in its name")
    unknown = sorted(section.keys() - known.keys())
    if unknown:
        raise typer.BadParameter(
            f"{path}: [{command}] has unknown settings {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
    ctx.default_map = {
        str(known[key].name): _config_value(f"{path}: [{command}] {key}", known[key], value)
        for key, value in section.items()
    }
    return path


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise typer.BadParameter(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # no TOML, or no text
        raise typer.BadParameter(f"{path}: is no TOML ({error})") from None


def _config_value(where: str, parameter: Any, value: Any) -> Any:
    """Return a setting as its option takes it: a list for a repeatable one, true or false for a switch."""
    if parameter.multiple:
        if isinstance(value, dict):  # a table, as [ensemble.sweep] above pixels = "10:60:10"
            value = [f"{name}={_joined(one)}" for name, one in value.items()]
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(x, str) for x in values):
            raise typer.BadParameter(f'{where} must be a text or a list of texts, such as ["..."]; got {value!r}')
        return values
    if getattr(parameter, "is_flag", False) != isinstance(value, bool):
        wanted = "a value other than" if isinstance(value, bool) else "either"
        raise typer.BadParameter(f"{where} must be {wanted} true or false; got {value!r}")
    if not isinstance(value, str | int | float):
        raise typer.BadParameter(f"{where} must be one value; got {value!r}")
    return value


def _joined(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="TOML file with a table per command, such as [fit]; options given on the command line win.",
        callback=_read_config,
        is_eager=True,
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda (cuda:1, ...).")]
Cuts = Annotated[
    list[str] | None,
    typer.Option("--cut", help='Condition that stars must meet, such as "LOGG<2.5" or "|z|<2"; repeatable.'),
]
Stars = Annotated[Path, typer.Argument(metavar="STARS", help="Prepared catalogue, from halonmf prepare.")]
FitFile = Annotated[Path, typer.Argument(metavar="FIT", help="A fit, from halonmf fit.")]
OtherSelection = Annotated[
    Selection | None, typer.Option("--selection", help="Another selection than the fit's.", show_default=False)
]
Grid = Annotated[int, typer.Option("--grid", min=2, help="Bins of the boundary's map on either axis.")]
BoundaryLevel = Annotated[float, typer.Option("--level", help="Share of the last component at the boundary.")]
Smoothing = Annotated[float, typer.Option("--smoothing", help="Sigma of the boundary's Gaussian filter [columns].")]
Bootstrap = Annotated[
    int, typer.Option("--bootstrap", min=0, help="Bootstrap replicates behind the intervals; 0 for no intervals.")
]
BootstrapSeed = Annotated[int, typer.Option("--seed", help="Seed of the replicates.")]
FigureFile = Annotated[
    Path | None,
    typer.Option("--figure", help="Draw it too: NAME.png, NAME.pdf and its caption NAME.txt.", show_default=False),
]
RegionFile = Annotated[
    Path | None, typer.Option("--regions", help="Your own region file; see docs/populations.md.", show_default=False)
]
MinStars = Annotated[int, typer.Option("--min-stars", min=1, help="Bins with fewer stars carry no crossing.")]


FitSelection = Annotated[Selection, typer.Option("--selection", help="Halo selection.")]
MaxFeH = Annotated[float, typer.Option("--max-fe-h", help="[Fe/H] limit of kinematically-pure.")]
MinEccentricity = Annotated[float, typer.Option("--min-eccentricity", help="Prograde limit of chemically-pure.")]
BinsOption = Annotated[
    str, typer.Option("--bins", help="VARIABLE:COUNT (equal counts) or VARIABLE:COUNT:LOW:HIGH; one or two.")
]
Pixels = Annotated[int, typer.Option("--pixels", min=1, help="Pixels along one side of each image.")]
Planes = Annotated[
    list[str] | None,
    typer.Option("--plane", help="Abundance plane Y:X; repeatable. AL_FE:FE_H and MG_FE:FE_H."),
]
Ranges = Annotated[
    list[str] | None, typer.Option("--range", help="Histogram range, such as FE_H:-2.5:0.7; repeatable.")
]
Components = Annotated[int, typer.Option("--components", "-k", min=1, help="Components.")]
Loss = Annotated[
    str,
    typer.Option(
        "--loss",
        help="frobenius, kullback-leibler, itakura-saito or a number beta; beta <= 0 (itakura-saito) needs data "
        "without zeros, which counts never are: prefer kullback-leibler for them.",
    ),
]
Update = Annotated[str, typer.Option("--update", help="auto, mu (Lee & Seung), amu, hals, ehals, rank2 or newton.")]
Init = Annotated[str, typer.Option("--init", help="nndsvda, nndsvd, nndsvdar or random.")]
AlphaW = Annotated[float, typer.Option("--alpha-W", help="Penalty on W, as scikit-learn scales it.")]
AlphaH = Annotated[float, typer.Option("--alpha-H", help="Penalty on H, as scikit-learn scales it.")]
L1Ratio = Annotated[float, typer.Option("--l1-ratio", help="Share of L1 in the penalties.")]
Starts = Annotated[
    int | None,
    typer.Option(
        "--starts",
        min=1,
        help="Starts, the best of which is kept: 1 for two components, else 8.",
        show_default=False,
    ),
]
Tol = Annotated[float, typer.Option("--tol", help="Convergence: relative change still to come.")]
MaxIter = Annotated[int, typer.Option("--max-iter", help="Most iterations.")]


@app.callback(invoke_without_command=True)
def _top(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"halonmf {version_of('halonmf')}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(2)


@app.command(epilog="Example: halonmf mock mock/ --stars 60000 --seed 1")
@_command
def mock(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write.")],
    stars: Annotated[int, typer.Option("--stars", help="Rows of the survey.")] = 60_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same survey.")] = 1,
    full: Annotated[bool, typer.Option("--full", help="Do not thin the discs: 2 % of the rows are halo.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Make a mock survey: allStarLite, astroNN and cluster-member files, and its truth."""
    from .halo.mock.survey import make

    with Terminal(quiet) as progress:
        paths = make(directory, n_stars=stars, seed=seed, full=full, progress=progress, overwrite=overwrite)
    thinned = f"1 disc star in {paths.thinning:g} kept" if paths.thinning != 1 else "discs not thinned"
    typer.echo(f"{paths.n_rows:,} rows ({thinned}) -> {paths.allstar.parent}")


@app.command(
    epilog="Example: halonmf prepare allStarLite-dr17-synspec_rev1.fits apogee_astroNN-DR17.fits -o stars.fits"
)
@_command
def prepare(
    allstar: Annotated[Path, typer.Argument(metavar="ALLSTAR", help="allStarLite, or your own catalogue.")],
    astronn: Annotated[
        Path | None, typer.Argument(metavar="[ASTRONN]", help="astroNN catalogue; none with --columns.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Prepared catalogue to write.")] = Path("stars.fits"),
    members: Annotated[
        Path | None,
        typer.Option("--members", help="Cluster members: a folder, zip, text or FITS file.", show_default=False),
    ] = None,
    columns: Annotated[
        Path | None,
        typer.Option("--columns", help="TOML file that names the columns of your own catalogue.", show_default=False),
    ] = None,
    element: Annotated[
        list[str] | None, typer.Option("--element", help="Abundance to use; repeatable. FE_H, AL_FE, MG_FE.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", help="Further allStar column to carry along; repeatable.")
    ] = None,
    cut: Cuts = None,
    max_error: Annotated[float, typer.Option("--max-error", help="Largest abundance error [dex].")] = 0.2,
    max_logg: Annotated[float, typer.Option("--max-logg", help="Largest log g.")] = 3.0,
    max_distance: Annotated[float, typer.Option("--max-distance", help="Largest distance from the Sun [kpc].")] = 10.0,
    member_probability: Annotated[
        float, typer.Option("--member-probability", help="Members at or above it are removed.")
    ] = 0.8,
    flags: Annotated[bool, typer.Option("--flags/--no-flags", help="Apply the survey's flags.")] = True,
    potential_backend: Annotated[
        Backend, typer.Option("--potential-backend", help="auto is AGAMA where installed, else builtin.")
    ] = Backend.auto,
    eccentricity: Annotated[
        Eccentricity, typer.Option("--eccentricity", help="Staeckel estimate, or integrated orbits (slow).")
    ] = Eccentricity.staeckel,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Read the catalogues, apply the quality cuts, and compute orbits in McMillan (2017)."""
    from .halo.commands import fit as commands
    from .halo.survey.prepare import DEFAULT_COLUMNS, DEFAULT_ELEMENTS, PrepareSettings

    settings = PrepareSettings(
        elements=tuple(element) if element else DEFAULT_ELEMENTS,
        max_error=max_error,
        max_logg=max_logg,
        max_distance=max_distance,
        member_probability=member_probability,
        flags=flags,
        columns=tuple(dict.fromkeys((*DEFAULT_COLUMNS, *(keep or ())))),
        cuts=tuple(cut or ()),
        potential_backend=potential_backend.value,
        eccentricity=eccentricity.value,
    )
    with Terminal(quiet) as progress:
        made = commands.prepare(
            allstar,
            astronn,
            output,
            settings,
            members=members,
            columns=columns,
            progress=progress,
            overwrite=overwrite,
        )
    typer.echo(f"{made.cutflow}\n{len(made):,} stars -> {output}")


@app.command(epilog="Example: halonmf fit stars.fits -o fit.h5 --bins E:8,Lz:8 --pixels 50 --components 2")
@_command
def fit(
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Fit to write.")] = Path("fit.h5"),
    selection: FitSelection = Selection.chemically_pure,
    max_fe_h: MaxFeH = -1.1,
    min_eccentricity: MinEccentricity = 0.7,
    cut: Cuts = None,
    bins: BinsOption = "E:8,Lz:8",
    pixels: Pixels = 50,
    plane: Planes = None,
    range_: Ranges = None,
    components: Components = 2,
    loss: Loss = "frobenius",
    update: Update = "auto",
    init: Init = "nndsvda",
    alpha_w: AlphaW = 0.0,
    alpha_h: AlphaH = 0.0,
    l1_ratio: L1Ratio = 0.0,
    starts: Starts = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of random starts.")] = 0,
    tol: Tol = 1e-5,
    max_iter: MaxIter = 10_000,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Fit chemical components to the stars of a halo selection, binned in energy and angular momentum."""
    from .halo.commands import fit as commands

    settings = _fit_settings(
        selection=selection,
        max_fe_h=max_fe_h,
        min_eccentricity=min_eccentricity,
        cut=cut,
        bins=bins,
        pixels=pixels,
        plane=plane,
        range_=range_,
        components=components,
        loss=loss,
        update=update,
        init=init,
        alpha_w=alpha_w,
        alpha_h=alpha_h,
        l1_ratio=l1_ratio,
        starts=starts,
        seed=seed,
        tol=tol,
        max_iter=max_iter,
        device=device,
    )
    found = commands.fit(stars, output, settings, overwrite=overwrite)
    _tell(found, output, quiet)


@app.command(epilog="Example: halonmf apply fit.h5 stars.fits --by E:20:-2.5e5:-1.0e5 -o profile.ecsv")
@_command
def apply(
    fit: FitFile,
    stars: Stars,
    by: Annotated[
        str, typer.Option("--by", help="VARIABLE:COUNT[:LOW:HIGH] for a profile, two with a comma for a map.")
    ] = "E:20:-2.5e5:-1.0e5",
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write.")] = Path("profile.ecsv"),
    selection: OtherSelection = None,
    cut: Cuts = None,
    min_stars: MinStars = 10,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Find a fit's components in stars binned another way: fractions along one or two variables."""
    from .halo.commands import fit as commands
    from .halo.mixtures.settings import parse_axes

    result = commands.apply(
        fit,
        stars,
        output,
        parse_axes(by),
        selection=None if selection is None else selection.value,
        cuts=cut,
        min_stars=min_stars,
        device=device,
        overwrite=overwrite,
    )
    _tell(result, output, quiet)


@app.command(epilog="Example: halonmf boundary fit.h5 stars.fits -o boundary.ecsv")
@_command
def boundary(
    fit: FitFile,
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write.")] = Path("boundary.ecsv"),
    grid: Grid = 10,
    level: BoundaryLevel = 0.5,
    smoothing: Smoothing = 1.0,
    e_range: Annotated[str, typer.Option("--E-range", help="LOW:HIGH [km2/s2].")] = "-3e5:-1e5",
    lz_range: Annotated[str, typer.Option("--Lz-range", help="LOW:HIGH [kpc km/s].")] = "-2000:2000",
    selection: OtherSelection = None,
    cut: Cuts = None,
    min_stars: MinStars = 10,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Find the boundary between accreted and in-situ stars, E_b(Lz)."""
    from .halo.commands import fit as commands

    line = commands.boundary(
        fit,
        stars,
        output,
        grid=grid,
        level=level,
        smoothing=smoothing,
        E_range=_limits(e_range, "--E-range"),
        Lz_range=_limits(lz_range, "--Lz-range"),
        min_stars=min_stars,
        selection=None if selection is None else selection.value,
        cuts=cut,
        device=device,
        overwrite=overwrite,
    )
    _tell(line, output, quiet)


@app.command(epilog="Example: halonmf split fit.h5 stars.fits -o four/")
@_command
def split(
    fit: FitFile,
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the fits and tables.")] = Path("four"),
    bins: Annotated[int, typer.Option("--bins", min=2, help="Each part has so many bins of E, and of Lz in each.")] = 5,
    fill: Annotated[
        Fill,
        typer.Option(
            "--fill",
            help="Where an Lz column has no boundary: nearest takes its neighbours', drop leaves its stars out.",
        ),
    ] = Fill.nearest,
    order: Annotated[
        Order, typer.Option("--order", help="HE1 and LE1: of higher mean energy, or of lower median [Fe/H].")
    ] = Order.energy,
    min_stars: Annotated[
        int, typer.Option("--min-stars", min=1, help="A part with fewer stars per bin is refused.")
    ] = 10,
    grid: Grid = 10,
    level: BoundaryLevel = 0.5,
    smoothing: Smoothing = 1.0,
    bootstrap: Bootstrap = 200,
    seed: BootstrapSeed = 0,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Split a fit's stars at its boundary and find two components in each part: HE1, HE2, LE1, LE2.

    Writes the parts' fits (HE.h5, LE.h5), the four components together (four.h5, for halonmf apply), Table 1 and the
    fractions against r, z and R.
    """
    from .halo.commands import components as component_commands
    from .halo.products.four import SplitSettings

    settings = SplitSettings(bins=bins, fill=fill.value, order=order.value, min_stars=min_stars)
    four, summary = component_commands.split(
        fit,
        stars,
        output,
        settings,
        grid=grid,
        level=level,
        smoothing=smoothing,
        bootstrap=bootstrap,
        seed=seed,
        device=device,
        overwrite=overwrite,
    )
    if not quiet:
        *rows, _ = summary.describe().splitlines()
        typer.echo("\n".join([four.describe(), *rows]))
    typer.echo(f"{len(component_commands.SPLIT_FILES)} files -> {output}")
    _exit(four.problems())


@app.command(epilog="Example: halonmf table fit.h5 four/HE.h5 four/LE.h5 -o table1.ecsv")
@_command
def table(
    fits: Annotated[list[Path], typer.Argument(metavar="FIT...", help="Fits, from halonmf fit or split.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write.")] = Path("table1.ecsv"),
    percentiles: Annotated[str, typer.Option("--percentiles", help="Which, with commas between.")] = "10,50,90",
    bootstrap: Bootstrap = 200,
    level: Annotated[float, typer.Option("--level", help="Probability of the intervals.")] = 0.68,
    interval: Annotated[
        Interval, typer.Option("--interval", help="Type of the intervals; docs/uncertainties.md compares.")
    ] = Interval.centred,
    seed: BootstrapSeed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Table 1: shares and abundance percentiles of fits' components, with bootstrap intervals."""
    from .halo.commands import components as component_commands

    made = component_commands.table(
        fits,
        output,
        percentiles=_numbers(percentiles, "--percentiles"),
        bootstrap=bootstrap,
        level=level,
        interval=interval.value,
        seed=seed,
        overwrite=overwrite,
    )
    _tell(made, output, quiet)


@app.command(epilog="Example: halonmf eccentricity fit.h5 stars.fits -o eccentricity.ecsv")
@_command
def eccentricity(
    fit: FitFile,
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write.")] = Path("eccentricity.ecsv"),
    bins: Annotated[int, typer.Option("--bins", min=3, help="Bins of e, from 0 to 1.")] = 20,
    weight_cut: Annotated[
        float, typer.Option("--weight-cut", help="Leave out bins with less than this part of the largest weight.")
    ] = 0.1,
    bootstrap: Bootstrap = 200,
    level: Annotated[float, typer.Option("--level", help="Probability of the bands.")] = 0.68,
    seed: BootstrapSeed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Find the distribution of eccentricity of each of a fit's components (best of a kinematically pure halo)."""
    from .halo.commands import components as component_commands

    made = component_commands.eccentricity(
        fit,
        stars,
        output,
        bins=bins,
        cut=weight_cut,
        bootstrap=bootstrap,
        level=level,
        seed=seed,
        overwrite=overwrite,
    )
    _tell(made, output, quiet)


@app.command(epilog="Example: halonmf members fit.h5 stars.fits -o members.fits")
@_command
def members(
    fit: FitFile,
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Catalogue to write.")] = Path("members.fits"),
    prior_counts: Annotated[
        float, typer.Option("--prior-counts", help="Counts spread over the pixels of each distribution beforehand.")
    ] = 1.0,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="truth.fits of a mock survey: says how reliable it is.", show_default=False),
    ] = None,
    figure: FigureFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Write each star's probability of every component, given its bin and its pixels: columns P_LE, P_HE, ...

    The output is a prepared catalogue, so that --cut "P_HE>0.9" selects from it. [Fe/H] counts once, though it stands
    in both planes.
    """
    from .halo.commands import populations as study_commands

    result, beside = study_commands.members(
        fit, stars, output, prior_counts=prior_counts, truth=truth, figure=figure, overwrite=overwrite
    )
    _tell(result, output, quiet, *([] if beside is None else [beside.describe()]))


@app.command(epilog="Example: halonmf simulation snapshot_600.*.hdf5 --columns fire2.toml -o m12f.ecsv")
@_command
def simulation(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Star particles: HDF5, FITS or ECSV; blocks in order.")
    ],
    columns: Annotated[
        Path, typer.Option("--columns", help="TOML file that names the columns; see docs/simulations.md.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write.")] = Path("simulation.ecsv"),
    by: Annotated[
        list[str] | None, typer.Option("--by", help="VARIABLE:COUNT:LOW:HIGH; repeatable. The paper's r, z and R.")
    ] = None,
    max_fe_h: Annotated[
        float, typer.Option("--max-fe-h", help="Particles below this [Fe/H] count; inf for all.")
    ] = -1.1,
    cut: Cuts = None,
    min_particles: Annotated[
        int, typer.Option("--min-particles", min=1, help="Bins with fewer particles carry no crossing.")
    ] = 10,
    figure: FigureFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Say how much of a simulated galaxy's halo was accreted, in truth, against r, |z| and R."""
    from .halo.commands import checks as check_commands
    from .halo.simulations.fractions import AXES

    result = check_commands.simulation(
        files, columns, output, by=tuple(by or AXES), max_fe_h=max_fe_h, cuts=tuple(cut or ()),
        min_particles=min_particles, figure=figure, overwrite=overwrite,
    )  # fmt: skip
    _tell(result, output, quiet)


@app.command(epilog="Example: halonmf regions stars.fits -o regions.ecsv")
@_command
def regions(
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write.")] = Path("regions.ecsv"),
    selection: FitSelection = Selection.chemically_pure,
    max_fe_h: MaxFeH = -1.1,
    min_eccentricity: MinEccentricity = 0.7,
    cut: Cuts = None,
    file: RegionFile = None,
    reference: Annotated[str, typer.Option("--reference", help="Region to compare the others with.")] = "Eos",
    bins: Annotated[int, typer.Option("--bins", min=1, help="Bins of energy.")] = 10,
    e_range: Annotated[str, typer.Option("--E-range", help="LOW:HIGH [km2/s2].")] = "-2.5e5:-1e5",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap draws.")] = 0,
    figure: FigureFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Compare the energies of Eos, Splash, Aurora and GS/E, selected by [Al/Fe] and [Fe/H]."""
    from .halo.commands import populations as study_commands

    result = study_commands.regions(
        stars, output, _sample(selection, max_fe_h, min_eccentricity, cut), file=file, reference=reference, bins=bins,
        E_range=_limits(e_range, "--E-range"), seed=seed, figure=figure, overwrite=overwrite,
    )  # fmt: skip
    _tell(result, output, quiet)


@app.command(epilog="Example: halonmf bifurcation stars.fits -o bifurcation.ecsv")
@_command
def bifurcation(
    stars: Stars,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Table to write; -scan and -pixels stand beside it.")
    ] = Path("bifurcation.ecsv"),
    selection: FitSelection = Selection.chemically_pure,
    max_fe_h: MaxFeH = -1.1,
    min_eccentricity: MinEccentricity = 0.7,
    cut: Cuts = None,
    region: Annotated[str, typer.Option("--region", help="Region that the stars lie in besides, or none.")] = "Eos",
    file: RegionFile = None,
    line: Annotated[
        str, typer.Option("--line", help="X1:Y1:X2:Y2, the line between the branches in [Fe/H], [Mg/Fe].")
    ] = "-0.9:0.175:-0.2:0.195",
    fe_h: Annotated[str, typer.Option("--fe-h", help="LOW:HIGH, the frame in [Fe/H].")] = "-0.9:-0.2",
    mg_fe: Annotated[str, typer.Option("--mg-fe", help="LOW:HIGH, the frame in [Mg/Fe].")] = "0.05:0.35",
    draws: Annotated[int, typer.Option("--draws", min=2, help="Bootstrap draws behind the errors.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draws.")] = 0,
    figure: FigureFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Compare the two branches of Eos in [Mg/Fe] against [Fe/H]: radial actions, and every other property."""
    from .halo.commands import populations as study_commands

    result = study_commands.bifurcation(
        stars, output, _sample(selection, max_fe_h, min_eccentricity, cut),
        region=None if region == "none" else region, file=file, line=_line(line), fe_h=_limits(fe_h, "--fe-h"),
        mg_fe=_limits(mg_fe, "--mg-fe"), draws=draws, seed=seed, figure=figure, overwrite=overwrite,
    )  # fmt: skip
    _tell(result, output, quiet)


@app.command(epilog="Example: halonmf aurora four/four.h5 stars.fits -o aurora.ecsv")
@_command
def aurora(
    fit: FitFile,
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write.")] = Path("aurora.ecsv"),
    component: Annotated[
        str | None,
        typer.Option("--component", help="Makes the mask; LE1 where there is one, else the first.", show_default=False),
    ] = None,
    share: Annotated[
        float, typer.Option("--share", help="Pixels of the mask exceed this share of the maximum.")
    ] = 0.05,
    max_fe_h: Annotated[float, typer.Option("--max-fe-h", help="Pixels of the mask lie below this [Fe/H].")] = -1.0,
    percentile: Annotated[float, typer.Option("--percentile", help="Of [Al/Fe] in each bin.")] = 90.0,
    iterations: Annotated[int, typer.Option("--iterations", min=2, help="Resamplings of either kind.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the resamplings.")] = 0,
    two: Annotated[
        Path | None,
        typer.Option("--boundary-of", help="Fit of two components whose boundary is drawn.", show_default=False),
    ] = None,
    figure: FigureFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Map [Al/Fe] and [Fe/H] of Aurora's branch over energy and angular momentum, with resampled errors."""
    from .halo.commands import populations as study_commands

    result = study_commands.aurora(
        fit, stars, output, component=component, share=share, max_fe_h=max_fe_h, percentile=percentile,
        iterations=iterations, seed=seed, two=two, figure=figure, overwrite=overwrite,
    )  # fmt: skip
    _tell(result, output, quiet)


@app.command(epilog="Example: halonmf stability stars.fits -o stability.ecsv")
@_command
def stability(
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write.")] = Path("stability.ecsv"),
    selection: FitSelection = Selection.chemically_pure,
    max_fe_h: MaxFeH = -1.1,
    min_eccentricity: MinEccentricity = 0.7,
    cut: Cuts = None,
    bins: BinsOption = "E:8,Lz:8",
    pixels: Pixels = 50,
    components: Components = 2,
    starts: Annotated[int, typer.Option("--starts", min=0, help="Random starts.")] = 10,
    vary_bins: Annotated[str, typer.Option("--vary-bins", help="LOW:HIGH[:STEP], bins on each axis.")] = "5:12",
    vary_pixels: Annotated[str, typer.Option("--vary-pixels", help="LOW:HIGH[:STEP], pixels.")] = "10:60:5",
    figure: FigureFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Fit again from random starts, in other bins and with other pixels, and compare the components."""
    from .halo.commands import checks as check_commands

    result = check_commands.stability(
        stars, output, _sample(selection, max_fe_h, min_eccentricity, cut, bins, pixels, components), starts=starts,
        bins=_steps(vary_bins, "--vary-bins"), pixels=_steps(vary_pixels, "--vary-pixels"), figure=figure,
        overwrite=overwrite,
    )  # fmt: skip
    _tell(result, output, quiet)


@app.command(epilog="Example: halonmf injection stars.fits -o injection.ecsv")
@_command
def injection(
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write.")] = Path("injection.ecsv"),
    selection: FitSelection = Selection.chemically_pure,
    max_fe_h: MaxFeH = -1.1,
    min_eccentricity: MinEccentricity = 0.7,
    cut: Cuts = None,
    bins: BinsOption = "E:8,Lz:8",
    pixels: Pixels = 50,
    components: Components = 3,
    abundance: Annotated[
        list[str] | None,
        typer.Option("--abundance", help="NAME:MEAN of the stream, for each of the images'; repeatable."),
    ] = None,
    scatter: Annotated[float, typer.Option("--scatter", help="Of the stream's abundances [dex].")] = 0.06,
    orbit: Annotated[str, typer.Option("--orbit", help="E:LZ of the stream [km2/s2, kpc km/s].")] = "-1.6e5:-500",
    widths: Annotated[
        str, typer.Option("--widths", help="Shares of the sample whose orbits the stream has.")
    ] = "0.02,0.05,0.1,0.2,0.4,0.8",
    numbers: Annotated[
        str, typer.Option("--numbers", help="Stars of the stream.")
    ] = "200,400,600,800,1200,1600,2400,3200",
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Streams of each width and number.")] = 5,
    threshold: Annotated[float, typer.Option("--threshold", help="Least cosine of a stream that is found.")] = 0.8,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the streams.")] = 0,
    figure: FigureFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Plant streams in the sample, and say how wide and how populous one must be for a fit to find it."""
    from .halo.checks.injection import Stream
    from .halo.commands import checks as check_commands

    E, Lz = _limits(orbit, "--orbit")
    given = tuple(_named(text, "--abundance") for text in abundance or ())
    stream = Stream(abundances=given or Stream().abundances, scatter=scatter, E=E, Lz=Lz)
    result = check_commands.injection(
        stars, output, _sample(selection, max_fe_h, min_eccentricity, cut, bins, pixels, components), stream,
        widths=_numbers(widths, "--widths"), numbers=tuple(int(x) for x in _numbers(numbers, "--numbers")),
        repeats=repeats, threshold=threshold, seed=seed, figure=figure, overwrite=overwrite,
    )  # fmt: skip
    _tell(result, output, quiet)


@app.command(epilog="Example: halonmf plot fit.h5 stars.fits -o figures/")
@_command
def plot(
    fit: FitFile,
    stars: Annotated[
        Path | None, typer.Argument(metavar="[STARS]", help="Prepared catalogue, for maps and the sample.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the figures.")] = Path("figures"),
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Draw a fit; with its stars also the map, the boundary, the energy profile and the sample. PNG and PDF."""
    from .halo.commands import fit as commands

    figures, warning = commands.plot(fit, stars, output, overwrite=overwrite)
    if not quiet:
        for name, files in figures.items():
            typer.echo(f"{name}: {', '.join(file.name for file in files)}")
    typer.echo(f"{len(figures)} figure{'s' * (len(figures) > 1)}, in three files each -> {output}")
    _exit(warning)


@app.command(epilog="Example: halonmf ensemble stars.fits -o runs/ --bootstrap 1000")
@_command
def ensemble(
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the run.")] = Path("runs"),
    bootstrap: Annotated[int, typer.Option("--bootstrap", min=0, help="Replicates of every set-up.")] = 0,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            help="AXIS=LOW:HIGH[:STEP] or AXIS=VALUE,...: pixels, bins, components, loss, seed, selection and others "
            "(docs/ensembles.md); repeatable, the product is computed.",
        ),
    ] = None,
    scheme: Annotated[
        Scheme, typer.Option("--scheme", help="How stars are resampled; delete is the paper's.")
    ] = Scheme.multinomial,
    drop: Annotated[str, typer.Option("--drop", help="Stars delete takes from a bin: sqrt or a number.")] = "sqrt",
    edges: Annotated[
        Edges, typer.Option("--edges", help="Bins of the full sample, or of each replicate's own stars.")
    ] = Edges.fixed,
    errors: Annotated[
        Errors, typer.Option("--errors", help="redrawn scatters every star by its errors in each replicate.")
    ] = Errors.none,
    floor: Annotated[
        float, typer.Option("--floor", min=0, max=1, help="Replicates whose components match less well are refused.")
    ] = 0.5,
    keep_factors: Annotated[bool, typer.Option("--keep-factors", help="Keep W and H of every replicate.")] = False,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Most fits of a file; a killed run loses one.")] = 256,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it will take; write nothing.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that is there.")] = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", help="i/N: compute the i-th of N parts, as in a job array.", show_default=False),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", help="Address of a dask scheduler, whose workers compute.", show_default=False),
    ] = None,
    scheduler_file: Annotated[
        Path | None, typer.Option("--scheduler-file", help="The same, by the file it wrote.", show_default=False)
    ] = None,
    figures: Annotated[
        bool,
        typer.Option("--figures/--no-figures", help="Draw them as PNG; halonmf summary also as PDF."),
    ] = True,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Threads; all cores.", show_default=False)
    ] = None,
    selection: FitSelection = Selection.chemically_pure,
    max_fe_h: MaxFeH = -1.1,
    min_eccentricity: MinEccentricity = 0.7,
    cut: Cuts = None,
    bins: BinsOption = "E:8,Lz:8",
    pixels: Pixels = 50,
    plane: Planes = None,
    range_: Ranges = None,
    components: Components = 2,
    loss: Loss = "frobenius",
    update: Update = "auto",
    init: Init = "nndsvda",
    alpha_w: AlphaW = 0.0,
    alpha_h: AlphaH = 0.0,
    l1_ratio: L1Ratio = 0.0,
    starts: Starts = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of random starts and of the resampling.")] = 0,
    tol: Tol = 1e-5,
    max_iter: MaxIter = 10_000,
    device: Device = "auto",
    overwrite: Overwrite = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print lines of JSON, for programs.")] = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Fit thousands of resampled samples or varied settings; go on after an interruption; share the work."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads work on replicates, not inside each of them
    from .halo.ensembles.signals import stoppable

    with stoppable():
        from .halo.commands import ensemble as ensembles
        from .halo.ensembles.plan import Plan, parse_shard
        from .halo.ensembles.settings import Cluster
        from .halo.ensembles.sweeps import parse_drop, parse_sweep
        from .halo.replicates.setup import Setup

        settings = _fit_settings(
            selection=selection,
            max_fe_h=max_fe_h,
            min_eccentricity=min_eccentricity,
            cut=cut,
            bins=bins,
            pixels=pixels,
            plane=plane,
            range_=range_,
            components=components,
            loss=loss,
            update=update,
            init=init,
            alpha_w=alpha_w,
            alpha_h=alpha_h,
            l1_ratio=l1_ratio,
            starts=starts,
            seed=seed,
            tol=tol,
            max_iter=max_iter,
            device=device,
        )
        setup = Setup(settings, scheme.value, parse_drop(drop), edges.value, errors.value, floor)
        plan = Plan(setup, tuple(parse_sweep(text) for text in sweep or ()), bootstrap, batch, keep_factors)
        planned: dict[str, Any] = {"setups": len(plan.setups), "fits": plan.fits, "batches": len(plan.batches)}
        if dry_run:
            found = ensembles.estimate(stars, plan, threads=threads)
            planned |= {"estimated_seconds": found.seconds, "estimated_bytes": found.size, "problems": found.problems}
            _say(as_json, ensembles.estimated(plan, found), event="plan", **planned)
            _exit("; ".join(found.problems))
            return
        cluster = Cluster(scheduler, scheduler_file) if scheduler or scheduler_file else None
        with Meter(quiet, as_json) as progress, _compiling(quiet or as_json):
            outcome = ensembles.ensemble(
                stars,
                output,
                plan,
                resume=resume,
                overwrite=overwrite,
                shard=None if shard is None else parse_shard(shard),
                cluster=cluster,
                threads=threads,
                progress=progress,
            )
        for line in outcome.notes:
            typer.echo(f"halonmf: {line}", err=True)
        run = outcome.run
        record: dict[str, Any] = {
            "complete": run.complete,
            "fits": outcome.fits,
            "notes": outcome.notes,
            "failed": [{"setup": one.label, "reason": one.reason} for one in run.failed],
        }
        said, left = ensembles.done(outcome), ensembles.failures(run)
        if run.complete and shard is None and len(run.failed) < len(run.setups):
            from .halo.ensembles import archive as summary_files

            # PDFs take as long again; halonmf summary draws them.
            made = summary_files.publish(output, formats=("png",) if figures else ())
            record["summary"] = made.summary.record()
            said = said if quiet else f"{made.summary.describe()}\n{said}"
            left = left or made.summary.problems()
        _say(as_json, f"{said} -> {output}", event="done", **record)
        _exit(left)


@app.command(epilog="Example: halonmf summary runs/")
@_command
def summary(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="An ensemble, from halonmf ensemble.")],
    interval: Annotated[
        Interval, typer.Option("--interval", help="Type of the 68 and 95 % intervals; docs/uncertainties.md compares.")
    ] = Interval.centred,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw them in DIR/figures.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print every number, as JSON.")] = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Say what an ensemble says: every product with its sampling error, and its spread over set-ups.

    Writes summary.ecsv, summary.h5 and figures/ in DIR anew. What failed or is not there yet is listed, and exits 4.
    """
    from .halo.ensembles import archive as summary_files

    made = summary_files.publish(directory, interval=interval.value, formats=("png", "pdf") if figures else ())
    if as_json:
        typer.echo(json.dumps(made.summary.record(), allow_nan=False))
    else:
        if not quiet:
            typer.echo(made.summary.describe())
        typer.echo(f"{len(made.files)} files -> {directory}")
    _exit(made.summary.problems())


@app.command(epilog="Example: halonmf search stars.fits -o search.ecsv --draws 5000")
@_command
def search(
    stars: Stars,
    output: Annotated[Path, typer.Option("--output", "-o", help="Table to write, the figure beside it.")] = Path(
        "search.ecsv"
    ),
    draws: Annotated[int, typer.Option("--draws", min=1, help="Settings drawn from the grid.")] = 5000,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Parts of the entries, held out in turn.")] = 5,
    selection: FitSelection = Selection.chemically_pure,
    max_fe_h: MaxFeH = -1.1,
    min_eccentricity: MinEccentricity = 0.7,
    cut: Cuts = None,
    bins: BinsOption = "E:8,Lz:8",
    pixels: Pixels = 50,
    plane: Planes = None,
    range_: Ranges = None,
    components: Components = 2,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draws, the folds and random starts.")] = 0,
    figure: Annotated[bool, typer.Option("--figure/--no-figure", help="Draw it beside the table.")] = True,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Search for penalties as the paper did, zero included: errors of fits, and of entries that they did not see."""
    from .halo.commands import search_command

    settings = _fit_settings(
        selection=selection,
        max_fe_h=max_fe_h,
        min_eccentricity=min_eccentricity,
        cut=cut,
        bins=bins,
        pixels=pixels,
        plane=plane,
        range_=range_,
        components=components,
        alpha_w=0.0,
        alpha_h=0.0,
        seed=seed,
        device="cpu",
    )
    with Terminal(quiet) as progress:
        found = search_command.search(
            stars,
            output,
            settings,
            draws=draws,
            seed=seed,
            folds=folds,
            figure=figure,
            overwrite=overwrite,
            progress=progress,
        )
    typer.echo(f"{found.describe()}\n{len(found.table()):,} settings -> {output}")
    _exit(found.problems())


@app.command(epilog="Example: halonmf demo demo/")
@_command
def demo(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write.")] = Path("halonmf-demo"),
    stars: Annotated[int, typer.Option("--stars", help="Rows of the mock survey.")] = 60_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the mock survey.")] = 1,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Run the whole line on a mock survey: files, orbits, fit, profile, boundary, picture; beside the truth."""
    from .halo.commands import demo as demonstration
    from .halo.fits.fit import percentages

    with Terminal(quiet) as progress:
        shown = demonstration.run(
            directory, stars=stars, seed=seed, device=device, overwrite=overwrite, progress=progress
        )
    half, shares = shown.profile.crossings[0], percentages(shown.fit.names, shown.fit.mass_fractions)
    true = ", ".join(f"{x:.4g}" for x in shown.true_crossing) or "never"
    typer.echo(f"mock survey    {stars:,} rows, 1 disc star in {shown.thinning:g} kept, seed {seed}")
    typer.echo(f"prepared       {len(shown.catalogue):,} stars; {shown.fit.cutflow.passed:,} chemically pure")
    typer.echo(f"components     {shares}; true accreted share {100 * shown.true_share:.1f} %")
    typer.echo(f"transition     {half.describe('km2 / s2')}; in truth at {true}")
    typer.echo(f"boundary       found in {shown.boundary.found} Lz columns")
    typer.echo(f"files          {', '.join(file.name for file in shown.files)} in {directory}")
    _exit(shown.warning)


@app.command(epilog="Example: halonmf paper paper/ --stars stars.fits")
@_command
def paper(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write.")],
    stars: Annotated[
        Path | None,
        typer.Option("--stars", help="Prepared catalogue; without it a mock survey.", show_default=False),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Truth of the stars, where they are a mock's.", show_default=False)
    ] = None,
    galaxy: Annotated[
        list[str] | None,
        typer.Option("--galaxy", help="Simulated galaxy, NAME=FILES, such as m12f=m12f/*.hdf5; repeatable."),
    ] = None,
    galaxy_columns: Annotated[
        Path | None,
        typer.Option("--galaxy-columns", help="TOML file that names the galaxies' columns.", show_default=False),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", help="Rows of the mock survey.")] = 60_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the mock, the bootstraps and all else.")] = 1,
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", min=0, help="Resamples behind the intervals; 0 for none.")
    ] = 200,
    draws: Annotated[
        int, typer.Option("--draws", min=0, help="Draws of the search for penalties; the paper took 5000, 0 for none.")
    ] = 60,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    config: Config = None,
) -> None:
    """Make every figure, table and number of the paper, with a scoreboard and a page that holds them all."""
    from .halo.paper import run as whole
    from .halo.paper.study import PaperSettings

    settings = PaperSettings(seed=seed, rows=rows, bootstrap=bootstrap, draws=draws, device=device)
    with Terminal(quiet) as progress:
        made = whole.run(
            directory,
            stars=stars,
            truth=truth,
            galaxies=galaxy or (),
            galaxy_columns=galaxy_columns,
            settings=settings,
            overwrite=overwrite,
            progress=progress,
        )
    if not quiet:
        for name, why in made.skipped.items():
            typer.echo(f"{name} left out: {why}")
    counts = ", ".join(f"{count} {status}" for status, count in made.scores.counts.items())
    typer.echo(f"sample         {made.scores.sample}, {made.scores.stars:,} chemically pure stars")
    typer.echo(f"scoreboard     {counts}")
    typer.echo(f"left           {made.figures} figures, {made.tables} tables, {whole.REPORT} in {directory}")
    _exit("; ".join(made.warnings))


@app.command(epilog="Example: halonmf bench")
@_command
def bench(quiet: Quiet = False, config: Config = None) -> None:
    """Time the engine beside scikit-learn on this machine, one thread each, at equal work or loss; some ten seconds.

    The ratio is scikit-learn's time over the engine's. Below it stands what multiplies matrices on either side: a
    library held to another processor's kernels, by OPENBLAS_CORETYPE or its like, would make the comparison unfair.
    """
    from nmfcore import bench as benchmark

    with Terminal(quiet) as progress, _compiling(quiet):
        rows = benchmark.short_table(lambda done, total: progress("beside scikit-learn", done, total))
    typer.echo(benchmark.describe(rows))


@app.command(epilog="Example: halonmf info fit.h5")
@_command
def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .fits, .h5 or .ecsv file of this software.")],
) -> None:
    """Say what a file holds and how it was made."""
    from .halo.commands.about import info as describe

    typer.echo(describe(file))


def _fit_settings(
    *,
    selection: Selection,
    cut: list[str] | None,
    bins: str,
    pixels: int,
    plane: list[str] | None,
    range_: list[str] | None,
    alpha_w: float,
    alpha_h: float,
    **others: Any,
) -> FitSettings:
    """Return the settings of a fit from the options that commands have for them."""
    from .halo.fits.settings import FitSettings
    from .halo.mixtures.settings import DEFAULT_PLANES, Chemistry, parse_axes, parse_plane, parse_ranges

    planes = tuple(parse_plane(text) for text in plane) if plane else DEFAULT_PLANES
    return FitSettings.of(
        selection=selection.value,
        cuts=tuple(cut or ()),
        axes=parse_axes(bins),
        chemistry=Chemistry.of(planes, parse_ranges(range_ or ()), pixels),
        alpha_W=alpha_w,
        alpha_H=alpha_h,
        **others,
    )


def _sample(
    selection: Selection,
    max_fe_h: float,
    min_eccentricity: float,
    cut: list[str] | None,
    bins: str = "E:8,Lz:8",
    pixels: int = 50,
    components: int = 2,
) -> FitSettings:
    """Return settings of which only the sample, the bins, the images and the number of components were asked for."""
    return _fit_settings(
        selection=selection, cut=cut, bins=bins, pixels=pixels, plane=None, range_=None, alpha_w=0.0, alpha_h=0.0,
        max_fe_h=max_fe_h, min_eccentricity=min_eccentricity, components=components,
    )  # fmt: skip


def _tell(product: Product, output: Path, quiet: bool, *also: str) -> None:
    """Print what a product says, of a quiet command its last line, and where it went; exit 4 where it has problems."""
    *lines, last = product.describe().splitlines()
    typer.echo("\n".join([*([] if quiet else lines), *also, f"{last} -> {output}"]))
    _exit(product.problems())


def _exit(warning: str) -> None:
    """Leave with 4, and say why, where a product is there but something in it did not converge."""
    if warning:
        typer.echo(f"halonmf: {warning}", err=True)
        raise typer.Exit(4)


def _limits(text: str, option: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise UsageError(f"{option} {text!r}: expected LOW:HIGH.") from None
    return low, high


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} {text!r}: expected numbers with commas between.") from None


def _line(text: str) -> tuple[tuple[float, float], tuple[float, float]]:
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(":"))
    except ValueError:
        raise UsageError(f"--line {text!r}: expected X1:Y1:X2:Y2.") from None
    return (x1, y1), (x2, y2)


def _steps(text: str, option: str) -> tuple[int, ...]:
    try:
        low, high, *step = (int(part) for part in text.split(":"))
        return tuple(range(low, high + 1, *step))
    except (ValueError, TypeError):
        raise UsageError(f"{option} {text!r}: expected LOW:HIGH or LOW:HIGH:STEP, whole numbers.") from None


def _named(text: str, option: str) -> tuple[str, float]:
    name, _, number = text.partition(":")
    try:
        return name, float(number)
    except ValueError:
        raise UsageError(f"{option} {text!r}: expected NAME:NUMBER.") from None


def main() -> None:
    """Run the command line."""
    app(prog_name="halonmf")


if __name__ == "__main__":
    main()
