"""Hold a run of the benchmarks to the saved one: counters exactly, ratios to the peer within 30 %.

python benchmarks/compare.py RUN.json          what `make bench-compare` does; ends with 1 where something got worse
python benchmarks/compare.py RUN.json --save   make the run the saved one, benchmarks/results/engine.json

RUN.json is what pytest-benchmark writes. Seconds are never compared: only ratios to a peer timed in the same run, by
the clock and by the processor. Worse is what is worse by both: other work on the machine lengthens the clock's seconds.
"""

import argparse
import json
import math
import pathlib
import sys

from record import RESULTS, save

SAVED = RESULTS / "engine.json"
MARGIN = 0.30
# Losses are sums of float64 over replicates; the order in which a processor adds must not matter.
LOSS = 1e-9


def read(path):
    """Return what is kept of pytest-benchmark's file: counters, ratio and microseconds per fit, by name."""
    rows = {}
    for one in json.loads(pathlib.Path(path).read_text())["benchmarks"]:
        if "ratio" in one["extra_info"]:
            rows[one["name"]] = one["extra_info"]
    return rows


def differs(name, saved, new):
    """Whether a counter changed."""
    if new is None:
        return True
    return not math.isclose(saved, new, rel_tol=LOSS, abs_tol=0) if name == "loss" else saved != new


def compare(saved, new):
    """Return (failures, notes), each rows of (benchmark, what, saved, now)."""
    failures, notes = [], []
    for name, old in saved.items():
        if name not in new:
            (notes if old.get("slow") else failures).append((name, "not run", "", ""))
            continue
        now = new[name]
        for counter, value in old["counters"].items():
            found = now["counters"].get(counter)
            if differs(counter, value, found):
                failures.append((name, counter, value, found))
        for counter in sorted(now["counters"].keys() - old["counters"].keys()):
            notes.append((name, f"{counter}, not saved yet", "", now["counters"][counter]))
        # runs saved before the processor's ratio was kept have the clock's alone
        change = max(now[x] / old[x] for x in ("ratio", "cpu_ratio") if x in old and x in now)
        if change < 1 - MARGIN:
            failures.append((name, f"ratio to {old['peer']}", f"{old['ratio']:.2f}", f"{now['ratio']:.2f}"))
        elif change > 1 + MARGIN:
            notes.append((name, f"faster: ratio to {old['peer']}", f"{old['ratio']:.2f}", f"{now['ratio']:.2f}"))
    notes += [(name, "not saved yet", "", "") for name in new if name not in saved]
    return failures, notes


def table(rows):
    """Return rows as aligned text."""
    cells = [("benchmark", "what", "saved", "now"), *(tuple(str(x) for x in row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(4)]
    return "\n".join("  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=pathlib.Path, help="what pytest --benchmark-json wrote")
    parser.add_argument("--saved", type=pathlib.Path, default=SAVED)
    parser.add_argument("--save", action="store_true", help="save the run instead of comparing it")
    options = parser.parse_args(arguments)
    new = read(options.run)
    if not new:
        sys.exit(f"{options.run}: holds no benchmark with a ratio")
    if options.save:
        settings = {"margin": MARGIN, "loss": LOSS}
        save(options.saved, {"benchmarks": new}, "benchmarks/compare.py", settings, device="cpu")
        return 0
    failures, notes = compare(json.loads(options.saved.read_text())["benchmarks"], new)
    for title, rows in (("better or new, or not run", notes), ("WORSE OR DIFFERENT", failures)):
        if rows:
            print(f"{title}\n{table(rows)}\n")
    print(f"{len(new)} benchmarks, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
