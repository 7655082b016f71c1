"""Conditions written as text, such as ``0.1 < MG_FE < 0.3``: a tokenizer and a parser; no text is executed.

condition   := comparison (("and" | "&" | "&&" | ",") comparison)*
comparison  := term (("<" | "<=" | ">" | ">=" | "==" | "!=" | "=") term)+
term        := ["+" | "-"] (number | name | "|" name "|")
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from .variables import values

if TYPE_CHECKING:
    from astropy.table import Table

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<and>and\b|&&?|,)
      | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z]\w*)?)
      | (?P<compare><=|>=|==|!=|<|>|=)
      | (?P<sign>[+-])
      | (?P<bar>\|)
    )""",
    re.VERBOSE | re.ASCII,
)

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
}

EXAMPLES = '"LOGG<3", "E>-1.8e5", "|z|<2" or "0.1<MG_FE<0.3"'


@dataclass(frozen=True)
class _Term:
    sign: int
    absolute: bool
    content: str | float

    def of(self, table: "Table") -> np.ndarray | np.float64:
        found = values(table, self.content) if isinstance(self.content, str) else np.float64(self.content)
        return self.sign * (np.abs(found) if self.absolute else found)


def parse_cut(text: str) -> Callable[["Table"], np.ndarray]:
    """Return a function from a table to the boolean array of the rows that satisfy the condition.

    A row with a missing value in any variable of the condition never satisfies it, not even for ``!=``.

    Parameters
    ----------
    text : str
        Comparisons of variables and numbers, chained and joined by ``and``. Names are those of `variables.VARIABLES`
        or columns of the table; they are looked up when the function is called.

    Raises
    ------
    UsageError
        The text is no condition; on call, a variable that the table lacks.
    """
    comparisons = _parse(text)

    def keep(table: "Table") -> np.ndarray:
        mask = np.ones(len(table), dtype=bool)
        for terms, signs in comparisons:
            sides = [term.of(table) for term in terms]
            for side in sides:
                mask &= np.isfinite(side)
            for left, sign, right in zip(sides, signs, sides[1:], strict=False):
                mask &= _COMPARE[sign](left, right)
        return mask

    return keep


def cut_names(text: str) -> tuple[str, ...]:
    """Return the variables of a condition, each once.

    Raises
    ------
    UsageError
        The text is no condition.
    """
    found = [t.content for terms, _ in _parse(text) for t in terms if isinstance(t.content, str)]
    return tuple(dict.fromkeys(found))


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise _bad(text, f"cannot read {text[at:].strip()!r}")
        kind = match.lastgroup or ""
        tokens.append((kind, match[kind]))
        at = match.end()
    return tokens


def _parse(text: str) -> list[tuple[list[_Term], list[str]]]:
    tokens = [*_tokens(text), ("end", "")]
    at = 0

    def take(kind: str) -> str | None:
        nonlocal at
        if tokens[at][0] != kind:
            return None
        at += 1
        return tokens[at - 1][1]

    def term() -> _Term:
        sign = -1 if take("sign") == "-" else 1
        if take("bar") is not None:
            name = take("name")
            if name is None or take("bar") is None:
                raise _bad(text, "'|' must enclose one variable")
            return _Term(sign, absolute=True, content=name)
        number = take("number")
        content = float(number) if number is not None else take("name")
        if content is None:
            raise _bad(text, f"expected a number or a variable before {tokens[at][1] or 'the end'!r}")
        return _Term(sign, absolute=False, content=content)

    comparisons = []
    while True:
        terms, signs = [term()], []
        while (sign := take("compare")) is not None:
            signs.append(sign)
            terms.append(term())
        if not signs:
            raise _bad(text, "a comparison is missing")
        if all(isinstance(t.content, float) for t in terms):
            raise _bad(text, "a variable is missing")
        comparisons.append((terms, signs))
        if take("end") is not None:
            return comparisons
        if take("and") is None:
            raise _bad(text, f"unexpected {tokens[at][1]!r}")


def _bad(text: str, reason: str) -> UsageError:
    return UsageError(f"cut {text!r} is not a condition: {reason}; write for example {EXAMPLES}.")
