"""The easy door to ensembles: plan one, choose what computes it, and compute what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..fits.engine import device_count
from ..stars.catalogue import Catalogue
from .judged import judge
from .plan import Plan
from .runner import Outcome, check
from .runner import ensemble as compute
from .settings import Cluster, RunOptions
from .sweeps import Sweep


def ensemble(
    stars: str | Path | Catalogue,
    folder: str | Path,
    plan: Plan | None = None,
    *,
    bootstrap: int | None = None,
    sweep: str | Sweep | Sequence[str | Sweep] | None = None,
    options: RunOptions | None = None,
    cluster: Cluster | None = None,
    **choices: Any,
) -> Outcome:
    """Compute an ensemble of fits, or what is missing of it, and keep it in a folder.

    Of a complete one the base configuration, that which the others vary, is judged too; see `Fit.verdict`. All GPUs of
    this machine share the work where the fits run on GPUs; a dask cluster does where one is given.

    Parameters
    ----------
    stars : path or Catalogue
        Prepared catalogue; one in memory must have been read from a file, whose content names the run.
    folder : path
        For the run; made where there is none.
    plan : Plan, optional
        What to compute. Without it the plan is ``Plan.of(bootstrap=bootstrap, sweep=sweep, **choices)``.
    bootstrap : int, optional
        Number of resampled fits of every configuration.
    sweep : str, Sweep or sequence of them, optional
        Axes along which the configuration is varied, such as ``"pixels=10:60:10"``.
    options : RunOptions, optional
        What becomes of an earlier run, which part to compute, number of threads, whom to tell.
    cluster : Cluster, optional
        A dask scheduler whose workers compute.
    **choices
        Further arguments of `Plan.of`.

    Returns
    -------
    Outcome

    Raises
    ------
    UsageError
        Settings that make no sense, or other ones than those of the run that is there; a plan together with choices.
    InputError
        No prepared catalogue; a run of another layout.
    OutputError
        The folder holds something else, is in use, or cannot be written.

    Examples
    --------
    >>> from halonmf import halo
    >>> outcome = halo.ensemble("stars.fits", "run", bootstrap=100, sweep="pixels=10:60:10")  # doctest: +SKIP
    >>> print(halo.summarise("run").describe())  # doctest: +SKIP
    """
    asked = {name: x for name, x in (("bootstrap", bootstrap), ("sweep", sweep)) if x is not None} | choices
    if plan is None:
        plan = Plan.of(**asked)
    elif asked:
        raise UsageError(f"give a plan or {', '.join(asked)}, not both; the plan has them already.")
    options = options or RunOptions()
    source, folder = _file(stars), Path(folder)
    check(plan)
    outcome = _computed(source, folder, plan, options, cluster)
    if outcome.run.complete:
        judge(outcome.run, source)
    return outcome


def _computed(source: Path, folder: Path, plan: Plan, options: RunOptions, cluster: Cluster | None) -> Outcome:
    if cluster is not None:
        if options.shard or options.threads:
            raise UsageError("--scheduler goes with neither --shard nor --threads: its workers share the work.")
        from .cluster import connected

        with connected(cluster.address, cluster.file) as executor:
            return compute(source, folder, plan, options, executor=executor)
    number = device_count(plan.base.fit.solver.device)
    if number > 1 and not options.shard:
        from .gpus import side_by_side

        return side_by_side(source, folder, plan, number, options)
    return compute(source, folder, plan, options)


def _file(stars: str | Path | Catalogue) -> Path:
    if isinstance(stars, str | Path):
        return Path(stars)
    if isinstance(stars, Catalogue) and stars.path is not None:
        return stars.path
    raise UsageError("an ensemble is made from a file of prepared stars; write them first and give its path.")
