"""Pages made from the code: the command reference from the commands, the Python reference from the front doors.

Run by docs/conf.py when the documentation is built; `python docs/reference.py FOLDER` writes them anywhere.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import pathlib
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

COPIED = {"CHANGELOG.md": "changelog.md", "CONVENTIONS.md": "conventions.md", "CONTRIBUTING.md": "contributing.md",
          "ARCHITECTURE.md": "architecture.md"}  # fmt: skip
"""Pages of the repository that the site shows too."""

DOORS = {
    "halonmf.halo": ("halo: from catalogues to science", "from halonmf import halo"),
    "nmfcore": ("nmfcore: the engine", "import nmfcore"),
}
"""Title and import of every package whose public names have a page."""

KINDS = {"function": "Functions", "class": "Types", "module": "Modules", "data": "Values"}

INHERITED = "get_metadata_routing, set_fit_request, set_transform_request"
"""Methods that scikit-learn adds to estimators, with references into its own documentation."""


def code() -> str:
    """Return a hash of the packages' files: what was run with other code is run again."""
    root = pathlib.Path(__file__).resolve().parents[1]
    files = [
        path for name in ("halo", "nmfcore") for path in (root / name).rglob("*") if "__pycache__" not in path.parts
    ]
    made = hashlib.sha256()
    for path in sorted(path for path in [*files, root / "cli.py"] if path.is_file()):
        made.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return made.hexdigest()[:16]


def top() -> Any:
    """Return the group of all commands, whether the door is a Typer object or the group itself."""
    import typer

    from halonmf.cli import app

    return typer.main.get_command(app) if isinstance(app, typer.Typer) else app


def commands() -> dict[str, Any]:
    """Return every command of the command line by its name, in the order of the help."""
    group = top()
    context = group.make_context("halonmf", [], resilient_parsing=True)
    return {name: group.get_command(context, name) for name in group.list_commands(context)}


def groups() -> dict[str, list[str]]:
    """Return the names of the commands by the title of their group; all in one where the door has no groups."""
    titles = getattr(top(), "groups", None) or {"All commands": {"": list(commands())}}
    return {title: [name for names in modules.values() for name in names] for title, modules in titles.items()}


def rows(name: str, command: Any) -> Iterator[tuple[bool, str, str, str]]:
    """Yield of each parameter whether it is an argument, its anchor, its name with its type, and its help."""
    context = command.make_context(name, [], resilient_parsing=True)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            # the longest form of an option, such as output for -o, --output
            word = max(parameter.opts, key=len).strip("-")
            yield parameter.param_type_name == "argument", f"{name}-{word}".replace("_", "-").lower(), *record


def command_page(name: str, command: Any) -> str:
    """Return the page of a command: what it does, how it is called, its arguments and options."""
    usage = command.get_usage(command.make_context(f"halonmf {name}", [], resilient_parsing=True))
    parts = [f"(command-{name})=\n# halonmf {name}", _told_by_help(command.help or "")]
    parts.append(f"```text\n{' '.join(usage.removeprefix('Usage: ').split())}\n```")
    if command.epilog:
        parts.append(f"```console\n$ {' '.join(command.epilog.removeprefix('Example:').split())}\n```")
    listed = list(rows(name, command))
    for title, argument in (("Arguments", True), ("Options", False)):
        chosen = [rest for is_argument, *rest in listed if is_argument == argument]
        entries = [f"({anchor})=\n`{what}`\n: {_told_by_help(told) or '-'}" for anchor, what, told in chosen]
        if entries:
            parts.append("\n\n".join([f"## {title}", *entries]))
    return "\n\n".join(parts) + "\n"


def command_index() -> str:
    """Return the page that lists the commands by group."""
    known = commands()
    parts = ["# Commands", "Made from the commands themselves; `halonmf COMMAND --help` prints the same."]
    for title, names in groups().items():
        table = [f"| [{name}](commands/{name}.md) | {_cell(first(known[name].help))} |" for name in names]
        parts.append("\n".join([f"## {title}\n", "| command | what it does |", "|---|---|", *table]))
    tree = "\n".join(f"commands/{name}" for name in known)
    return "\n\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{tree}\n```"]) + "\n"


def first(text: str | None) -> str:
    """Return the first paragraph of a text in one line."""
    return " ".join((text or "").strip().partition("\n\n")[0].split())


def _text(text: str) -> str:
    """Return help as Markdown that shows it as it is; paragraphs stay."""
    paragraphs = re.split(r"\n\s*\n", text.replace("\b", "").strip())
    plain = (re.sub(r"([\\*_<>\[\]`#$])", r"\\\1", " ".join(part.split())) for part in paragraphs)
    return "\n\n".join(plain)


