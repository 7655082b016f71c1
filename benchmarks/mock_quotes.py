"""What docs/mock.md says of the fair mock and of the family; `quotes.py` asks whether it does, `main` prints it.

Run with: python benchmarks/mock_quotes.py
"""

import json

from record import RESULTS

FORMS = {"r at 50 %": "+.2f", "z at 50 %": "+.2f", "R at 50 %": "+.2f"}
MISSED = ("HE", "E 10 %", "E 50 %", "E 90 %", "r 50 %", "z 50 %", "R 50 %", "peak of e, LE", "peak of e, HE")
NAMES = {"HE": "HE, mass fraction", "peak of e, LE": "eccentricity of LE's peak", "peak of e, HE": "of HE's"}
ALUMINIUM = "[Fe/H] -1.6 to -1.4, AL_FE > -0.05"
SHORT = {"FE_H": "[Fe/H]", "AL_FE": "[Al/Fe]", "MG_FE": "[Mg/Fe]"}


def of_calibration(found):
    """The numbers of the paper's method on the two calibrated mocks, as rows of a table, and two sentences."""
    rows = {row["name"]: row for row in found["rows"]}
    lines = []
    for name in MISSED:
        row = rows[name]
        digits = 3 if name == "HE" else 2
        cells = " | ".join(f"{row[x]:.{digits}f}" for x in ("target", "before", "after"))
        lines.append(f"| {NAMES.get(name, 'crossing, ' + name)} | {cells} |")
    for component in ("HE", "LE"):
        for element, label in SHORT.items():
            three = [rows[f"{component} {element} {q} %"] for q in (10, 50, 90)]
            cells = " | ".join(" / ".join(f"{row[x]:.2f}" for row in three) for x in ("target", "before", "after"))
            lines.append(f"| {component}, {label} at 10 / 50 / 90 % | {cells} |")
    for kind in ("in-situ", "accreted"):
        three = [rows[f"{kind}, E of {q} %"] for q in (10, 50, 90)]
        cells = " | ".join(" / ".join(f"{row[x]:.2f}" for row in three) for x in ("target", "before", "after"))
        lines.append(f"| energies of {kind} giants at 10 / 50 / 90 % | {cells} |")
    row = rows[ALUMINIUM]
    cells = " | ".join(f"{row[x]:.0%}".replace("%", " %") for x in ("target", "before", "after"))
    lines.append(f"| above [Al/Fe] = -0.05 at [Fe/H] from -1.6 to -1.4 | {cells} |")
    lines.append("| true accreted fraction | | " + " | ".join(f"{x:.3f}" for x in found["true_fraction"]) + " |")
    before, after = found["misses"]
    return [*lines, f"misses its {len(rows)} targets by {after:.1f} tolerances rms, the default mock by {before:.1f}"]


def of_family(found):
    """The table of biases, a row per number with the paper's and the recommended analysis, and the ranges."""
    rows = {(r["model"], r["analysis"], r["number"]): r for r in found["rows"]}
    models = list(dict.fromkeys(r["model"] for r in found["rows"]))
    numbers = list(dict.fromkeys(r["number"] for r in found["rows"]))
    lines = ["| fit - truth | " + " | ".join(f"`{model}`" for model in models) + " |"]
    for number in numbers:
        form = FORMS.get(number, "+.3f")
        cells = [
            ", ".join(signed(rows[model, analysis, number]["bias"], form) for analysis in ("paper", "recommended"))
            for model in models
        ]
        lines.append(f"| {number} | " + " | ".join(cells) + " |")
    ends = {(r["analysis"], r["number"]): r for r in found["ranges"]}
    for number in numbers:
        form = FORMS.get(number, "+.3f")
        cells = [f"{signed(r['least'], form)} to {signed(r['greatest'], form)}"
                 for r in (ends[analysis, number] for analysis in ("paper", "recommended"))]  # fmt: skip
        for analysis in ("paper", "recommended"):
            scatter = rows["fair", analysis, number]["scatter"]
            cells.append("none" if scatter is None else format(scatter, form[1:]))
        lines.append(f"| {number} | {' | '.join(cells)} |")
    truths = " | ".join(f"{rows[model, 'paper', 'accreted fraction']['truth']:.3f}" for model in models)
    fitted = [
        " | ".join(f"{rows[model, analysis, 'accreted fraction']['estimate']:.3f}" for model in models)
        for analysis in ("paper", "recommended")
    ]
    return [
        *lines, f"| true accreted fraction | {truths} |", f"| found by the paper's analysis | {fitted[0]} |",
        f"| by the recommended one | {fitted[1]} |",
    ]  # fmt: skip


def signed(x, form):
    return "none" if x is None else format(x, form)


if __name__ == "__main__":
    for name, make in (("calibrate_mock", of_calibration), ("family", of_family)):
        print("\n".join(make(json.loads((RESULTS / f"{name}.json").read_text()))))
