"""Pages made from the code: the command reference from the commands, the lists of names from the front doors.

Run by docs/conf.py when the documentation is built; `python docs/reference.py FOLDER` writes them anywhere.
"""

from __future__ import annotations

import pathlib
import re
import sys
from typing import Any

COPIED = {"CHANGELOG.md": "changelog.md", "CONVENTIONS.md": "conventions.md", "CONTRIBUTING.md": "contributing.md",
          "ARCHITECTURE.md": "architecture.md"}  # fmt: skip
"""Pages of the repository that the site shows too."""


def commands() -> dict[str, Any]:
    """Return every command of the command line by its name, in the order of the help."""
    import click
    import typer

    from halonmf.cli import app

    group: Any = app if isinstance(app, click.Group) else typer.main.get_command(app)
    context = click.Context(group, info_name="halonmf")
    return {name: group.get_command(context, name) for name in group.list_commands(context)}


def command_page(name: str, command: Any) -> str:
    """Return the page of a command: what it does, how it is called, a table of its arguments and options."""
    import click

    context = click.Context(command, info_name=f"halonmf {name}")
    usage = command.get_usage(context).removeprefix("Usage: ")
    parts = [
        f"(command-{name})=\n## {name}",
        _text(command.help or ""),
        f"```console\n$ {' '.join(usage.split())}\n```",
    ]
    if command.epilog:
        parts.append(f"```console\n$ {command.epilog.removeprefix('Example: ')}\n```")
    rows = [row for parameter in command.params if (row := parameter.get_help_record(context))]
    if rows:
        parts.append(
            "| option | meaning |\n|---|---|\n" + "\n".join(f"| {_cell(a, True)} | {_cell(b)} |" for a, b in rows)
        )
    return "\n\n".join(parts)


def _text(text: str) -> str:
    return text.replace("\b", "").replace("*", r"\*").replace("_", r"\_").strip()


def _cell(text: str, code: bool = False) -> str:
    text = " ".join(text.split()).replace("|", r"\|")
    if code:
        return f"`{text}`"
    return re.sub(r"([*_<>])", r"\\\1", text)


def write(folder: pathlib.Path) -> None:
    """Write the command reference and the reference of Python names into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = [command_page(name, command) for name, command in commands().items()]
    (folder / "commands.md").write_text(
        "# Commands\n\nMade from the commands themselves; `halonmf COMMAND --help` prints the same.\n\n"
        + "\n\n".join(pages)
        + "\n"
    )
    import nmfcore
    from halonmf import halo

    for title, module, intro in (
        ("halo: from catalogues to science", halo, "from halonmf import halo"),
        ("nmfcore: the engine", nmfcore, "import nmfcore"),
    ):
        names = [name for name in sorted(module.__all__, key=str.lower) if not name.startswith("_")]
        listed = "\n".join(f"   {module.__name__}.{name}" for name in names if name != "figures")
        text = f"# {title}\n\n`{intro}`\n\n```{{eval-rst}}\n.. autosummary::\n   :toctree: generated\n\n{listed}\n```\n"
        if "figures" in names and getattr(halo.figures, "__all__", ()):
            drawn = "\n".join(f"   halonmf.halo.figures.{name}" for name in sorted(halo.figures.__all__))
            text += f"\n## halo.figures\n\n```{{eval-rst}}\n.. autosummary::\n   :toctree: generated\n\n{drawn}\n```\n"
        (folder / f"{module.__name__.rpartition('.')[2]}.md").write_text(text)


def copy(root: pathlib.Path, folder: pathlib.Path) -> None:
    """Write the repository's own pages into the site's folder, their links turned to it."""
    names = {path.name: path for path in root.glob("*.md")}
    for old, new in COPIED.items():
        text = names[old].read_text()
        text = re.sub(r"\]\(docs/([\w-]+\.md)", r"](../\1", text)
        for target, page in COPIED.items():
            text = text.replace(f"]({target}", f"]({page}")
        text = re.sub(r"\[([^\]]+)\]\((?:CITATION\.cff|LICENSE|README\.md)\)", r"\1", text)
        (folder / new).write_text(text)


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
