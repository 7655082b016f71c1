"""How far fits are from the optimum of their basin when they stop: a table over losses, k and rules, saved as JSON.

Each case is iterated up to max_iter, and every candidate test notes where it would have stopped; "engine" is the test
of factorize() itself. From there L-BFGS-B (SciPy; zeros lifted a little, so that it can move them) goes to the optimum,
and the differences in the components' fractions of the mass and in the loss are the gaps.

Run with: python benchmarks/stopping.py [--max-iter 10000] [--no-mock]
"""

import argparse
import json
import pathlib
import platform
import subprocess
import tempfile
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize

from halonmf.halo.fits.settings import FitSettings
from halonmf.halo.io.provenance import provenance
from halonmf.halo.mixtures.counts import mix
from halonmf.halo.mock import survey as mock
from halonmf.halo.stars.selection import choose
from halonmf.halo.survey.prepare import prepare
from nmfcore import HALS, Factors, MultiplicativeUpdate, Status, Stop
from nmfcore.bench import dense_counts, mock_stars
from nmfcore.initialise import start_factors
from nmfcore.optimality import kkt_residual, missing_mass, unit_sum
from nmfcore.problem import build_problem
from nmfcore.stopping import PENDING, Change

RESULTS = pathlib.Path(__file__).parent / "results" / "stopping.json"
TOL = 1e-5
EVERY = 10
RULES = {"mu": MultiplicativeUpdate(), "hals": HALS()}
CASES = [
    *((beta, k, "mu", "nndsvda") for beta in (1.0, 1.5, 2.0, 3.0) for k in (2, 4)),
    *((2.0, k, "hals", "nndsvda") for k in (2, 4)),
]
OTHER_STARTS = [
    *((beta, 2, "mu", init) for beta in (1.0, 2.0) for init in ("nndsvd", "nndsvdar", "random")),
    (2.0, 2, "hals", "nndsvd"),
]


@dataclass(frozen=True)
class Point:
    """Where an iteration stands at a check."""

    n_iter: int
    factors: Factors
    distance: float
    kkt: float
    growing: float
    locked: float


# Each candidate asks that the estimated distance be at most TOL, and more.
TESTS = {
    "distance alone": lambda p: True,
    "KKT residual <= 100 tol": lambda p: p.kkt <= 100 * TOL,
    "missing mass <= 10 tol": lambda p: p.growing + p.locked <= 10 * TOL,
    "missing mass <= tol": lambda p: p.growing + p.locked <= TOL,
}


def problems(with_mock):
    V = dense_counts(mock_stars())
    V = V[:, V.any(axis=0)]  # empty pixels cost time and change nothing
    yield "headline", V
    yield "headline, every second pixel", V[:, ::2]
    if with_mock:
        with tempfile.TemporaryDirectory() as folder:
            paths = mock.make(folder, n_stars=60_000, seed=1)
            table = prepare(paths.allstar, paths.astronn, paths.members).table
        settings = FitSettings.of(device="cpu")
        V = mix(choose(table, settings.selection)[0], settings.axes, settings.chemistry).V
        yield "mock", V[:, V.any(axis=0)]


def first_stops(problem, k, rule, init, max_iter):
    """Return, by test, the status and the point at which it first passes, or where max_iter ended it."""
    factors = start_factors(problem, k, init, seed=0)
    change, engine = Change(TOL, factors), Stop(tol=TOL).criterion_for(problem, factors)
    found = {}
    for n_iter in range(1, max_iter + 1):
        factors = RULES[rule](problem, factors)
        if n_iter % EVERY:
            continue
        distance = float(change.distance(factors))
        verdict = int(engine.verdict(problem, factors, torch.ones(1, dtype=torch.bool)))
        last = n_iter == max_iter
        if distance > TOL and not last:
            continue
        growing, locked = (float(x) for x in missing_mass(problem, factors))
        point = Point(n_iter, factors, distance, float(kkt_residual(problem, factors)), growing, locked)
        statuses = {name: 0 if distance <= TOL and passes(point) else PENDING for name, passes in TESTS.items()}
        for name, status in (statuses | {"engine": verdict}).items():
            if name not in found and (last or status != PENDING):
                found[name] = Status.MAX_ITER if status == PENDING else Status(status), point
        if len(found) == len(TESTS) + 1:
            break
    return found