def _told_by_help(text: str) -> str:
    """Return the help of a command or option; options in it are code, pages of docs/ that it names are links."""
    text = re.sub(r"(?<![\w-])--[\w-]*\w", lambda option: f"`{option[0]}`", _text(text))
    return re.sub(r"docs/([\w-]+)\.md", r"[docs/\1.md](../../\1.md)", text)


def _cell(text: str) -> str:
    return _text(text).replace("|", r"\|")


def _told(value: Any) -> str:
    """Return the first paragraph of a docstring for a cell of a table; what stands in backticks stays code."""
    return "" if kind(value) == "data" else _cell(first(value.__doc__)).replace(r"\`", "`")


def kind(value: Any) -> str:
    """Return how autodoc calls a value."""
    if isinstance(value, types.ModuleType):
        return "module"
    if inspect.isclass(value):
        return "class"
    return "function" if callable(value) else "data"


def names_of(door: str) -> dict[str, Any]:
    """Return the public names of a package, sorted, with what they are."""
    module = importlib.import_module(door)
    return {name: getattr(module, name) for name in sorted(module.__all__, key=str.lower) if not name.startswith("_")}


def place(door: str, name: str, value: Any) -> str:
    """Return the path of the page of a public name: types apart, since `Fit` and `fit` are one file to some disks."""
    return "/".join([door.rpartition(".")[2], *(["types"] if inspect.isclass(value) else []), name])


def python_page(door: str, name: str, value: Any) -> str:
    """Return the page of a public name, for autodoc to fill."""
    lines = [f".. auto{kind(value)}:: {door}.{name}"]
    if inspect.isclass(value):
        lines += ["   :members:", f"   :exclude-members: {INHERITED}"]
    return "\n".join([f"# {name}\n", "```{eval-rst}", *lines, "```"]) + "\n"


def _callables(module: types.ModuleType) -> list[str]:
    """Return the names of a module's public functions and types: those of its `__all__`, or all that it defines."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    names = getattr(module, "__all__", None) or [name for name in own if not name.startswith("_")]
    return sorted(name for name in names if kind(getattr(module, name)) in ("function", "class"))


def module_page(door: str, name: str, value: types.ModuleType) -> str:
    """Return the page of a public module: its functions one after the other."""
    drawn = "\n\n".join(f".. autofunction:: {door}.{name}.{one}" for one in _callables(value))
    return f"# {name}\n\n{_told(value)}\n\n```{{eval-rst}}\n{drawn}\n```\n"


def python_index(door: str) -> str:
    """Return the page that lists the public names of a package by kind."""
    title, called = DOORS[door]
    values = names_of(door)
    parts = [f"# {title}", f"```python\n{called}\n```", _text(first(importlib.import_module(door).__doc__))]
    for what, heading in KINDS.items():
        chosen = {name: value for name, value in values.items() if kind(value) == what}
        if chosen:
            table = [f"| [{name}]({place(door, name, value)}.md) | {_told(value)} |" for name, value in chosen.items()]
            parts.append("\n".join([f"## {heading}\n", "| name | what it is |", "|---|---|", *table]))
    tree = "\n".join(place(door, name, value) for name, value in values.items())
    return "\n\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{tree}\n```"]) + "\n"


def pages() -> dict[str, str]:
    """Return the text of every page of both references by its path."""
    made = {"commands.md": command_index()}
    made |= {f"commands/{name}.md": command_page(name, command) for name, command in commands().items()}
    for door in DOORS:
        made[f"{door.rpartition('.')[2]}.md"] = python_index(door)
        for name, value in names_of(door).items():
            page = module_page if kind(value) == "module" else python_page
            made[f"{place(door, name, value)}.md"] = page(door, name, value)
    return made


def write(folder: pathlib.Path) -> None:
    """Write both references into a folder, and remove the pages of names that are gone."""
    made = pages()
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.rglob("*.md"):
        if path.relative_to(folder).as_posix() not in {*made, *COPIED.values()}:
            path.unlink()
    for name, text in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:  # Sphinx reads again what is newer
            path.write_text(text)


def copy(root: pathlib.Path, folder: pathlib.Path) -> None:
    """Write the repository's own pages into the site's folder, their links turned to it."""
    for old, new in COPIED.items():
        text = (root / old).read_text()
        text = re.sub(r"\]\(docs/([\w-]+\.md)", r"](../\1", text)
        for target, page in COPIED.items():
            text = text.replace(f"]({target}", f"]({page}")
        text = re.sub(r"\[([^\]]+)\]\((?:CITATION\.cff|LICENSE|README\.md)\)", r"\1", text)
        (folder / new).write_text(text)


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
