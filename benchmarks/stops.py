"""Stop commands at random, by SIGKILL, SIGTERM and SIGINT, and compare what they end in with uninterrupted runs.

An ensemble goes on where it was (--resume); a search and the whole paper begin again (--overwrite). Each command is
stopped at moments drawn evenly from the time that an uninterrupted run takes (an ensemble, from a third of that). After
each stop every file that has its final name must be one of the uninterrupted run, bit for bit, and a signal must leave
no temporary file. After the last stop the command runs to its end, and all its files must be those of the uninterrupted
run. SOURCE_DATE_EPOCH gives all of them one time. Takes about twenty minutes on an idle machine.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time

from kills import halonmf, ok
from record import RESULTS, save

CODES = {signal.SIGKILL: (-9,), signal.SIGTERM: (75, -15), signal.SIGINT: (130, -2, 1)}
"""Exit codes of a stop; the second is that of a process which has not set its handlers yet, the third of an import."""
EPOCH = "1700000000"


def commands(stars):
    """What is stopped: by name, the options before and after the output, and those with which it goes on."""
    small = ["--pixels", 12, "--bins", "E:4,Lz:4"]
    return {
        "ensemble": (["ensemble", stars, "-o"], ["--bootstrap", 1600, "--batch", 16, "--no-figures", "-q"], "--resume"),
        "search": (["search", stars, "-o"], ["--draws", 40, *small, "-q"], "--overwrite"),
        "paper": (["paper"], ["--stars", stars, "--bootstrap", 0, "--draws", 0, "-q"], "--overwrite"),
    }


def contents(folder):
    """Every result with its final name, and the names of temporary ones; what is kept of unfinished work is none."""
    paths = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.parent.name != "claims"
        and path.parent.suffix != ".partial"
        and path.suffix != ".lock"  # a killed process leaves one, and whoever goes on removes it
    ]
    final = {str(path.relative_to(folder)): path for path in paths if not path.name.endswith(".tmp")}
    return final, [path.name for path in paths if path.name.endswith(".tmp")]


def differing(folder, whole):
    """The names of files that are not those of an uninterrupted run."""
    ended = {n: path.read_bytes() for n, path in contents(folder)[0].items()}
    return sorted(n for n in whole.keys() | ended.keys() if whole.get(n) != ended.get(n))


def target(name, folder):
    return folder / "search.ecsv" if name == "search" else folder / "out"


def stop_at(command, signals, seconds, rng, folder, whole):
    """Start and stop a command once for each signal; what was not as it should be, and what the codes were."""
    wrong, codes, waiting = [], collections.Counter(), list(signals)
    while waiting:
        one, began = waiting[-1], time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            process.wait(rng.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(one)
        said = process.communicate(timeout=300)[1]
        codes[f"{one.name} {process.returncode}"] += 1
        if process.returncode == 0:  # it came to its end first: compared, and begun once more
            seconds = min(seconds, time.monotonic() - began)
            wrong += [f"{n} differs at an end" for n in differing(folder, whole)]
            shutil.rmtree(folder)
            folder.mkdir()
            continue
        waiting.pop()
        if process.returncode not in CODES[one]:
            wrong.append(f"{one.name}: exit code {process.returncode}: {said[-300:]}")
        there, left = contents(folder)
        # what is made from all batches changes as they come: it is compared at the end
        made = [n for n in there if n not in ("out/manifest.json", "out/verdict.json") and "summary" not in n]
        wrong += [f"{n} is none of the whole run" for n in made if n not in whole]
        wrong += [
            f"{n} is another than in the whole run" for n in made if n in whole and there[n].read_bytes() != whole[n]
        ]
        if left and one != signal.SIGKILL and process.returncode in (75, 130):
            wrong.append(f"{one.name}: temporary files are left: {left[:2]}")
        for path in folder.rglob(".*.tmp"):
            if one == signal.SIGKILL:
                path.unlink()  # so that those of a later signal are seen; a run removes its own
    return wrong, codes


def compare(name, options, rng, folder, stars):
    before, after, again = commands(stars)[name]
    alone, stopped = folder / f"{name}-alone", folder / f"{name}-stopped"
    for path in (alone, stopped):
        path.mkdir()
    began = time.monotonic()
    subprocess.run(halonmf(*before, target(name, alone), *after), check=True, capture_output=True)
    seconds = time.monotonic() - began
    whole = {n: path.read_bytes() for n, path in contents(alone)[0].items()}
    command = halonmf(*before, target(name, stopped), *after, again)
    kinds = [signal.SIGKILL] * options.kills[name]
    kinds += [(signal.SIGTERM, signal.SIGINT)[i % 2] for i in range(options.signals[name])]
    rng.shuffle(kinds)
    # an ensemble is further each time; the others begin again
    wrong, codes = stop_at(command, kinds, seconds * (0.3 if name == "ensemble" else 1.0), rng, stopped, whole)
    subprocess.run(command, check=True, capture_output=True)
    different = differing(stopped, whole)
    print(name, f"{seconds:.0f} s", dict(codes), wrong[:5], different[:5], flush=True)
    return {
        "command": name,
        "seconds": seconds,
        "kills": options.kills[name],
        "signals": options.signals[name],
        "files": len(whole),
        "exits": dict(sorted(codes.items())),
        "wrong": wrong,
        "different": different,
    }


def numbers(text):
    return {name: int(n) for name, n in (each.split(":") for each in text.split(","))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=numbers, default=numbers("ensemble:36,search:16,paper:8"))
    parser.add_argument("--signals", type=numbers, default=numbers("ensemble:36,search:16,paper:8"))
    parser.add_argument("--stars", type=int, default=6000, help="rows of the mock survey")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "stops.json")
    options = parser.parse_args()
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ok("mock", folder / "mock", "--stars", options.stars, "-q")
        stars = folder / "stars.fits"
        ok("prepare", *folder.glob("mock/allStar*"), *folder.glob("mock/apogee_*"), "-o", stars, "-q")
        rows = [compare(each, options, rng, folder, stars) for each in options.kills]
    figures = {"rows": rows}
    figures |= {kind: sum(row[kind] for row in rows) for kind in ("kills", "signals")}
    figures["same"] = not any(row["wrong"] or row["different"] for row in rows)
    print(json.dumps({name: figures[name] for name in ("kills", "signals", "same")}))
    save(options.output, figures, "benchmarks/stops.py", {"stars": options.stars}, seeds=[options.seed], device="cpu")


if __name__ == "__main__":
    main()