def optimum(problem, factors):
    """Return the factors at the optimum near `factors`, found by SciPy's L-BFGS-B."""
    W, H = unit_sum(factors)
    balance = (W.amax() / H.amax()).sqrt()
    W, H = W / balance, H * balance
    start = [torch.where(x == 0, 1e-3 * x.amax(), x) for x in (W, H)]
    size = float(problem.divergence(factors))

    def unpack(x):
        W, H = np.split(x, [start[0].numel()])
        return Factors(torch.from_numpy(W).reshape(start[0].shape), torch.from_numpy(H).reshape(start[1].shape))

    def objective(x):
        W, H = unpack(x)
        down, up = problem.loss.split(problem.V, W @ H)
        slope = up - down
        gradient = torch.cat([(slope @ H.mT).reshape(-1), (W.mT @ slope).reshape(-1)])
        return float(problem.divergence(Factors(W, H))) / size, gradient.numpy() / size

    found = minimize(
        objective,
        torch.cat([x.reshape(-1) for x in start]).numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * sum(x.numel() for x in start),
        options={"maxiter": 10_000, "maxfun": 20_000, "ftol": 1e-16, "gtol": 1e-12, "maxcor": 30},
    )
    return unpack(found.x)


def fractions(factors):
    mass = factors.W.sum(-2) * factors.H.sum(-1)
    return (mass / mass.sum(-1, keepdim=True))[0].numpy()


def gaps(problem, factors):
    """Return (gap in fractions, relative gap in loss) between `factors` and the optimum near them."""
    best = optimum(problem, factors)
    at, there = (float(problem.divergence(x)) for x in (factors, best))
    return float(np.abs(fractions(factors) - fractions(best)).max()), at / there - 1


def measure(name, V, case, max_iter):
    """Return the rows of one case: one per candidate test, and the engine's own answer."""
    beta, k, rule, init = case
    problem = build_problem(V, loss=beta)
    base = {"problem": name, "beta": beta, "k": k, "rule": rule, "init": init}
    rows, known = [], {}
    for test, (status, point) in first_stops(problem, k, rule, init, max_iter).items():
        if point.n_iter not in known:
            known[point.n_iter] = gaps(problem, point.factors)
        fraction, loss = known[point.n_iter]
        rows.append(
            base
            | {"test": test, "n_iter": point.n_iter, "status": status.name}
            | {"kkt": point.kkt, "growing": point.growing, "locked": point.locked}
            | {"fraction_gap": fraction, "loss_gap": loss}
        )
    return rows


def worst(rows):
    """Return, for each candidate test, how many cases pass it and the largest gap among those."""
    table = {}
    for test in (*TESTS, "engine"):
        passed = [r for r in rows if r["test"] == test and r["status"] == "CONVERGED"]
        table[test] = {
            "passed": len(passed),
            "of": sum(r["test"] == test for r in rows),
            "median_n_iter": int(np.median([r["n_iter"] for r in passed])) if passed else None,
            "largest_fraction_gap": max((r["fraction_gap"] for r in passed), default=None),
            "largest_loss_gap": max((r["loss_gap"] for r in passed), default=None),
        }
    return table


def commit():
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, cwd=RESULTS.parent, check=False).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max-iter", type=int, default=10_000)
    parser.add_argument("--mock", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, V in problems(options.mock):
        for case in CASES + (OTHER_STARTS if name == "headline" else []):
            rows += measure(name, V, case, options.max_iter)
            last = next(r for r in reversed(rows) if r["test"] == "engine")
            print(
                f"{name:30s} beta {case[0]:.1f} k {case[1]} {case[2]:4s} {case[3]:8s} {last['status']:9s} "
                f"{last['n_iter']:6d} kkt {last['kkt']:.1e} missing {last['growing']:.1e} + {last['locked']:.1e} "
                f"gaps: fractions {last['fraction_gap']:.1e}, loss {last['loss_gap']:.1e}",
                flush=True,
            )
    table = worst(rows)
    print(json.dumps(table, indent=1))
    machine = {"system": platform.system(), "machine": platform.machine(), "threads": 1, "commit": commit()}
    record = provenance("stopping", {"tol": TOL, "max_iter": options.max_iter}, seeds=[0, 1], device="cpu")
    options.output.parent.mkdir(exist_ok=True)
    output = {"worst": table, "rows": rows, "machine": machine, "provenance": record}
    options.output.write_text(json.dumps(output, indent=1) + "\n")


if __name__ == "__main__":
    main()
