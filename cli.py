"""The command line: which commands there are, in groups; each is imported when it is called or its help is asked."""

from typing import Annotated

import typer

from .halo.commands.console import HELP_NAMES, Door


class Commands(Door):
    """The commands of every module in `halo/commands`, by the title of their group."""

    groups = {  # noqa: RUF012 - written once, here
        "Data": {"fetching": ("fetch",), "survey": ("mock", "prepare"), "sensitivity": ("recompute",)},
        "Fit": {"fit": ("fit", "apply", "boundary", "classify", "plot"), "transfer": ("zeropoints",)},
        "Results": {"components": ("split", "table", "likelihood", "eccentricity", "members"), "pages": ("report",)},
        "Populations": {"populations": ("regions", "bifurcation", "aurora")},
        "Ensembles": {"ensemble": ("ensemble", "summary")},
        "Checks": {
            "checks": ("rank", "stability", "injection", "search"),
            "compared": ("compare",),
            "sensitivity": ("sensitivity",),
        },
        "Simulations": {"simulations": ("simulation", "observe")},
        "Whole pipeline": {"whole": ("demo", "paper"), "begin": ("init",)},
        "About": {"about": ("info", "bench")},
    }


app = typer.Typer(
    cls=Commands,
    help="Blind source separation of the stellar halo: from catalogues of stars to chemical components of the halo.",
    epilog="Start with: halonmf demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP_NAMES,
)


@app.callback(invoke_without_command=True)
def _top(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of --json and leave.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"halonmf {version_of('halonmf')}")
        raise typer.Exit
    if schema:
        import json

        from .halo.commands.documents import schema as found

        typer.echo(json.dumps(found(), indent=1))
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit(2)


def main() -> None:
    """Run the command line."""
    app(prog_name="halonmf")


if __name__ == "__main__":
    main()
