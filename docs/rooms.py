"""Draw the rooms of the code and the arrows between them, from its own imports, into ARCHITECTURE.md.

Run with: python docs/rooms.py [--check]
"""

from __future__ import annotations

import ast
import pathlib
from collections import defaultdict

from marked import keep, put

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
MARKERS = ("<!-- rooms: made by docs/rooms.py -->", "<!-- rooms end -->")

FLOORS: tuple[tuple[str, ...], ...] = (
    ("halo.errors", "halo.progress"),
    ("halo.fields", "halo.units"),
    ("halo.rounding",),
    ("halo.io",),
    ("halo.orbits",),
    ("halo.stars",),
    ("halo.survey", "halo.mixtures"),
    ("halo.fits",),
    ("halo.products",),
    ("halo.replicates",),
    ("halo.ensembles", "halo.populations", "halo.checks", "halo.simulations", "halo.mock", "halo.archives"),
    ("halo.figures",),
    ("halo.paper",),
    ("halo.pages",),
    ("halo.commands",),
    ("cli",),
)
"""From the ground up. A room calls lower floors only; rooms of one floor never call each other."""
DOOR = "halo"
"""The front door, halo/__init__.py: it names every room and loads none before it is asked."""


def modules(root: pathlib.Path = ROOT) -> dict[str, pathlib.Path]:
    """Return the path of every module of the packages by its dotted name, such as ``halo.fits.fit``."""
    found = {}
    for path in sorted([*root.glob("halo/**/*.py"), *root.glob("nmfcore/**/*.py"), root / "cli.py"]):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: pathlib.Path, known: dict[str, pathlib.Path], *, typing: bool = False) -> set[str]:
    """Return the modules of the project that a module imports, also inside its functions.

    Imports for the type checker alone are left out unless `typing`.
    """
    tree = ast.parse(path.read_text())
    hidden: set[ast.AST] = set()
    if not typing:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                hidden |= {inner for one in node.body for inner in ast.walk(one)}
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *(node.module.split(".") if node.module else [])])
            targets = [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
        else:
            continue
        for target in targets:
            short = target.removeprefix("halonmf.")
            while short and short not in known:
                short = short.rpartition(".")[0]
            if short and short != name:
                found.add(short)
    return found


def graph(root: pathlib.Path = ROOT, *, typing: bool = False) -> dict[str, set[str]]:
    """Return which modules each module imports."""
    known = modules(root)
    return {name: imports(name, path, known, typing=typing) for name, path in known.items()}


def room_of(module: str) -> str:
    """Return the room of a module: its folder, or the module itself on the ground floor and at the door."""
    parts = module.split(".")
    if parts[0] == "nmfcore":
        return parts[0]
    return ".".join(parts[:2])


def rooms(root: pathlib.Path = ROOT) -> dict[str, set[str]]:
    """Return which rooms each room calls."""
    arrows: dict[str, set[str]] = defaultdict(set)
    for name, targets in graph(root).items():
        arrows[room_of(name)] |= {room_of(target) for target in targets} - {room_of(name)}
    return dict(arrows)


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of names that import each other in a circle (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(arrows.get(name, ())):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(arrows):
        if name not in index:
            visit(name)
    return found


def upward(arrows: dict[str, set[str]]) -> list[str]:
    """Return the arrows between rooms that do not go down, and the rooms that no floor names."""
    level = {room: i for i, floor in enumerate(FLOORS) for room in floor}
    wrong = []
    for room, targets in sorted(arrows.items()):
        if room in ("nmfcore", DOOR):
            # the engine knows nothing of stars; the front door names what it opens as text and imports nothing
            wrong += [f"{room} -> {target}" for target in sorted(targets)]
        elif room not in level:
            wrong.append(f"{room} is on no floor")
        else:
            wrong += [
                f"{room} -> {target}"
                for target in sorted(targets - {"nmfcore", DOOR})
                if level.get(target, len(FLOORS)) >= level[room]
            ]
    return wrong


def first_line(path: pathlib.Path) -> str:
    """Return the first sentence of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.split("\n")[0].rstrip(".")


def picture(root: pathlib.Path = ROOT) -> str:
    """Return the rooms by floor with their arrows, and every module with what it is for."""
    known, arrows = modules(root), rooms(root)
    lines = {name: len(path.read_text().splitlines()) for name, path in known.items()}
    out = ["```"]
    for floor in reversed(FLOORS):
        for room in floor:
            inside = [name for name in known if room_of(name) == room]
            if not inside:
                continue
            below = sorted(arrows.get(room, ()), key=lambda name: (_height(name), name))
            calls = [target.removeprefix("halo.") for target in below]
            label = "cli.py" if room == "cli" else room.replace(".", "/") + ("/" if len(inside) > 1 else ".py")
            total = sum(lines[name] for name in inside)
            out.append(f"{label:<19} {len(inside):>3} files {total:>5} lines   -> {', '.join(calls) or '-'}")
    inside = [name for name in known if room_of(name) == "nmfcore"]
    out += [f"{'nmfcore/':<19} {len(inside):>3} files {sum(lines[name] for name in inside):>5} lines   -> -", "```", ""]
    folders: dict[str, list[str]] = defaultdict(list)
    for name, path in known.items():
        folders[path.parent.relative_to(root).as_posix()].append(name)
    out.append("```")
    for folder in sorted(folders, key=lambda name: (_height(name.replace("/", ".")), name)):
        label = "" if folder == "." else f"{folder}/"
        about = next((first_line(known[n]) for n in folders[folder] if known[n].name == "__init__.py"), "")
        out.append(f"{label:<26}{about}".rstrip())
        for name in folders[folder]:
            if known[name].name != "__init__.py":
                out.append(f"  {known[name].name:<24}{first_line(known[name])}")
    return "\n".join([*out, "```"])


def _height(name: str) -> int:
    for i, floor in enumerate(FLOORS):
        if name in floor or name.split(".")[:2] == list(floor[0].split(".")[:2]):
            return i
    return -1 if name.startswith("nmfcore") else len(FLOORS)


def page(text: str, root: pathlib.Path = ROOT) -> str:
    """Return the page with the picture in its place."""
    return put(text, MARKERS, picture(root))


if __name__ == "__main__":
    keep(__doc__, "python docs/rooms.py", lambda: {PAGE: page(PAGE.read_text())})
