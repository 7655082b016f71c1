"""Kill real ensembles at random, go on with them, and compare what they end in with an uninterrupted run.

200 batches of the default mock, killed by SIGKILL 30 times, a fifth of them at any moment from the start of the process
and the rest after a random number of further batches; and the same ensemble on two dask workers of which three are
killed. Takes about five minutes.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
from record import RESULTS, save

from halonmf.halo.ensembles.run import BATCHES, open_run
from halonmf.halo.ensembles.summary import summarise

CODE = "from halonmf.cli import main; main()"


def halonmf(*arguments):
    return [sys.executable, "-c", CODE, *map(str, arguments)]


def ok(*arguments):
    subprocess.run(halonmf(*arguments), check=True, capture_output=True)


def there(folder):
    return len(list((folder / BATCHES).glob("*.h5"))) if folder.exists() else 0


def kill_at_random(command, folder, kills, rng):
    """Start, kill and start again; the number of batches at each kill."""
    counts = []
    while len(counts) < kills:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        began, before = time.monotonic(), there(folder)
        if rng.random() < 0.2:
            enough, patience = 10**9, rng.uniform(0, 6)
        else:
            enough, patience = rng.randint(0, 11), 1e9
        while process.poll() is None and there(folder) - before < enough and time.monotonic() - began < patience:
            time.sleep(0.0005)
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        said = process.communicate()[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, said
        counts.append(there(folder))
    subprocess.run(command, check=True, capture_output=True)
    return counts


def kill_workers(command, folder, kills):
    """Run on two workers of a local cluster, killing one now and then; the number of batches at each kill."""
    import distributed

    counts = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:

        def kill():
            with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
                for i in range(kills):
                    while there(folder) < 20 + 50 * i:
                        time.sleep(0.01)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
                        counts.append(there(folder))

        thread = threading.Thread(target=kill)
        thread.start()
        subprocess.run([*command, "--scheduler", cluster.scheduler_address], check=True, capture_output=True)
        thread.join()
    return counts


def same(folder, whole):
    """Whether two runs have the same files, and the same summary."""
    files = {path.name: path.read_bytes() for path in (whole / BATCHES).iterdir()}
    equal = files == {path.name: path.read_bytes() for path in (folder / BATCHES).iterdir()}
    a, b = (summarise(open_run(path)).parts[0].statistics for path in (folder, whole))
    return equal, a.keys() == b.keys() and all(np.array_equal(a[name], b[name], equal_nan=True) for name in a)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--workers", type=int, default=3, help="workers to kill")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "kills.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ok("mock", folder / "mock", "-q")
        ok("prepare", *folder.glob("mock/allStar*"), *folder.glob("mock/apogee_*"), "-o", folder / "stars.fits", "-q")
        choices = ["--bootstrap", options.batches * options.batch, "--batch", options.batch, "--device", "cpu"]
        choices += ["--no-figures", "-q", "--resume"]

        def run(target):
            return halonmf("ensemble", folder / "stars.fits", "-o", folder / target, *choices)

        subprocess.run(run("whole"), check=True, capture_output=True)
        killed = kill_at_random(run("killed"), folder / "killed", options.kills, random.Random(options.seed))
        print(f"{len(killed)} kills, at {killed} batches", flush=True)
        figures = {"batches": options.batches, "kills": len(killed), "batches_at_kills": killed}
        figures["same_files"], figures["same_summary"] = same(folder / "killed", folder / "whole")
        print(f"same files {figures['same_files']}, same summary {figures['same_summary']}", flush=True)
        at = kill_workers(run("workers"), folder / "workers", options.workers)
        print(f"{len(at)} workers killed, at {at} batches", flush=True)
        figures |= {"workers_killed": len(at), "batches_at_worker_kills": at}
        figures["same_files_workers"], figures["same_summary_workers"] = same(folder / "workers", folder / "whole")
        print(f"same files {figures['same_files_workers']}, same summary {figures['same_summary_workers']}", flush=True)
        figures["manifest_complete"] = json.loads((folder / "killed" / "manifest.json").read_text())["complete"]
        settings = {"batch": options.batch, "stars": 60_000}
        save(options.output, figures, "benchmarks/kills.py", settings, seeds=[options.seed], device="cpu")


if __name__ == "__main__":
    main()
