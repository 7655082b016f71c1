"""The arguments of `factorize` as one object, checked once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .errors import ProblemError, require_whole
from .initialise import check_init, require_components
from .late import torch
from .losses import Loss
from .pattern import SharedPattern
from .problem import Penalty, require_float
from .rules.resolve import UpdateRule
from .stopping import Stop

# Starts per replicate where there are more than two components: one start is then often not the best.
SEVERAL = 8


@dataclass(frozen=True, eq=False)
class Request:
    """The arguments of `factorize`; the fields have their names and meaning.

    Checked when made: everything that does not depend on the data. The data are checked where they take the form that
    is solved: by `build_problem`, `SparseMatrix.of` or the constructors of `SharedPattern`. There are as many fields as
    `factorize` has arguments, so that no other function needs as many.

    Raises
    ------
    ProblemError
        If an argument cannot be used, or contradicts another.
    """

    V: Any
    n_components: int
    init: Any
    loss: Loss
    update: str | UpdateRule
    weight: Any
    penalty: Penalty
    hold: str | None
    stop: Stop
    starts: int | None
    seed: int
    first_replicate: int
    device: str | torch.device | None
    dtype: torch.dtype | None
    progress: Callable[[int, int], None] | None

    def __post_init__(self) -> None:
        if self.hold not in (None, "W", "H"):
            raise ProblemError(f"hold must be None, 'W' or 'H'; got {self.hold!r}")
        require_kind("stop", self.stop, Stop)
        require_kind("penalty", self.penalty, Penalty)
        for name in ("seed", "first_replicate"):
            require_whole(name, getattr(self, name))
        if self.seed < 0 or self.first_replicate < 0:
            raise ProblemError(f"seed and first_replicate must be >= 0; got {self.seed} and {self.first_replicate}")
        if self.starts is not None:
            require_whole("starts", self.starts)
            if self.starts < 1:
                raise ProblemError(f"starts must be >= 1; got {self.starts}")
            if self.starts > 1 and self.hold is not None:
                raise ProblemError("starts > 1 has no use with a held factor: the problem is convex; leave starts at 1")
        if self.progress is not None and not callable(self.progress):
            raise ProblemError(f"progress must be a callable or None; got {self.progress!r}")
        require_device(self.device)
        require_float(self.dtype)
        require_components(self.n_components)
        check_init(self.init, self.hold)

    @property
    def first_init(self) -> Any:
        """The first start: a method by its name, or the given factors."""
        if not (isinstance(self.init, str) and self.init == "auto"):
            return self.init
        # There are no more singular vectors than rows or columns.
        return "nndsvda" if self.n_components <= min(np.shape(self.V)[-2:]) else "random"

    @property
    def number_of_starts(self) -> int:
        """Starts per replicate: as asked, or several where one is often not the best."""
        if self.starts is not None:
            return self.starts
        # With given factors or a rule of the user's own, one start is what was meant.
        chosen_by_us = isinstance(self.init, str) and isinstance(self.update, str) and self.hold is None
        return SEVERAL if chosen_by_us and self.n_components > 2 else 1

    @property
    def on_cpu(self) -> bool:
        """Whether no other device than the CPU was asked for."""
        return self.device is None or str(self.device) == "cpu" or torch.device(self.device).type == "cpu"

    @property
    def guided(self) -> bool:
        """Whether every replicate begins at the solution of the sample that all were drawn from."""
        automatic = isinstance(self.init, str) and self.init == "auto"
        drawn = isinstance(self.V, SharedPattern) and self.V.base is not None
        return automatic and drawn and self.hold is None and self.weight is None

    def with_data(self, V: Any, **changes: Any) -> Request:
        """Return the same request of other data, and with other fields where `changes` names them."""
        return replace(self, V=V, **changes)

    def part_of_weight(self, chosen: Any) -> Any:
        """Return the weights of the replicates `chosen`; weights that are common to all stay as they are."""
        return part(self.weight, chosen, len(self.V))

    def part_of_init(self, init: Any, chosen: Any) -> Any:
        """Return the start of the replicates `chosen`; factors that are common to all, and names, stay as they are."""
        return init if isinstance(init, str) else tuple(part(x, chosen, len(self.V)) for x in init)


def require_kind(name: str, value: Any, kind: type) -> None:
    """Raise unless the argument `name` is one of the class that it must be."""
    if not isinstance(value, kind):
        raise ProblemError(f"{name} must be an nmfcore.{kind.__name__} or None; got {value!r}")


def require_device(device: Any) -> None:
    """Raise unless torch knows such a device."""
    if device is None or str(device) == "cpu" or isinstance(device, torch.device):
        return
    try:
        known = isinstance(device, str) and torch.device(device) is not None
    except RuntimeError:
        known = False
    if not known:
        raise ProblemError(f"device must be a name such as 'cpu' or 'cuda', a torch.device or None; got {device!r}")


def part(x: Any, chosen: Any, replicates: int) -> Any:
    """Return `x` of the replicates `chosen`, an index or a slice, where x has a value for each of all `replicates`."""
    if isinstance(x, (list, tuple)):
        x = np.asarray(x)
    return x[chosen] if replicates > 1 and np.ndim(x) == 3 and len(x) == replicates else x
