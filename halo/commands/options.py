"""Options from the fields of settings: help, defaults, limits and choices are those of the fields, declared there once.

A command is a function with annotated parameters. One whose type is a dataclass of settings is spread: each of its
fields with a help becomes an option, and the command is handed the dataclass built from what was given.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from ..fields import Argument, Form, Option
from .config import read_config
from .console import HELP_NAMES, guarded
from .metavars import beginning, metavar
from .paths import check_there, with_suffix

Stars = Annotated[Path, "Prepared catalogue, from halonmf prepare.", Argument("STARS")]
FitFile = Annotated[Path, "A fit, from halonmf fit.", Argument("FIT")]
Folder = Annotated[Path, "Where to write.", Argument("DIR", written=True)]
Table = Annotated[Path, "Table to write; .ecsv, .vot or .fits.", Option("--output", "-o")]
Figure = Annotated[Path | None, "Draw it too: NAME.png, NAME.pdf and its caption NAME.txt.", Option(written=True)]
Overwrite = Annotated[bool, "Replace existing files."]
Quiet = Annotated[bool, "Print no progress.", Option("--quiet", "-q")]
Strict = Annotated[bool, "Leave with exit code 4 where the fit is not to be trusted."]
Json = Annotated[bool, "Print JSON, for programs: see docs/json.md.", Option("--json")]
Resume = Annotated[bool, "Go on with what an interrupted run kept."]
DryRun = Annotated[bool, "Estimate what it takes; write nothing."]
Truth = Annotated[Path, "truth.fits of the mock survey that the stars are from."]
Columns = Annotated[Path, "TOML file that names the columns of your own files; see docs/."]
JSON = "as_json"
"""The keyword of ``--json``, which every command has."""
CONFIG = typer.Option(
    "--config",
    metavar="PATH",
    help="TOML file with a table per command, such as [fit]; options given on the command line win.",
    callback=read_config,
    is_eager=True,
    show_default=False,
)


class Only:
    """The fields of settings that a command has options for, by keyword, and defaults that are its own."""

    def __init__(self, *keywords: str, **defaults: Any) -> None:
        self.keywords, self.defaults = keywords, defaults


@dataclass(frozen=True)
class Field:
    """A field of settings, or a parameter of a command, that is an option or an argument.

    Attributes
    ----------
    name, keyword : str
        Of the field, and of the option: different where settings are built from flat names.
    type : type
        What is wanted, None left out.
    default : object
        The field's; `inspect.Parameter.empty` where it must be given.
    help : str
        The field's.
    option : Option or Argument
        The rest.
    """

    name: str
    keyword: str
    type: Any
    default: Any
    help: str
    option: Option | Argument

    @property
    def form(self) -> Form | None:
        """How the value is written as text, where it is no number or plain text."""
        return self.option.form if isinstance(self.option, Option) else None

    @property
    def repeatable(self) -> bool:
        """Whether the option may be given several times."""
        if isinstance(self.option, Argument) or get_origin(self.type) is not tuple:
            return False
        return self.option.repeat or self.form is None

    @property
    def flags(self) -> tuple[str, ...]:
        """The option's flags; none of an argument."""
        if isinstance(self.option, Argument):
            return ()
        flag = "--" + self.keyword.replace("_", "-")
        return self.option.flags or ((f"{flag}/--no-{flag[2:]}",) if self.default is True else (flag,))

    def parameter(self) -> inspect.Parameter:
        """Return the parameter that Typer makes the option of."""
        kind, default = self.type, self.default
        settings: dict[str, Any] = {"help": self.help}
        if isinstance(self.option, Argument):
            name = self.option.metavar.split()[0].removesuffix("...")  # of several the usage adds the dots
            settings["autocompletion"] = beginning(self.option.words)
            info = typer.Argument(metavar=name, show_default=default is not None, **settings)
        else:
            form = self.form
            if self.repeatable:
                kind, default = list[str] | None, None
            elif self.option.choices:
                kind = Literal[self.option.choices]
            elif form is not None:
                kind, default = str, None if default is None else form.write(default)
            settings |= {
                "min": self.option.minimum,
                "max": self.option.maximum,
                "metavar": metavar(kind, self.help, self.flags),
            }
            info = typer.Option(*self.flags, show_default=default is not None, **settings)
        if default is None:
            kind = kind | None
        return inspect.Parameter(
            self.keyword, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
        )

    def read(self, given: Any) -> Any:
        """Return the field's value from what Typer gives.

        Raises
        ------
        UsageError
            A text that cannot be read.
        """
        form = self.form
        if "-o" in self.flags and isinstance(self.default, Path) and isinstance(given, Path):
            given = with_suffix(given, self.default.suffix)
        if self.repeatable:
            texts = tuple(given or ())
            return texts if form is None else tuple(form.parse(text, self.flags[0]) for text in texts)
        return given if form is None or given is None else form.parse(given, self.flags[0])

    def check(self, given: Any) -> None:
        """Raise where nothing is at a path that is to be read.

        Raises
        ------
        InputError
            That.
        """
        if not self.option.written:
            check_there(given, name_of_ours=isinstance(self.option, Option))

    def left(self, given: Any) -> bool:
        """Whether the default holds: a repeatable option that was not given."""
        return self.repeatable and not given


