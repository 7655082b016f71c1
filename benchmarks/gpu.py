"""Time batches of headline-size problems on CPU and GPU in the same run; save the times and what the machine is."""

import argparse
import datetime
import json
import pathlib
import platform
import subprocess
import time

import numpy as np
import torch

import nmfcore


def best(function, device, rounds=3):
    function()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 16, 256, 1024])
    options = parser.parse_args()
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.3, size=(64, 2)) @ (rng.gamma(0.2, size=(2, 5000)) * (rng.random((2, 5000)) < 0.3))
    mean *= 26294 / mean.sum()
    rows = []
    for B in options.sizes:
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
                row[f"{device}_ms_per_fit"] = (
                    1e3 / B * best(lambda d=data, s=settings: nmfcore.factorize(d, 2, **s), device)
                )
            rows.append(row)
            print(row)
    machine = {
        "processor": platform.processor() or platform.machine(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    options.output.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
