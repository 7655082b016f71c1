"""Time batches of headline-size problems on CPU and GPU in the same run; save the times and what the machine is.

Sparse batches: from stars to converged bootstraps, and multiplicative iterations, by the CUDA kernels, the CPU's and
torch.bmm on the columns that have counts. Dense batches through torch.
"""

import argparse
import json
import pathlib
import sys
import time

import numpy as np
import torch
from machine import provenance

import nmfcore
from nmfcore.bench import mock_stars
from nmfcore.kernels.cuda import devices, launch

# Threads per block and registers per thread that are tried; None leaves the registers to the compiler.
CONFIGURATIONS = [(128, 96), (128, None), (128, 64), (256, 64), (256, 48), (256, None)]


def best(function, rounds=3):
    """Return the least milliseconds of several calls, after one that compiles; the last call's answer too."""
    function()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = function()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times), answer


def bootstraps(stars, device, replicates):
    return nmfcore.bootstrap(stars.rows, stars.columns, stars.shape, replicates=replicates, device=device)


def sparse(replicates, iterations):
    """Return the rows of the table for sparse batches on either device."""
    stars, rows = mock_stars(), []
    m, n = stars.shape
    rng = np.random.default_rng(0)
    start = 0.1 + rng.random((m, 2), dtype=np.float32), 0.1 + rng.random((2, n), dtype=np.float32)
    mu = {"init": start, "update": "mu", "stop": nmfcore.Stop(tol=0, max_iter=iterations)}
    reference = {}
    for device, threads, registers in [("cpu", 0, None), *(("cuda", *pair) for pair in CONFIGURATIONS)]:
        if device == "cuda":
            launch.THREADS, launch.REGISTERS = threads, registers
        rounds = 3 if device == "cuda" else 1
        drawn, counts = best(lambda d=device: bootstraps(stars, d, replicates), rounds)
        fixed, slow = best(lambda c=counts, d=device: nmfcore.factorize(c, 2, device=d, **mu), rounds)
        whole, fast = best(
            lambda d=device: nmfcore.factorize(bootstraps(stars, d, replicates), 2, update="rank2", device=d), rounds
        )
        reference = reference or {"mu": slow.loss, "fast": fast.loss}
        row = {
            "device": device, "threads": threads, "registers": registers, "replicates": replicates,
            "draw_ms": drawn, f"mu_{iterations}_iterations_ms": fixed, "resample_to_converged_ms": whole,
            "median_iterations": float(np.median(fast.n_iter)), "converged": float(fast.converged.mean()),
            "largest_loss_difference": float(np.abs(fast.loss / reference["fast"] - 1).max()),
            "largest_mu_loss_difference": float(np.abs(slow.loss / reference["mu"] - 1).max()),
        }  # fmt: skip
        rows.append(row)
        print(row, flush=True)
    if torch.cuda.is_available():
        pattern = counts.to_host() if counts.on_device else counts
        dense = torch.from_numpy(pattern.to_dense()[:, :, pattern.columns]).cuda()
        W = torch.from_numpy(start[0]).cuda().expand(replicates, -1, -1)
        H = torch.from_numpy(start[1][:, pattern.columns]).cuda().expand(replicates, -1, -1)
        taken, _ = best(lambda: multiply(dense, W, H, iterations))
        rows.append({"device": "cuda, torch.bmm", "replicates": replicates, f"mu_{iterations}_iterations_ms": taken})
        print(rows[-1], flush=True)
    return rows


def multiply(V, W, H, iterations):
    """Multiplicative updates as one writes them with torch."""
    for _ in range(iterations):
        W = W * (V @ H.mT) / (W @ (H @ H.mT)).clamp_min(1e-30)
        H = H * (W.mT @ V) / ((W.mT @ W) @ H).clamp_min(1e-30)
    return W, H


def dense(sizes):
    """Return the rows of the table for dense batches through torch."""
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.3, size=(64, 2)) @ (rng.gamma(0.2, size=(2, 5000)) * (rng.random((2, 5000)) < 0.3))
    mean *= 26294 / mean.sum()
    rows = []
    for B in sizes:
        V = torch.from_numpy(rng.poisson(mean, size=(B, 64, 5000)).astype(np.float32))
        for name, settings in (
            ("mu, 100 iterations", {"update": "mu", "stop": nmfcore.Stop(tol=0, max_iter=100)}),
            ("converged", {}),
        ):
            row = {"what": name, "B": B}
            for device in devices:
                if device == "cpu" and B > 256:
                    continue  # minutes of waiting that say nothing new: the time is linear in B there
                data = V.to(device)
                taken, _ = best(lambda d=data, s=settings: nmfcore.factorize(d, 2, **s))
                row[f"{device}_ms_per_fit"] = taken / B
            rows.append(row)
            print(row, flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1, 16, 256, 1024], help="of the dense batches")
    options = parser.parse_args()
    if not devices.visible_devices("cuda"):
        sys.exit("gpu.py: numba sees no CUDA device; it needs an NVIDIA GPU, its driver, and numba-cuda (nvidia-smi)")
    figures = {"provenance": provenance(), "sparse": sparse(options.replicates, options.iterations)}
    # The sparse figures are kept even if the dense batches do not fit.
    options.output.write_text(json.dumps(figures, indent=1) + "\n")
    figures["dense"] = dense(options.sizes)
    options.output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
