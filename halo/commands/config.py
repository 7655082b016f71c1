"""Defaults of commands from a TOML file: a table per command, such as ``[fit]``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from ..errors import InputError
from ..io.toml import read_toml


def read_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Take a command's defaults from the table of its name in a TOML file."""
    if path is None or ctx.resilient_parsing:
        return path
    try:
        tables = read_toml(path, "the configuration", "write a table per command, such as [fit]", fault="is no TOML")
    except InputError as error:
        raise typer.BadParameter(str(error)) from None
    command = str(ctx.info_name)
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