def settings_fields(cls: type, only: Only | None = None) -> tuple[Field, ...]:
    """Return the fields of settings that have a help, those of their parts among them.

    Parameters
    ----------
    cls : type
        A dataclass.
    only : Only, optional
        Which of them, and other defaults.
    """
    found = tuple(_walk(cls))
    if only is None:
        return found
    known = {field.keyword for field in found}
    assert known >= {*only.keywords, *only.defaults}, f"{cls.__name__} has no {set(only.keywords) - known}"
    return tuple(
        dataclasses.replace(field, default=only.defaults.get(field.keyword, field.default))
        for field in found
        if not only.keywords or field.keyword in only.keywords
    )


def _walk(cls: type) -> Iterator[Field]:
    """Yield the fields of settings, those of their parts last."""
    hints = get_type_hints(cls, include_extras=True)
    parts = []
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            parts.append(hint)
            continue
        default = field.default
        if default is dataclasses.MISSING:
            default = inspect.Parameter.empty
            if field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
        one = _field(field.name, hint, default)
        if one is not None:
            yield one
    for part in parts:
        yield from _walk(part)


def _field(name: str, hint: Any, default: Any) -> Field | None:
    """Return the field that an annotation describes; None where it has no help."""
    kind, extras = _taken_apart(hint)
    text = next((extra for extra in extras if isinstance(extra, str)), None)
    if text is None:
        return None
    option = next((extra for extra in extras if isinstance(extra, Option | Argument)), Option())
    return Field(name, getattr(option, "keyword", "") or name, kind, default, text, option)


def _taken_apart(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the type of an annotation without None, and what else the annotation holds."""
    extras: tuple[Any, ...] = ()
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            extras += tuple(more)
        elif get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
            rest = [one for one in get_args(hint) if one is not type(None)]
            hint = rest[0] if len(rest) == 1 else Union[tuple(rest)]  # noqa: UP007 - of a list
        else:
            return hint, extras


@dataclass(frozen=True)
class _Part:
    """Settings that are spread: the class, its fields, and how it is built from their values."""

    cls: type
    fields: tuple[Field, ...]

    def build(self, given: Mapping[str, Any]) -> Any:
        # by flat names where there is a door for them, as in Python: `FitSettings.of(pixels=20)`
        flat: Callable[..., Any] | None = getattr(self.cls, "of", None)
        values = {
            (one.keyword if flat else one.name): one.read(given[one.keyword])
            for one in self.fields
            if not one.left(given[one.keyword])
        }
        return (flat or self.cls)(**values)


class Command:
    """A command: a function, and what is typed to call it.

    Parameters
    ----------
    function : callable
        Its docstring is the help; the first line stands in the list of commands.
    example : str
        A call of the command.
    """

    def __init__(self, function: Callable[..., None], example: str) -> None:
        self.function, self.example = function, example
        self.__doc__, self.__name__, self.__wrapped__ = function.__doc__, function.__name__, function

    def __call__(self, *args: Any, **options: Any) -> None:
        """Call the function as it is written."""
        self.function(*args, **options)

    @cached_property
    def parts(self) -> dict[str, Field | _Part]:
        """The function's parameters by name: fields, and settings that are spread."""
        hints = get_type_hints(self.function, include_extras=True)
        found: dict[str, Field | _Part] = {}
        for name, parameter in inspect.signature(self.function).parameters.items():
            kind, extras = _taken_apart(hints[name])
            if dataclasses.is_dataclass(kind) and isinstance(kind, type):
                only = next((extra for extra in extras if isinstance(extra, Only)), None)
                found[name] = _Part(kind, settings_fields(kind, only))
            else:
                one = _field(name, hints[name], parameter.default)
                assert one is not None, f"{self.__name__}: {name} has no help"
                found[name] = one
        return found

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every option and argument."""
        parts = self.parts.values()
        return tuple(one for part in parts for one in (part.fields if isinstance(part, _Part) else (part,)))

    def call(self, **given: Any) -> None:
        """Call the function with what was typed, by keyword.

        Raises
        ------
        InputError
            Nothing is at a path: said before settings load libraries, which takes longer.
        UsageError
            A text that cannot be read, or settings that make no sense.
        """
        for one in self.fields:
            one.check(given[one.keyword])
        values = {}
        for name, part in self.parts.items():
            if isinstance(part, _Part):
                values[name] = part.build(given)
            elif not part.left(given[part.keyword]):
                values[name] = part.read(given[part.keyword])
        self.function(**values)

    @cached_property
    def typed(self) -> Any:
        """The command as the command line has it."""
        own = {one.keyword for one in self.fields}

        def typed(**given: Any) -> None:
            given.pop("config", None)
            if JSON not in own and given.pop(JSON) and "quiet" in own:
                given["quiet"] = True  # nothing but the document
            self.call(**given)

        parameters = [one.parameter() for one in self.fields]
        if JSON not in own:  # a command that streams its progress takes it itself
            switch = _field(JSON, Json, False)
            assert switch is not None
            parameters.append(switch.parameter())
        if any(one.flags for one in self.fields):
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(
                inspect.Parameter("config", kind, default=None, annotation=Annotated[Path | None, CONFIG])
            )
        run = guarded(typed, self.__name__)
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__doc__ = self.__doc__
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        alone.command(self.__name__, epilog=f"Example: {self.example}", context_settings=HELP_NAMES)(run)
        command = typer.main.get_command(alone)
        for parameter in command.params:
            if parameter.param_type_name == "argument":  # its name says it: STARS, not STARS <path>
                parameter.display_type_rich = lambda ctx: None  # type: ignore[attr-defined]
        return command


def command(example: str) -> Callable[[Callable[..., None]], Command]:
    """Make a command of a function; it is listed in `cli`."""
    return lambda function: Command(function, example)
