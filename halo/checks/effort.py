"""How long a check will take, told before it is begun."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import UsageError
from ..stars.catalogue import StarsLike
from .injection import inject, injection_work
from .penalties import search, search_work
from .stability import stability, stability_work
from .work import Effort, Work, measure

WORKS: Mapping[str, Callable[..., Work[Any]]] = {
    search.__name__: search_work,
    stability.__name__: stability_work,
    inject.__name__: injection_work,
}
"""What each check has to compute, by the name of its function."""


def effort(check: Callable[..., Any] | str, stars: StarsLike, *arguments: Any, **choices: Any) -> Effort:
    """Return how many fits a check makes, and how long they take on this machine; nothing is written.

    Some of the fits are made, spread over all of them, and timed.

    Parameters
    ----------
    check : callable or str
        `search`, `stability` or `inject`, or its name.
    stars : Table, Catalogue or path
        Prepared stars.
    *arguments, **choices
        As the check takes them.

    Returns
    -------
    Effort

    Raises
    ------
    UsageError
        Another function, or what the check itself refuses.
    InputError
        Too few stars.

    Examples
    --------
    >>> from halonmf import halo
    >>> halo.effort(halo.search, "stars.fits", draws=5000).seconds  # doctest: +SKIP
    """
    name = check if isinstance(check, str) else getattr(check, "__name__", "")
    if name not in WORKS:
        raise UsageError(f"check must be one of {', '.join(WORKS)}; got {name or check!r}.")
    return measure(WORKS[name](stars, *arguments, **choices))
