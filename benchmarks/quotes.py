"""What the documents say of the results, in the words that they must say it: prints what is not there.

Run with: python benchmarks/quotes.py
"""

import json

import galaxies
import missing as missing_abundances
import numpy as np
import reading
import selection
import sensitivity
import transfer
import verdict
from mock_quotes import of_calibration, of_family
from record import RESULTS, ROOT

POPULATIONS = {"chemically-pure": 3, "kinematically-pure": 2}
"""Populations of the mock's selections."""
WORDS = dict(enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]))


def load(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def span(numbers, form):
    low, high = (format(x, form) for x in (min(numbers), max(numbers)))
    return low if low == high else f"{low} to {high}"


def cost(step):
    return f"{step['cpu_seconds']:.0f} s and {step['peak_bytes'] / 1e9:.1f} GB"


def of_recovery(found):
    """The account of the mock in docs/limits.md."""
    rows = found["rows"]
    biases = [row["fraction"] - row["true_fraction"] for row in rows]
    unexplained = [abs(row["fraction"] - row["noise_free_fraction"]) for row in rows]
    late = [(row["true_crossing"][0] - row["crossing"][0]) / 1e5 for row in rows]
    # the lowest crossing: the floor of HE makes several
    early = [(s["true_crossings_E"]["0.1"][0] - s["crossings_E"]["0.1"][0]) / 1e5 for s in found["samples"]]
    return [
        f"{span(biases, '.3f')} above the true accreted fraction",
        f"predicts it to {max(unexplained):.3f}",
        f"off by {span([row['rms'] for row in rows], '.3f')} rms",
        f"off by {span([row['rms_after_bias'] for row in rows], '.3f')} once",
        f"is found {span(late, '.3f')}e5 km2/s2 too low",
        f"10 % {span(early, '.2f')}e5 too low",
    ]


def of_transcript(found):
    """The transcript of the demonstration at the top of the README."""
    first = found["rows"][0]
    crossing, true_crossing = (first[name][0] for name in ("crossing", "true_crossing"))
    return [
        f"{found['samples'][0]['n_clean']:,} stars; {first['n_stars']:,} chemically pure",
        f"LE {1 - first['fraction']:.2%}, HE {first['fraction']:.2%}; true".replace("%", " %"),
        f"true accreted fraction {first['true_fraction']:.1%}".replace("%", " %"),
        f"50 % at {crossing / 1e5:.3f}e5 km2/s2; in truth at {true_crossing / 1e5:.3f}e5 km2/s2",
    ]


def of_kills(found):
    """The page on ensembles: runs that were killed."""
    assert all(found[name] for name in found if name.startswith("same_"))
    return [
        f"a run of {found['batches']} batches that is killed {found['kills']} times, "
        f"and one on a cluster of which {found['workers_killed']} workers are killed, end in the same files",
    ]


def of_mock(found, made):
    """The table of docs/mock.md and what stands around it."""
    samples = [*found["samples"], made["sample"]]
    paper = {"n_chemically_pure": "13,147", "true_fraction": "0.335", "n_kinematically_pure": "5,387"}

    def crossing(sample, at):
        return f"{sample['true_crossings_E'][at][0] / 1e5:.3f}"

    def row(title, cells, last):
        return " | ".join([f"| {title}", *cells, last]).rstrip() + " |"

    halves = {name: span([s["true_halves"][name][0] for s in found["samples"]], ".1f") for name in ("r", "z", "R")}
    steps = made["steps"]
    return [
        row("stars passing every quality cut", [f"{s['n_clean']:,}" for s in samples], ""),
        row("chemically pure", [f"{s['n_chemically_pure']:,}" for s in samples], paper["n_chemically_pure"]),
        row("true accreted fraction", [f"{s['true_fraction']:.3f}" for s in samples], paper["true_fraction"]),
        row("true crossing at 50 % [1e5 km2/s2]", [crossing(s, "0.5") for s in samples], "-1.67"),
        row("at 10 % and 90 %", [f"{crossing(s, '0.1')}, {crossing(s, '0.9')}" for s in samples], "-1.84, -1.56"),
        row("kinematically pure", [f"{s['n_kinematically_pure']:,}" for s in samples], paper["n_kinematically_pure"]),
        f"r = {halves['r']}, |z| = {halves['z']} and R = {halves['R']} kpc",
        f"{span([s['n_disc'] for s in found['samples']], 'd')} stars of it are disc stars, "
        f"{made['sample']['n_disc']} in the full mock",
        f"60,000 rows take {cost(steps['default_mock'])} on",
        f"{cost(steps['full_mock'])};",
        f"of 20 surveys {steps['expected_20']['cpu_seconds']:.0f} s",
    ]


def of_orbits(found):
    """The tables of docs/orbits.md."""
    fudge, orbit, galpy = found["rows"]
    speeds, ratios = found["speeds"], found["ratios"]

    def action(name):
        cells = [f"{row[f'{name}_median']:.3%}, {row[f'{name}_max']:.1%}".replace("%", " %") for row in (fudge, galpy)]
        return f"{cells[0]} | {cells[1]} | 0.3 % median |"

    def eccentricity(row):
        return f"{row['ecc_rms']:.3f}, {row['ecc_median']:.3f}"

    return [
        f"on {found['n_orbits']:,} synthetic orbits",
        f"| {fudge['E_max']:.1f}, {fudge['E_rms']:.1f} km2/s2 | same potential | 50, 20 |",
        action("J_r"),
        action("J_z"),
        f"| {eccentricity(fudge)} | {eccentricity(galpy)} | 0.06, 0.01 |",
        f"| {orbit['ecc_rms']:.3f} | the same code | 0.02 |",
        f"| {fudge['other_side_of_0.7']}, {orbit['other_side_of_0.7']} | {galpy['other_side_of_0.7']} |",
        f"offset of {-fudge['E_median']:.0f} km2/s2 with a scatter of {fudge['E_std']:.0f}",
        f"{speeds['builtin_staeckel_ms_per_star']:.3f} ms a star",
        f"`orbit` {ratios['orbit_over_staeckel']:.0f} times as long",
        f"{ratios['galpy_over_builtin_staeckel']:.1f} times as long a star",
        f"{speeds['builtin_start_s']:.1f} s to start, galpy's {speeds['galpy_start_s']:.1f} s",
    ]


def of_decisions(found):
    """The comparison with galpy in ARCHITECTURE.md."""
    galpy, ratios = found["rows"][2], found["ratios"]
    return [
        f"takes {ratios['galpy_over_builtin_start']:.0f} times as long to build",
        f"by {galpy['J_r_median']:.2%} in the median".replace("%", " %"),
        f"by {galpy['J_r_max']:.0%} at worst".replace("%", " %"),
        f"{ratios['galpy_over_builtin_J_r_median']:.1f} times closer to AGAMA's",
    ]


def of_stopping(found):
    """The table of docs/engine.md of tests of convergence."""
    titles = {
        "distance alone": "nothing",
        "KKT residual <= 100 tol": "KKT residual <= 100 tol",
        "missing mass <= 10 tol": "missing mass <= 10 tol",
        "missing mass <= tol": "missing mass <= tol (used)",
    }
    worst = {name: found["worst"][name] for name in titles}
    return [
        f"It takes {worst['distance alone']['of']} cases",
        *(f"| {titles[name]} | {one['passed']} | {one['largest_fraction_gap']:.0e} |".replace("e-0", "e-")
          for name, one in worst.items()),
    ]  # fmt: skip


def of_convergence(found):
    """The sentence of ARCHITECTURE.md on them."""
    used, kkt = (
        found["worst"][name]["largest_fraction_gap"] for name in ("missing mass <= tol", "KKT residual <= 100 tol")
    )
    said = f"error of a fraction is {used:.0e}, with the KKT residual at 100 tol in its place {kkt:.0e}"
    return [said.replace("e-0", "e-")]


def of_surveys(found):
    """What docs/surveys.md says of DR19 at full size, and of one mock in three layouts."""
    large, off = found["large"], found["largest_differences"]
    sizes = " and ".join(f"{size / 1e6:.0f}" for size in large["bytes"])
    fractions, crossings = ([off[f"{name} {x}"] for name in ("mwm-dr19", "galah-dr4")] for x in ("HE", "crossing"))
    return [
        f"({large['rows']:,} rows and every column of the data model, within gzip: {sizes} MB, from a mock)",
        f"{large['prepare']['seconds']:.0f} s on one thread and {large['prepare']['peak_bytes'] / 1e9:.1f} GB",
        f"orbits of the {large['stars']:,} stars that pass; unpacking alone takes {large['unpack']['seconds']:.0f} s",
        f"differs by at most {fractions[0]:.4f} (`mwm-dr19`) and {fractions[1]:.4f} (`galah-dr4`)",
        f"in energy by at most {crossings[0]:.0f} and {crossings[1]:.0f} km2/s2",
    ]


def of_prepare(made):
    """How long docs/speed.md says that a survey takes."""
    step = made["steps"]["prepare"]
    return [
        f"{cost(step)} for the {made['rows']:,} rows",
        f"{made['ratio_to_reading']:.0f} times as long as astropy",
    ]


def of_giants(found):
    """Where docs/limits.md says that real giants turn accreted."""
    at = [row["at"][0] for row in found["rows"]]
    low, high = (f"{x / 1e5:.2f}e5" for x in (min(at), max(at)))
    pixels = [row["pixels"] for row in found["rows"]]
    return [
        f"Of {found['n_stars']:,} real giants the {found['n_retrograde']} retrograde",
        f"between {low} and {high} km2/s2 for {min(pixels)} to {max(pixels)} pixels",
    ]


def of_populations(found):
    """What docs/populations.md says of stability, streams and sub-populations on the mock."""
    injection, made = found["injection"], found["populations"]
    purity, distance, true = made["purity"], made["distance"], made["true_J_r"]
    shares = [f"{purity[name]:.0%}".replace("%", " %") for name in ("Eos", "Splash", "Aurora", "GS/E")]
    rich, poor = true["Eos (Mg-rich)"][0], true["Eos (Mg-poor)"][0]
    above, below = made["J_r"]["above"][0], made["J_r"]["below"][0]
    rows = [
        f"{kind} {row['fits']} {row['converged']} {row['least_cosine']:.6f} " + " ".join(f"{x:.4f}" for x in row["std"])
        for kind, row in found["stability"].items()
    ]
    choices = found["choices"]
    medians = {name: " and ".join(f"{x:.0f}" for x in pair) for name, pair in choices["J_r_medians"].items()}
    moved, wide = choices["nearest_of_moved_regions"], choices["nearest_of_other_energies"]
    drops = {share: f"{E / 1e5:.3f}e5" for share, E in choices["cut_off"].items()}
    narrow = {at: f"{share:.0%}".replace("%", " %") for at, share in choices["narrowest"].items()}
    brier = {counts: f"{score:.4f}" for counts, score in choices["brier"].items()}
    return [
        f"| {made['nearest']} is nearest to Eos in {moved.count(made['nearest'])} of {len(moved)} cases |",
        f"| {made['nearest']} is nearest in {'both' if set(wide) == {made['nearest']} else 'not both'} |",
        f"J_r {medians['line 0.02 higher']}, {medians['line 0.02 lower']} (as chosen {medians['as chosen']})",
        f"| {medians['no region']}: Splash and GS/E |",
        f"at {drops['mask above 2%']}, {drops['mask above 10%']} km2/s2 (at 5 %: {drops['mask above 5%']})",
        f"spans {narrow['0.7']}, {narrow['0.9']} of the bins (at 0.8: {narrow['0.8']})",
        f"Brier score {brier['0.1']}, {brier['10.0']} (at 1: {brier['1.0']})",
        *rows,
        f"one that spans {injection['spanned'][0]:.0%} of".replace("%", " %"),
        f"needs about {injection['fewest'][0]:.0f} stars",
        f"only from some {injection['narrowest']:.0%} of the bins on".replace("%", " %"),
        f"{', '.join(shares[:3])} and {shares[3]}",
        f"most like those of {made['nearest']} (distance {distance[made['nearest']]:.3f})",
        f"not of Splash ({distance['Splash']:.3f})",
        f"(medians {rich:.0f} and {poor:.0f} kpc km/s)",
        f"come out as {above:.0f} above and {below:.0f} below",
        f"percentile are {made['bootstrap_over_removal']['al_fe']:.1f} times",
        f"those of the median {made['bootstrap_over_removal']['fe_h']:.1f} times",
    ]


def of_memberships(found):
    """How reliable docs/memberships.md says that the probabilities are."""
    m = found["memberships"]
    return [
        f"Brier score {m['brier']:.4f} (one probability for all: {m['brier_base']:.4f}), calibration error "
        f"{m['calibration']:.4f}",
        f"{m['n_stars']:,} stars -> members.fits",
        f"accreted in {WORDS[round(10 * m['accreted_above_0.9'])]} of ten cases",
        f"in one of {WORDS[round(1 / m['accreted_from_0.5_to_0.9'])]}",
    ]


def of_choices(found):
    """How much docs/choices.md says that each choice moves the headline numbers."""

    def moved(rows, key, form, unit):
        return span([row[key] * unit for row in rows], form)

    by_choice = {}
    for row in found["rows"]:
        by_choice.setdefault(row["choice"], []).append(row)
    return [
        f"{moved(rows, 'd_fraction', '+.2f', 100)} %; {moved(rows, 'd_crossing', '+.4f', 1e-5)}e5"
        for rows in by_choice.values()
    ]


def of_coverage(found):
    """The tables of docs/uncertainties.md."""
    rows = {row["number"]: row for row in found["rows"]}
    share = rows["HE mass fraction"]
    lines = [
        f"On {found['skies']} mock skies of {found['stars_chosen'][0]:,} to {found['stars_chosen'][1]:,} stars",
        f"scatter of {share['true_scatter']:.4f} in the HE mass fraction",
        f"biased by {share['bootstrap_bias']:+.4f}, {share['bootstrap_bias_in_scatter']:+.2f} of the scatter",
    ]
    for name, row in rows.items():
        ratios = " | ".join(f"{row['ratio'][x]:.2f}" for x in ("multinomial", "poisson", "redrawn edges", "delete"))
        held = " | ".join(
            f"{row['coverage'][f'{kind} 68 %']:.0%}, {row['coverage'][f'{kind} 95 %']:.0%}".replace("%", " %")
            for kind in ("percentile", "basic", "bias-corrected", "centred")
        )
        lines.append(f"| {name} | {ratios} | {held} |")
    factors = [row["measured_delete_factor"] for row in rows.values()]
    lines.append(f"theory says {found['delete_factor']:.2f} times, measured {span(factors, '.1f')} times")
    return lines


def scatter_of(found):
    """The scatter of the accreted fraction over mock skies."""
    return next(row["true_scatter"] for row in found["rows"] if row["number"] == "HE mass fraction")


def percent(fraction):
    return f"{fraction:.0%}".replace("%", " %")


def of_recommended(found):
    """The tables of docs/uncertainties.md on three components by Kullback-Leibler."""

    def held(coverage, kind="centred"):
        return ", ".join(percent(coverage[f"{kind} {x} %"]) for x in (68, 95))

    lines = [f"On {found['skies']} mock skies, {found['replicates']} replicates each"]
    for row in found["rows"]:
        three = " | ".join(held(row[goal]) for goal in ("coverage", "coverage_of_truth", "coverage_of_own_truth"))
        at = f"{row['ratio']['multinomial']:.2f} | {row['off_truth_in_scatter']:+.1f}"
        lines.append(f"| {row['number']} | {at} | {three} |")
    but = [row["coverage"]["centred 68 %"] for row in found["rows"] if row["number"] != "HE mean over bins"]
    lines.append(f"hold the mean on {percent(min(but))} to {percent(max(but))} of the skies")
    by = found["likelihood"]
    three = " | ".join(
        ", ".join(percent(by[f"{x} %"][goal]) for x in (68, 95)) for goal in ("mean", "truth", "own_truth")
    )
    share = found["rows"][0]
    return [
        *lines,
        f"| HE mass fraction, by likelihood | {by['68 %']['half_width'] / share['true_scatter']:.2f} | "
        f"{share['off_truth_in_scatter']:+.1f} | {three} |",
        f"measured on the skies it is {by['dependence']:.2f}",
    ]


def of_held(found):
    """The sentence of docs/limits.md on what those intervals hold."""
    rows = {row["number"]: row for row in found["rows"]}
    mean, truth = (
        [percent(rows[name][goal]["centred 68 %"]) for name in ("HE mass fraction", "50 % crossing in E")]
        for goal in ("coverage", "coverage_of_truth")
    )
    return [
        f"hold the mean of the estimates on {mean[0]} of {found['skies']} mock skies for the accreted fraction and on "
        f"{mean[1]} for the 50 % crossing in energy, and the truth on {truth[0]} and {truth[1]}"
    ]


def of_analyses(found, fair):
    """The tables of docs/limits.md on both analyses, of the default mock and of the fair one."""
    every = [one["analyses"][name]["summary"] for one in (found, fair) for name in ("paper", "recommended")]
    lines = []
    for name, title, unit, form in (
        ("HE mass fraction", "accreted fraction", 1, ".3f"),
        ("50 % crossing in E", "energy at 50 % [1e5 km2/s2]", 1e-5, ".4f"),
        ("50 % crossing in r", "r at 50 % [kpc]", 1, ".2f"),
        ("HE median [Fe/H]", "median [Fe/H] of the accreted", 1, ".3f"),
        ("HE median [Al/Fe]", "median [Al/Fe] of the accreted", 1, ".3f"),
    ):
        rows = [one["numbers"][name] for one in every]
        cells = [f"{row['bias'] * unit:+{form}} +- {row['scatter'] * unit:{form}}" for row in rows]
        lines.append(" | ".join([f"| {title}", *cells]) + " |")
    for name, title in (
        ("rms", "fractions in bins of energy, rms error"),
        ("brier", "memberships: Brier score"),
        ("calibration", "memberships: calibration error"),
    ):
        lines.append(" | ".join([f"| {title}", *(f"{one[name]:.3f}" for one in every)]) + " |")
    held = [
        ", ".join(str(sum(row["held"][c] for row in one["numbers"].values())) for c in ("68%", "95%")) for one in every
    ]
    number = len(every[0]["numbers"]) * len(every[0]["words"])
    lines.append(" | ".join([f"| intervals of 68 and 95 % that hold the truth, of {number}", *held]) + " |")
    words = [", ".join(f"{one['words'].count(w)} {w}" for w in sorted(set(one["words"]))) for one in every]
    lines.append(" | ".join(["| verdicts", *words]) + " |")
    for parts in zip(*(one["parts"] for one in every), strict=True):
        cells = [f"{part['rms']:.3f}, {part['crossing_rms'] / 1e5:.3f}e5" for part in parts]
        lines.append(" | ".join([f"| {parts[0]['stars']:,}", *cells]) + " |")
    default = found["analyses"]["recommended"]["default"]
    ends = [row["numbers"][0]["68%"] for row in found["analyses"]["paper"]["rows"]]
    times = every[0]["numbers"]["HE mass fraction"]["bias"] / (sum(high - low for low, high in ends) / 2 / len(ends))
    pure = [
        " and by ".join(
            f"{span([row[k] for row in one['kinematically_pure']], '+.3f')} with {name}"
            for k, name in (("2", "two"), ("3", "three"))
        )
        for one in (found, fair)
    ]
    return [
        *lines,
        f"{default['HE mass fraction']:+.3f} in the fraction and {default['50 % crossing in E'] / 1e5:+.4f}e5 km2/s2",
        f"the bias is {times:.0f} times the standard error",
        f"off by {pure[0]} components in the default mock, by {pure[1]} in the fair one",
    ]


def of_retrograde(found):
    """The interval of the real stars in docs/uncertainties.md."""
    at = {name: f"{x / 1e5:.3f}" for name, x in found["crossing"].items()}
    return [
        f"the {found['n_stars']} retrograde ones of the real sample pass one half at {at['base']}e5 km2/s2",
        f"16 and 84 % at {at['p16']} and {at['p84']}e5",
        f"{found['crosses']['once']} of the {found['replicates'] - found['refused']} replicates cross once, "
        f"{found['refused']} of {found['replicates']:,} are refused",
    ]


def of_ensembles(found):
    """What docs/speed.md says of the time that ensembles take."""
    commands = found["commands"]
    ratios = {row["threads"]: f"{row['ratio']:.0f}" for row in found["rows"]}
    busy = {name: f"{row['cpu_seconds']:.1f} s of the processor" for name, row in commands.items()}
    imported = commands.get("import nmfcore")
    return [
        *([f"importing `nmfcore` takes {imported['cpu_seconds']:.2f} s of the processor"] if imported else []),
        f"take {commands['bootstrap']['seconds']:.1f} s from the prompt",
        f"on one thread ({busy['bootstrap']})",
        f"`--bootstrap 100` {commands['sweep']['seconds']:.1f} s",
        f"{ratios[1]} times faster than joblib and scikit-learn make them on one thread, {ratios[2]} times on two",
    ]


def of_halving(found):
    """The table of docs/engine.md of starts that are halved in turn."""
    lines = []
    for row in found["rows"]:
        how = f"{row['starts']} starts" if row["after"] is None else f"`halve_after={row['after']}`"
        least = f"{row['largest_gap']:.0e}" if row["worse"] else ""
        cells = [
            row["sample"],
            str(row["k"]),
            how,
            f"{row['ratio']:.2f}",
            f"{row['worse']} of {row['replicates']}",
            least,
        ]
        lines.append(" ".join(f"| {' | '.join(cells)} |".split()))
    return lines


def of_rules(found):
    """The table of docs/engine.md of where the accelerated rule for the divergence ends."""
    places = {"sample": "the sample's solution", "vectors": "singular vectors"}
    return [
        f"| {row['sample']} | {row['k']} | {places[row['start']]} | {row['gain']:.1f} | {row['higher']} "
        f"| {row['lower']} | {row['mean_gap']:.0e} |"
        for row in found["minima"]
    ]


def of_divergence(found):
    """What docs/uncertainties.md says that ensembles by the divergence cost."""
    two, three = found["held"]
    by_k = {k: [row["ratio"] for row in found["cost"] if row["k"] == k] for k in (2, 3, 4)}
    return [
        f"{two['whole_ratio']:.0f} times as long a replicate as by least squares with two components and "
        f"{three['whole_ratio']:.0f} with three",
        f"{two['held_ms']:.1f} and {three['held_ms']:.1f} ms a replicate",
        "; ".join(f"{span(ratios, '.1f')} times with k = {k}" for k, ratios in by_k.items()),
    ]


def of_ranks(found, giants):
    """The table of docs/rank.md, and what it says of real giants."""
    cells, trials, more = {}, 0, 0
    for row in found["rows"]:
        if row["of"] != "choice":
            continue
        case, planted = row.get("populations", row.get("selection")), POPULATIONS.get(row.get("selection"))
        planted = planted or row["populations"]
        cells[row["stars"], row["q"], row["pixels"], case, row["loss"]] = row["chosen"].get(str(planted), 0)
        trials += sum(row["chosen"].values())
        more += sum(times for k, times in row["chosen"].items() if int(k) > planted)
    lines = [f"more than there are in {more or 'none'} of {trials:,} trials"]
    for stars, q, pixels in dict.fromkeys(place[:3] for place in cells):
        both = [
            [cells.get((stars, q, pixels, case, loss), "") for loss in ("frobenius", "kullback-leibler")]
            for case in (1, 2, 3, 4, *POPULATIONS)
        ]
        tried = [", ".join(map(str, pair)) if pair != ["", ""] else "" for pair in both]
        lines.append(" ".join(" | ".join([f"| {stars:,}", str(q * q), str(pixels), *tried]).split()) + " |")
    fewer = {
        of: sum(
            times
            for row in found["rows"]
            for k, times in row["chosen"].items()
            if row["of"] == of and int(k) < (POPULATIONS.get(row.get("selection")) or row["populations"])
        )
        for of in ("best", "choice")
    }
    lines.append(f"too small in {fewer['best']} of them rather than in {fewer['choice']}")
    wrong = {}
    for (stars, *_, loss), right in cells.items():
        if loss == "frobenius":
            wrong.setdefault(stars, []).append(1 - right / 20)
    rates = [f"{np.mean(rate):.0%} with {stars:,} stars" for stars, rate in sorted(wrong.items())]
    lines.append("wrong in " + ", ".join(rates).replace("%", " %"))
    with_cluster, without = ([row for row in giants["rows"] if row["cluster"] is x] for x in (True, False))
    fine = [row["choices"]["frobenius"] for row in (with_cluster[1], without[1])]
    return [
        *lines,
        f"Of {with_cluster[0]['stars']} real giants",
        f"in {with_cluster[0]['pixels']} pixels, {WORDS[with_cluster[0]['choices']['frobenius']]} components are",
        f"Without the {giants['n_cluster']} stars around M4 they are {WORDS[without[0]['choices']['frobenius']]}",
        f"in {with_cluster[1]['pixels']} pixels {WORDS[fine[0]]} and {WORDS[fine[1]]}",
    ]


def of_clusters(found):
    """What docs/verdict.md says of clusters that are left in a sample."""
    n = found["found"]
    return [
        f"it finds {n['members_found']} of the {n['members']} members' rows that the list removes; "
        f"{n['others_found']} of {n['others']:,} stars that the list leaves look like members too",
    ]


def of_classified(found):
    """The clusters of docs/boundary.md."""
    lines = [f"{found['said']} -> classified.ecsv"]
    for row in found["rows"]:
        given = [row[name] for name in ("name", "ra", "dec", "distance", "pmra", "pmdec", "radial_velocity")]
        lines.append(",".join(map(str, given)))
        made = (f"{row['E']:.0f}", f"{row['Lz']:.0f}", f"{row['P_accreted']:.2f}", row["accreted"], row["in_range"])
        lines.append(f"| {row['name']} | {' | '.join(map(str, made))} |")
    return lines


def of_consensus(found):
    """The comparison with the package cnmf in docs/engine.md."""
    ours, theirs = found["nmfcore"], found["cnmf"]
    both = np.minimum(ours["stability"], theirs["stability"])
    stable = [k for k, least in zip(found["ranks"], both, strict=True) if least >= 0.995]
    assert stable == [2, 3, 5], stable
    least = np.floor(1000 * min(found["cosines_of_both"])) / 1000
    return [
        f"that of the package cnmf {theirs['version']} by a cosine of {least:.3f}",
        f"with {found['provenance']['settings']['replicates']} replicates of",
        f"cnmf takes {theirs['seconds'] / ours['seconds']:.1f} times the processor's time",
    ]


def quotes():
    """Return pairs of page and sentence."""
    recovery, made, orbits = load("mock_recovery"), load("prepare"), load("orbits")
    pages = {
        "README.md": of_transcript(recovery),
        "docs/limits.md": of_analyses(load("analyses"), load("analyses_fair"))
        + of_held(load("coverage_recommended"))
        + of_recovery(recovery)
        + of_giants(load("giants")),
        "docs/speed.md": of_prepare(made) + of_ensembles(load("ensemble")),
        "docs/mock.md": of_mock(recovery, made) + of_calibration(load("calibrate_mock")) + of_family(load("family")),
        "docs/orbits.md": of_orbits(orbits),
        "docs/engine.md": of_halving(load("halving"))
        + of_rules(load("divergence"))
        + of_consensus(load("consensus"))
        + of_stopping(load("stopping")),
        "docs/uncertainties.md": of_coverage(load("coverage"))
        + of_recommended(load("coverage_recommended"))
        + of_retrograde(load("retrograde"))
        + of_divergence(load("divergence")),
        "ARCHITECTURE.md": of_decisions(orbits) + of_convergence(load("stopping")),
        "docs/ensembles.md": of_kills(load("kills")),
        "docs/choices.md": of_choices(load("choices")),
        "docs/memberships.md": of_memberships(load("populations")),
        "docs/verdict.md": verdict.sentences(load("verdict"))
        + verdict.fair_sentences(load("verdict_fair"))
        + of_clusters(load("clusters")),
        "docs/boundary.md": of_classified(load("clusters")),
        "docs/recommended.md": reading.table(load("reading")["rows"]),
        "docs/weights.md": selection.sentences(load("selection")),
        "docs/rank.md": of_ranks(load("ranks"), load("rank_giants")),
        "docs/populations.md": of_populations(load("populations")),
        "docs/simulations.md": galaxies.sentences(load("galaxies")),
        "docs/surveys.md": of_surveys(load("surveys")),
        "docs/sensitivity.md": sensitivity.sentences(load("sensitivity"), scatter_of(load("coverage"))),
        "docs/transfer.md": transfer.sentences(load("transfer")) + missing_abundances.sentences(load("missing")),
    }
    return [(page, sentence) for page, sentences in pages.items() for sentence in sentences]


def missing():
    """Return the pairs of page and sentence that are not there, whatever the line breaks and what is in bold."""

    def text(page):
        return " ".join((ROOT / page).read_text().replace("**", "").split())

    return [(page, said) for page, said in quotes() if said not in text(page)]


if __name__ == "__main__":
    for page, sentence in missing():
        print(f"{page}: {sentence}")
