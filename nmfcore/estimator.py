"""NMF: a scikit-learn estimator over factorize()."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .errors import refuse_masked, refuse_sparse
from .factorise import factorize
from .held import weights
from .initialise import METHODS
from .late import torch
from .losses import NAMED_BETA, BetaDivergence, as_loss
from .problem import Penalty
from .result import Result
from .rules.resolve import RULES
from .stopping import Status, Stop

# Every sample of a transform carries a copy of H: as many at a time as keep these copies below this many entries.
TRANSFORM_ENTRIES = 2**20
# Rules of each beta whose transform goes without dense samples; see `held.weights`.
HELD_RULES = {1.0: ("auto", "newton"), 2.0: ("auto", "cd", "hals", "ehals", "rank2", "arank2")}
INPUT = {"accept_sparse": ("csr", "csc"), "dtype": (np.float64, np.float32), "ensure_non_negative": True}


class NMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Non-negative matrix factorisation X ~ W H as a scikit-learn transformer.

    Parameters and attributes have the names and meaning of `sklearn.decomposition.NMF`; docs/estimator.md lists what
    differs. Here X is V, its rows are samples and its columns features.

    Parameters
    ----------
    n_components : int, "auto" or None
        Number of components, k; "auto" is that of a given start, else the number of features, as None is.
    init : {None, "random", "nndsvd", "nndsvda", "nndsvdar", "custom"}
        Start. None is "nndsvda" where k <= min(n_samples, n_features), else "random"; "custom" takes W and H from the
        arguments of `fit`.
    solver : {"auto", "mu", "hals", "cd", ...} or callable
        The rule: any that `update` of `nmfcore.factorize` takes. "cd" is scikit-learn's name for that of "hals".
    beta_loss : {"frobenius", "kullback-leibler", "itakura-saito"}, float or object
        A beta divergence by name or beta, or a loss as `nmfcore.Loss`.
    tol : float
        Tolerance of `nmfcore.Stop`: the distance of the factors from their limit. 0 runs `max_iter`
        iterations.
    max_iter : int
        Most iterations of a fit, and of each sample of a transform.
    random_state : int, RandomState or None
        Of random starts; an int makes them reproducible.
    alpha_W : float
        Strength of the penalty on W; it counts n_features times.
    alpha_H : float or "same"
        Strength of the penalty on H; it counts n_samples times.
    l1_ratio : float
        Fraction of the L1 part in the penalties, in [0, 1]; the rest is L2.
    n_init : int
        Starts, of which the best is kept: `init`, then random ones. Several are recommended beyond two components.
    device : str or None
        Where to compute, such as "cuda"; None is the CPU. Arrays go in and come out.

    Attributes
    ----------
    components_ : ndarray, shape (k, n_features)
        H.
    n_components_ : int
        k.
    reconstruction_err_ : float
        Frobenius norm of X - W H; of another loss, the square root of twice its divergence. Without penalties.
    n_iter_ : int
        Iterations of the start that was kept.
    n_features_in_ : int
        Number of features of X.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Names of X's columns, where it had such.

    Examples
    --------
    >>> import numpy as np, nmfcore
    >>> X = np.array([[1, 1], [2, 1], [3, 1.2], [4, 1], [5, 0.8], [6, 1]])
    >>> model = nmfcore.NMF(n_components=2, random_state=0)
    >>> W = model.fit_transform(X)
    >>> W.shape, model.components_.shape, bool(np.allclose(W @ model.components_, X, atol=1e-3))
    ((6, 2), (2, 2), True)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "init": [StrOptions({*METHODS, "custom"}), None],
        "solver": [StrOptions({*RULES, "auto", "cd"}), callable],
        "beta_loss": [StrOptions({*NAMED_BETA}), Real, HasMethods(["value", "split"])],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "alpha_W": [Interval(Real, 0, None, closed="left")],
        "alpha_H": [Interval(Real, 0, None, closed="left"), StrOptions({"same"})],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "device": [str, None],
    }

    components_: np.ndarray
    n_components_: int
    reconstruction_err_: float
    n_iter_: int

    def __init__(
        self,
        n_components: Any = "auto",
        *,
        init: str | None = None,
        solver: Any = "auto",
        beta_loss: Any = "frobenius",
        tol: float = 1e-5,
        max_iter: int = 10_000,
        random_state: Any = None,
        alpha_W: float = 0.0,
        alpha_H: Any = "same",
        l1_ratio: float = 0.0,
        n_init: int = 1,
        device: str | None = None,
    ) -> None:
        self.n_components = n_components
        self.init = init
        self.solver = solver
        self.beta_loss = beta_loss
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.alpha_W = alpha_W
        self.alpha_H = alpha_H
        self.l1_ratio = l1_ratio
        self.n_init = n_init
        self.device = device

    def fit(self, X: Any, y: Any = None, *, W: Any = None, H: Any = None) -> NMF:
        """Learn the components of X; see `fit_transform`."""
        self.fit_transform(X, W=W, H=H)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any = None, W: Any = None, H: Any = None) -> np.ndarray:
        """Learn the components of X and return its weights.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
            Non-negative data; float32 and float64 are kept, anything else becomes float64. Least squares never make a
            sparse matrix dense, Kullback-Leibler not a large one; other losses do.
        y : ignored
        W, H : array, shapes (n_samples, n_components), (n_components, n_features)
            Start, with init="custom". One of them may be missing; it then starts at sqrt(mean(X) / n_components).

        Returns
        -------
        ndarray, shape (n_samples, n_components)
            W.

        Raises
        ------
        ValueError
            If X is negative, NaN or infinite, or a parameter makes no sense.
        FloatingPointError
            If the factors became NaN or infinite.

        Warns
        -----
        ConvergenceWarning
            If the fit ended before it converged.
        """
        _refuse(X)
        V = validate_data(self, X, **INPUT)
        k = self._components_of(V, W, H)
        result = self._factorize(V, k, init=self._start(V, k, W, H), starts=self.n_init, seed=self._seed())
        self.components_ = result.H
        self.n_components_ = k
        self.reconstruction_err_ = float(np.sqrt(2.0 * max(float(result.divergence), 0.0)))
        self.n_iter_ = int(result.n_iter)
        self._report(result.status)
        return _without_empty(result.W, result.H)

    def transform(self, X: Any) -> np.ndarray:
        """Return the weights of X, the components being held as they are.

        Every sample is a problem of its own: its weights do not depend on what else is in X. Each is carried to
        convergence, with the same penalties as in the fit.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
            Non-negative data.

        Returns
        -------
        ndarray, shape (n_samples, k)
            W, in the precision of X.

        Raises
        ------
        ValueError
            If X is negative, NaN or infinite, or has another number of features than the data of the fit.
        FloatingPointError
            If weights became NaN or infinite.

        Warns
        -----
        ConvergenceWarning
            If some samples ended before they converged.
        """
        check_is_fitted(self)
        _refuse(X)
        X = validate_data(self, X, reset=False, **INPUT)
        if sp.issparse(X):
            X = X.tocsr()  # columns-first cannot be sliced by sample
        H = self.components_.astype(X.dtype, copy=False)
        beta = self._held_beta()
        if beta is not None:
            W, status = weights(X, self.components_, beta, self._penalty(), self._stop())
            self._report(status)
            return _without_empty(W.astype(X.dtype, copy=False), H)
        size = max(1, TRANSFORM_ENTRIES // H.size)
        results = [
            self._factorize(_dense(X[first : first + size])[:, None, :], len(H), init=(None, H), hold="H")
            for first in range(0, X.shape[0], size)
        ]
        self._report(np.concatenate([result.status for result in results]))
        return _without_empty(np.concatenate([result.W[:, 0] for result in results]), H)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Return the data that weights stand for, W H.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, k)
            W.

        Returns
        -------
        ndarray, shape (n_samples, n_features)

        Raises
        ------
        ValueError
            Another number of columns than components.
        """
        check_is_fitted(self)
        W = check_array(X, accept_sparse=INPUT["accept_sparse"], dtype=INPUT["dtype"])
        if W.shape[1] != self.n_components_:
            raise ValueError(f"X has {W.shape[1]} columns, but this NMF has {self.n_components_} components")
        return W @ self.components_

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _factorize(self, V: Any, k: int, **arguments: Any) -> Result:
        return factorize(
            V,
            k,
            loss=self.beta_loss,
            update="hals" if self.solver == "cd" else self.solver,
            penalty=self._penalty(),
            stop=self._stop(),
            device=self.device,
            **arguments,
        )

    def _penalty(self) -> Penalty:
        return Penalty(self.alpha_W, None if self.alpha_H == "same" else self.alpha_H, self.l1_ratio)

    def _stop(self) -> Stop:
        return Stop(tol=self.tol, max_iter=self.max_iter)

    def _held_beta(self) -> float | None:
        # With H held each sample is a small convex problem, which all of these rules solve alike.
        loss, device = as_loss(self.beta_loss), torch.device(self.device or "cpu")
        if not isinstance(loss, BetaDivergence) or not isinstance(self.solver, str) or device.type != "cpu":
            return None
        return loss.beta if self.solver in HELD_RULES.get(loss.beta, ()) else None

    def _components_of(self, V: np.ndarray, W: Any, H: Any) -> int:
        if self.n_components == "auto" and self.init == "custom":
            if H is not None:
                return np.shape(H)[0]
            if W is not None:
                return np.shape(W)[-1]
        return V.shape[1] if self.n_components in (None, "auto") else int(self.n_components)

    def _start(self, V: np.ndarray, k: int, W: Any, H: Any) -> Any:
        if self.init == "custom":
            if W is None and H is None:
                raise ValueError("init='custom' needs a start: pass W, H or both to fit, or choose another init")
            return W, H
        if W is not None or H is not None:
            warnings.warn("W and H are ignored unless init='custom'", RuntimeWarning, stacklevel=4)
        return self.init or ("nndsvda" if k <= min(V.shape) else "random")

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _report(self, status: Any) -> None:
        status = np.atleast_1d(status)
        broken = int((status == Status.NON_FINITE).sum())
        if broken:
            raise FloatingPointError(f"{_number_of(broken, status.size)}: {Status.NON_FINITE.message}")
        for kind in Status:
            count = int((status == kind).sum())
            # tol = 0 asks for a number of iterations and not for convergence
            if count and kind != Status.CONVERGED and self.tol > 0:
                warnings.warn(f"{_number_of(count, status.size)}: {kind.message}", ConvergenceWarning, stacklevel=3)


def _refuse(X: Any) -> None:
    # scikit-learn's checks would take what is masked for data, and know nothing of torch's layouts.
    refuse_masked(X, "X", "fill them, or use nmfcore.factorize with weight=0 where they are missing")
    refuse_sparse(X, "X")


def _dense(X: Any) -> np.ndarray:
    return X.toarray() if sp.issparse(X) else X


def _without_empty(W: np.ndarray, H: np.ndarray) -> np.ndarray:
    # A component without features leaves its weights undetermined, wherever they started; the smallest are zero.
    return np.where(H.any(axis=1), W, W.dtype.type(0))


def _number_of(count: int, total: int) -> str:
    return "the factorisation" if total == 1 else f"{count} of {total} samples"
