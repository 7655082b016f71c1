"""What is to be factorised: data, weights, loss and penalties, checked once on entry."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import ProblemError, refuse_masked, refuse_sparse
from .late import is_tensor, torch
from .losses import BetaDivergence, Loss, as_loss, degree_of
from .matrix import SparseMatrix
from .scale import SAFE_MAXIMUM, scale_of

if TYPE_CHECKING:
    from torch import Tensor

FLOAT_DTYPES = ("torch.float32", "torch.float64")
# Columns that are asked first whether any row is empty.
SOME = 256


class Factors(NamedTuple):
    """The two factors, W of shape (B, m, k) and H of shape (B, k, n)."""

    W: Tensor
    H: Tensor


@dataclass(frozen=True)
class Penalty:
    """Elastic-net penalties with scikit-learn's scaling: alpha_W counts n times, alpha_H m times.

    Parameters
    ----------
    alpha_W : float
        Strength on W, >= 0.
    alpha_H : float or None
        Strength on H, >= 0; None means the same as `alpha_W`.
    l1_ratio : float
        Fraction of the L1 part, in [0, 1]; the rest is L2.
    """

    alpha_W: float = 0.0
    alpha_H: float | None = None
    l1_ratio: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("alpha_W", self.alpha_W), ("alpha_H", self.alpha_H)):
            if value is not None and not (isinstance(value, Real) and value >= 0 and math.isfinite(value)):
                raise ProblemError(f"{name} must be a finite number >= 0; got {value!r}")
        if not (isinstance(self.l1_ratio, Real) and 0 <= self.l1_ratio <= 1):
            raise ProblemError(f"l1_ratio must lie in [0, 1]; got {self.l1_ratio!r}")

    def coefficients(self, m: int, n: int) -> tuple[float, float, float, float]:
        """Return (l1_W, l2_W, l1_H, l2_H) for an m x n problem."""
        on_W = n * self.alpha_W
        on_H = m * (self.alpha_W if self.alpha_H is None else self.alpha_H)
        return on_W * self.l1_ratio, on_W * (1 - self.l1_ratio), on_H * self.l1_ratio, on_H * (1 - self.l1_ratio)


@dataclass(frozen=True)
class Problem:
    """B independent factorisation problems of one shape.

    Attributes
    ----------
    V : Tensor, shape (B, m, n), or SparseMatrix
        Non-negative finite data; the B replicates are solved independently.
    weight : Tensor, shape (B, m, n), or None
        Non-negative weight of every entry; 0 marks a missing one.
    loss : Loss
        What is minimised.
    l1_W, l2_W, l1_H, l2_H : Tensor, shape (B, 1, 1), or None
        Penalty coefficients of the whole objective; None where there is no such penalty.
    hold : {None, "W", "H"}
        The factor that stays as given.
    scale : Tensor, shape (B,)
        Power of four that was divided out of the data.
    filled_rows, filled_columns : Tensor of bool, shapes (B, m), (B, n)
        Where there are data at all.
    """

    V: Tensor
    weight: Tensor | None
    loss: Loss
    l1_W: Tensor | None
    l2_W: Tensor | None
    l1_H: Tensor | None
    l2_H: Tensor | None
    hold: str | None
    scale: Tensor
    filled_rows: Tensor
    filled_columns: Tensor

    @property
    def loss_scale(self) -> Tensor:
        """By how much the loss of the data as given exceeds that of the rescaled data; shape (B,), float64."""
        # Data are rescaled only where the loss has a degree.
        return self.scale.double().pow(degree_of(self.loss) or 0.0)

    def select(self, rows: Tensor) -> Problem:
        """Return the replicates `rows` (index tensor) as a problem of their own."""
        if len(rows) == 1 and self.V.shape[0] == 1:
            return self

        def take(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.index_select(0, rows)

        return replace(
            self,
            V=self.V.index_select(0, rows),
            weight=take(self.weight),
            l1_W=take(self.l1_W),
            l2_W=take(self.l2_W),
            l1_H=take(self.l1_H),
            l2_H=take(self.l2_H),
            scale=self.scale.index_select(0, rows),
            filled_rows=self.filled_rows.index_select(0, rows),
            filled_columns=self.filled_columns.index_select(0, rows),
        )

    def narrow(self, columns: Tensor) -> Problem:
        """Return the problem of some columns (index tensor); penalties keep the scaling of the whole."""
        return replace(
            self,
            V=self.V.index_select(-1, columns),
            weight=None if self.weight is None else self.weight.index_select(-1, columns),
            filled_columns=self.filled_columns.index_select(-1, columns),
        )

    def divergence(self, factors: Factors) -> Tensor:
        """Return the loss without penalties, shape (B,), summed in float64."""
        if isinstance(self.V, SparseMatrix):
            return 0.5 * self.V.squared_distance(*factors)
        V, W, H = self.V.double(), factors.W.double(), factors.H.double()
        if self.weight is None and isinstance(self.loss, BetaDivergence) and self.loss.beta == 2:
            return 0.5 * torch.baddbmm(V, W, H, alpha=-1).square_().sum(dim=(-2, -1))
        weight = None if self.weight is None else self.weight.double()
        return self.loss.value(V, W @ H, weight)

    def penalty(self, factors: Factors) -> Tensor:
        """Return the penalties alone, shape (B,)."""
        W, H = factors.W.double(), factors.H.double()
        total = W.new_zeros(W.shape[0])
        for coefficient, term in (
            (self.l1_W, W),
            (self.l1_H, H),
            (self.l2_W, 0.5 * W.square()),
            (self.l2_H, 0.5 * H.square()),
        ):
            if coefficient is not None:
                total = total + (coefficient.double() * term).sum(dim=(-2, -1))
        return total


def outline(loss: Loss, weight: Any, penalty: Penalty, hold: str | None) -> Problem:
    """Return a problem without data: it tells a rule what is asked of it; numbers stand in the place of tensors."""
    one: Any = np.ones((1, 1, 1))
    l1_W, l2_W, l1_H, l2_H = (one * c if c > 0 else None for c in penalty.coefficients(1, 1))
    return Problem(one, None if weight is None else one, loss, l1_W, l2_W, l1_H, l2_H, hold, one, one, one)


class Thin(NamedTuple):
    """A problem without the columns in which no replicate has data, and where the others stand in the whole."""

    columns: Tensor  # int64
    problem: Problem


def build_problem(
    V: Any,
    *,
    loss: str | float | Loss = "frobenius",
    weight: Any = None,
    penalty: Penalty | None = None,
    hold: str | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Problem:
    """Check the data and return them as a `Problem`.

    Parameters
    ----------
    V : array or Tensor, shape (m, n) or (B, m, n)
        Non-negative data; NaN is allowed where the weight is 0.
    loss, weight, penalty, hold, device, dtype
        As in `factorize`.

    Raises
    ------
    ProblemError
        If an entry is negative, NaN or infinite, if shapes disagree, or if ``beta <= 0`` meets zeros.
    TypeError
        If the data are not real numbers.
    """
    loss = as_loss(loss)
    # Only least squares without weights is given a SparseMatrix, whose entries are checked; see `factorize`.
    data: Any = V if isinstance(V, SparseMatrix) else as_tensor(V, "V", device=device, dtype=dtype)
    if data.ndim not in (2, 3) or 0 in data.shape:
        raise ProblemError(f"V must have shape (m, n) or (B, m, n) with no empty axis; got {tuple(data.shape)}")
    data = data if isinstance(data, SparseMatrix) else data.reshape((-1, *data.shape[-2:]))
    weights = None
    if weight is not None:
        weights = as_tensor(weight, "weight", device=data.device, dtype=data.dtype)
        _require_non_negative(weights, "weight")
        try:
            weights = weights.broadcast_to(data.shape)
        except RuntimeError:
            raise ProblemError(
                f"weight of shape {tuple(weights.shape)} does not fit V of shape {tuple(data.shape)}"
            ) from None
        data = torch.where(weights > 0, data, data.new_zeros(()))
    largest, filled_rows, filled_columns = _examined(data)
    if isinstance(loss, BetaDivergence) and loss.beta <= 0:
        _require_positive(data, weights, loss.beta)

    ordinary = isinstance(largest, float) and SAFE_MAXIMUM[0] <= largest <= SAFE_MAXIMUM[1]
    scale = torch.from_numpy(np.ones(1)) if ordinary else scale_of(torch.as_tensor(largest), degree_of(loss))
    if not ordinary and bool((scale != 1).any()):
        data = data / scale.to(data.dtype)[:, None, None]
    coefficients = (penalty or Penalty()).coefficients(*data.shape[1:])
    # With V = s V', W = sqrt(s) W', H = sqrt(s) H' the objective is s^degree times that of V' whose L1 coefficients
    # are divided by s^(degree - 1/2) and L2 coefficients by s^(degree - 1). Without a degree s is 1.
    degree = degree_of(loss) or 0.0
    powers = (degree - 0.5, degree - 1.0, degree - 0.5, degree - 1.0)
    l1_W, l2_W, l1_H, l2_H = (
        (c / scale.pow(p)).to(data.dtype)[:, None, None] if c > 0 else None
        for c, p in zip(coefficients, powers, strict=True)
    )
    return Problem(data, weights, loss, l1_W, l2_W, l1_H, l2_H, hold, scale, filled_rows, filled_columns)


def _examined(data: Tensor | SparseMatrix) -> tuple[float | Tensor, Tensor, Tensor]:
    # The largest entry, a number for one matrix on the CPU, and which rows and columns have any; data that are negative
    # or not finite are refused.
    if isinstance(data, SparseMatrix):
        filled_rows, filled_columns = (torch.from_numpy(x[None]) for x in data.filled_lines)
        return data.largest, filled_rows, filled_columns
    if data.device.type == "cpu" and len(data) == 1:
        # Read as integers, numbers below zero are the largest, then NaN, then infinity: one pass finds all of them.
        V = data[0].numpy()
        bits = np.maximum.reduce(V.view(f"u{V.itemsize}"), axis=0)
        largest = bits.max()
        if int(largest) < int(np.array(np.inf, V.dtype).view(bits.dtype)):
            # Most often some of the columns tell already that there are no empty rows.
            some: np.ndarray = np.any(V[:, :: max(1, V.shape[1] // SOME)], axis=1)
            rows = some if some.all() else np.any(V, axis=1)
            columns: np.ndarray = bits > 0
            return float(largest.view(V.dtype)), torch.from_numpy(rows[None]), torch.from_numpy(columns[None])
    by_row = data.amax(dim=-1)
    if not (float(data.amin()) >= 0 and bool(torch.isfinite(by_row).all())):
        _require_non_negative(data, "V")
    return by_row.amax(dim=-1), by_row > 0, data.amax(dim=-2) > 0


def as_tensor(
    x: Any, name: str, *, device: str | torch.device | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """Return `x` as a float32 or float64 tensor; integers and booleans become float64.

    Big-endian, non-contiguous, read-only and sub-classed NumPy arrays are normalised; masked arrays with masked
    entries are refused, since their meaning is for the caller to give through `weight`.
    """
    require_float(dtype)
    if device is not None and torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            f"device {str(device)!r} was asked for, but torch {torch.__version__} sees no CUDA device; "
            "use device='cpu', or install a CUDA build of torch and check nvidia-smi"
        )
    if is_tensor(x):
        refuse_sparse(x, name)
        tensor = x.detach()
    else:
        refuse_masked(x, name, "pass filled data and weight=0 where they are missing")
        array = np.asarray(x)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name} must hold real numbers; got dtype {array.dtype}")
        if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
            raise TypeError(f"{name} must be float32 or float64; got {array.dtype}. Convert it first.")
        kind = "f4" if array.dtype.kind == "f" and array.dtype.itemsize == 4 else "f8"
        array = np.ascontiguousarray(array, dtype=np.dtype(kind))
        tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
    if tensor.is_complex():
        raise TypeError(f"{name} must hold real numbers; got {tensor.dtype}")
    if not tensor.is_floating_point():
        tensor = tensor.to(torch.float64)
    if dtype is None and str(tensor.dtype) not in FLOAT_DTYPES:
        raise TypeError(f"{name} must be float32 or float64; got {tensor.dtype}. Convert it, or pass dtype=.")
    return tensor.to(device=device, dtype=dtype)


def checked(V: Any, dtype: torch.dtype | None) -> Tensor:
    """Return data as a tensor, as `build_problem` takes them, after the same checks of their type and entries."""
    data = as_tensor(V, "V", dtype=dtype)
    _require_non_negative(data, "V")
    return data


def require_float(dtype: torch.dtype | None) -> None:
    """Raise unless `dtype` is None, float32 or float64."""
    if dtype is not None and not (isinstance(dtype, torch.dtype) and str(dtype) in FLOAT_DTYPES):
        raise ProblemError(f"dtype must be torch.float32 or torch.float64; got {dtype}")


def _first(mask: Tensor) -> str:
    index = mask.nonzero()[0].tolist()
    names = ("replicate", "row", "column")[-len(index) :]
    if len(index) == 3 and mask.shape[0] == 1:
        names, index = names[1:], index[1:]
    return ", ".join(f"{name} {i}" for name, i in zip(names, index, strict=True))


def _require_non_negative(x: Tensor, name: str) -> None:
    # One pass decides; the passes that count and locate run only on bad data.
    low, high = torch.aminmax(x)
    if bool(torch.isfinite(low)) and bool(torch.isfinite(high)) and float(low) >= 0:
        return
    bad = ~torch.isfinite(x)
    if bool(bad.any()):
        hint = "Clean them, or give them weight 0." if name == "V" else "Clean them first."
        raise ProblemError(
            f"{name} must be finite; {int(bad.sum())} of {x.numel()} entries are NaN or infinite "
            f"(first at {_first(bad)}). {hint}"
        )
    bad = x < 0
    raise ProblemError(
        f"{name} must be non-negative; {int(bad.sum())} of {x.numel()} entries are below zero "
        f"(minimum {float(low):g}, first at {_first(bad)}). Clip or mask them first."
    )


def _require_positive(V: Tensor, weight: Tensor | None, beta: float) -> None:
    zero = V <= 0 if weight is None else (V <= 0) & (weight > 0)
    if bool(zero.any()):
        raise ProblemError(
            f"beta = {beta:g} divides by the data, so V must be strictly positive; {int(zero.sum())} of {V.numel()} "
            f"entries are zero (first at {_first(zero)}). Use a loss with beta > 0 (Kullback-Leibler suits counts), "
            "add a small constant, or give zeros weight 0."
        )
