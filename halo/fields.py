"""How fields of settings are asked for outside of Python: their help, flags and limits; plain Python.

A field's help stands in its annotation, and with it what the command line needs beyond name, type and default:

    pixels: Annotated[int, "Pixels along one side of each image.", Option(minimum=1)] = 50

`commands.options` makes options of such fields. A field without a help is no option.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from .errors import UsageError


@dataclass(frozen=True)
class Form:
    """How a value is written as text.

    Attributes
    ----------
    read : callable
        Returns the value of a text; raises ValueError or TypeError where it is none, or UsageError with a reason.
    write : callable
        Returns the text of a value.
    expected : str
        What the text looks like, for the error.
    """

    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    expected: str = "another value"

    def parse(self, text: str, option: str) -> Any:
        """Return the value of a text that was given for an option.

        Raises
        ------
        UsageError
            It is no such text.
        """
        try:
            return self.read(text)
        except (ValueError, TypeError):
            raise UsageError(f"{option} {text!r}: expected {self.expected}.") from None


class Option:
    """What an option is besides the name, type, default and help of its field.

    Parameters
    ----------
    *flags : str
        Flags; by default two dashes and the keyword, with dashes.
    keyword : str, optional
        Name of the option where settings are given flat, as to `FitSettings.of`; by default the field's.
    minimum, maximum : float, optional
        Limits of a number.
    choices : sequence of str, optional
        The only values.
    form : Form, optional
        How a value that is no number or plain text is written.
    repeat : bool
        The form is that of one of several values, each given by an option of its own. Tuples without a form repeat
        anyhow.
    written : bool
        It is the path of something that the command makes, as with ``--output``; other paths must be there.
    """

    def __init__(
        self,
        *flags: str,
        keyword: str = "",
        minimum: float | None = None,
        maximum: float | None = None,
        choices: Sequence[str] = (),
        form: Form | None = None,
        repeat: bool = False,
        written: bool = False,
    ) -> None:
        self.flags, self.keyword, self.minimum, self.maximum = flags, keyword, minimum, maximum
        self.choices, self.form, self.repeat = tuple(choices), form, repeat
        self.written = written or "--output" in flags


@dataclass(frozen=True)
class Argument:
    """An argument of a command, by the name that its help has for it, such as ``STARS``.

    Attributes
    ----------
    metavar : str
        The name.
    written : bool
        It is the path of something that the command makes; other paths must be there.
    words : callable, optional
        Returns words that a shell completes it by.
    """

    metavar: str
    written: bool = False
    words: Callable[[], Sequence[str]] | None = None


def number(x: float) -> str:
    """Return a number in few characters, such as ``-2.5e5``."""
    text = f"{x:g}"
    if abs(x) < 1e4 or "e" in text:
        return text
    mantissa, _, exponent = f"{x:.5e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def _limits(text: str) -> tuple[float, float]:
    low, high = (float(part) for part in text.split(":"))
    return low, high


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _steps(text: str) -> tuple[int, ...]:
    low, high, *step = (int(part) for part in text.split(":"))
    return tuple(range(low, high + 1, *step))


def _write_steps(values: Sequence[int]) -> str:
    step = values[1] - values[0] if len(values) > 1 else 1
    return f"{values[0]}:{values[-1]}" + (f":{step}" if step != 1 else "")


def _line(text: str) -> tuple[tuple[float, float], tuple[float, float]]:
    x1, y1, x2, y2 = (float(part) for part in text.split(":"))
    return (x1, y1), (x2, y2)


def _named(text: str) -> tuple[str, float]:
    name, _, value = text.partition(":")
    return name, float(value)


def _colons(values: Sequence[float]) -> str:
    return ":".join(map(number, values))


LIMITS = Form(_limits, _colons, "LOW:HIGH")
NUMBERS = Form(_numbers, lambda values: ",".join(map(number, values)), "numbers with commas between")
WHOLE_NUMBERS = Form(lambda text: tuple(int(x) for x in _numbers(text)), NUMBERS.write, NUMBERS.expected)
STEPS = Form(_steps, _write_steps, "LOW:HIGH or LOW:HIGH:STEP, whole numbers")
LINE = Form(_line, lambda line: ":".join(map(_colons, line)), "X1:Y1:X2:Y2")
NAMED = Form(_named, lambda pair: f"{pair[0]}:{number(pair[1])}", "NAME:NUMBER")

MinStars = Annotated[int, "Bins with fewer stars carry no crossing.", Option(minimum=1)]
"""Fewest stars of a bin whose fractions count."""
