"""Keys of the ``--json`` documents of the commands on data, fits and their results."""

from __future__ import annotations

from .forms import (
    ANY,
    CONVENTION,
    COUNT,
    FLOW,
    FRACTION,
    NAMES,
    NUMBER,
    NUMBERS,
    TEXT,
    TRUTH,
    VERDICT,
    Form,
    Key,
    known,
    listed,
    maybe,
    named,
    object_of,
    table,
)  # fmt: skip

FIT_ENDED = (
    Key("fit_status", TEXT, "How the fit ended."),
    Key("fit_kkt", NUMBER, "Its KKT residual."),
)
BINS_ENDED = (*FIT_ENDED, Key("bins_not_converged", listed(COUNT), "Rows that did not converge."))
SAID = Key("convention", CONVENTION, "What E and Lz are measured in.", always=False)
FRACTIONS: Form = named(FRACTION)

CATALOGUE = (
    Key("kind", TEXT, "What it is."),
    Key("stars", COUNT, "Stars in it."),
    Key("columns", NAMES, "Its columns."),
    Key("orbits", named(TEXT), "What the orbits were computed in."),
    Key("cutflow", FLOW, "What each cut removed."),
)
FIT = (
    Key("kind", TEXT, "What it is."),
    Key("components", NAMES, "Names of the components, in order of mean energy."),
    Key("stars", COUNT, "Stars in the bins."),
    Key("bins", COUNT, "m, the number of bins."),
    Key("pixels", COUNT, "n, the number of pixels of all images."),
    Key("stars_outside_bins", COUNT, "Stars beyond the bins."),
    Key("stars_outside_images", named(COUNT), "Stars beyond each image."),
    Key("empty_bins", COUNT, "Bins without stars."),
    Key("selection", TEXT, "Halo selection."),
    Key("loss", {"type": ["string", "number"]}, "What was minimised."),
    Key("mass_fractions", FRACTIONS, "Of the components, over all stars."),
    Key("mean_fractions", FRACTIONS, "Mean of the bins' fractions."),
    Key("accreted_fraction", FRACTION, "Mass fraction of what is read as accreted."),
    Key("status", TEXT, "How the fit ended."),
    Key("kkt", NUMBER, "KKT residual."),
    Key("iterations", COUNT, "How many there were."),
    Key("verdict", VERDICT, "How far the fit is to be trusted."),
    Key("verified", TRUTH, "Whether the file has a checksum that holds."),
    Key("cutflow", FLOW, "What the selection removed."),
)
PROFILE_COLUMNS = r"(lower|upper|centre)(_\w+)?|n_stars|effective|weight_\w+|fraction_\w+"
BOUNDARY_COLUMNS = r"lower|upper|Lz|n_stars|E|E_smoothed|n_crossings|status|E_BK23|E_lower|E_upper|E_shifted"
BOUNDARY_META = (
    Key("level", FRACTION, "Fraction that the boundary is at."),
    Key("smoothing_columns", NUMBER, "Width of the smoothing, in columns.", always=False),
    *(Key(key.name, key.form, key.help, always=False) for key in BINS_ENDED),
    SAID,
    Key("BK23_offset", NUMBER, "What the published line was lowered by, km2 / s2.", always=False),
    Key("BK23_note", TEXT, "Where that comes from.", always=False),
)
TABLE1 = table(
    r"component|percentile|\w+_(FE|H)(_lower|_upper)?|(mean_)?fraction(_lower|_upper)?|[A-Za-z]\w*",
    Key("level", FRACTION, "Of the intervals."),
    Key("interval", TEXT, "Their type."),
    Key("replicates", named(COUNT), "Behind the intervals of each component."),
    Key("replicates_lost", named(COUNT), "Those that did not converge or could not be matched."),
    Key("not_converged", named(TEXT), "How fits ended that did not converge."),
)
ZERO_POINTS = Key("zeropoints", named(ANY), "What abundances were moved by.", always=False)

FITS: dict[str, tuple[Key, ...]] = {
    "fetch": (
        Key("known", named(TEXT), "What can be fetched; without names.", always=False),
        Key("files", listed(known(name=TEXT, host=TEXT, bytes=maybe(COUNT), checksum=TEXT, there=TRUTH)),
            "The files of archives; `there`: it need not be fetched.", always=False),
        Key("bytes_to_come", COUNT, "Of the files whose size is known.", always=False),
        Key("bytes_free", COUNT, "Where they go.", always=False),
        Key("cite", NAMES, "What to cite.", always=False),
        Key("next", NAMES, "Commands to run next.", always=False),
    ),
    "mock": (
        Key("rows", COUNT, "Rows of the survey."),
        Key("thinning", NUMBER, "One disc star in so many was kept."),
        Key("seed", {"type": "integer"}, "Of the draws."),
        Key("model", TEXT, "Which mock."),
    ),
    "prepare": (Key("survey", maybe(TEXT), "By whose columns it was read."), *CATALOGUE),
    "recompute": CATALOGUE,
    "fit": FIT,
    "apply": (
        *table(
            PROFILE_COLUMNS,
            Key("variables", NAMES, "What the bins are of."),
            Key("components", NAMES, "Names of the components."),
            SAID,
            Key("stars", COUNT, "Stars of the selection."),
            Key("stars_outside_bins", COUNT, "Stars beyond the bins."),
            Key("stars_outside_images", named(COUNT), "Stars beyond each image."),
            *BINS_ENDED,
            Key("min_stars", COUNT, "Bins with fewer stars carry no crossing.", always=False),
            Key("crossings", named(NUMBERS), "Where the accreted fraction crosses each level.", always=False),
            ZERO_POINTS,
        ),
        Key(
            "tables", known(crossings=object_of(table("level|at"))), "Of a profile: its crossings, as a table.",
            always=False,
        ),
    ),
    "boundary": table(
        BOUNDARY_COLUMNS,
        *BOUNDARY_META,
        Key("coverage", FRACTION, "Of the intervals."),
        Key("replicates", COUNT, "Behind them."),
        Key("lost", COUNT, "Replicates that did not converge or could not be matched."),
        Key("offset", named(ANY), "The published line's offset: `value`, `lower`, `upper`, in `unit`, of what."),
        Key("above_the_line", named(ANY), "Accreted fraction against E - E_BK23(Lz), `value`, `lower`, `upper`."),
    ),
    "classify": (
        Key("stars", COUNT, "Rows of the table."),
        Key("classified", COUNT, "Those with E and Lz."),
        Key("accreted", COUNT, "Those above the boundary."),
        Key("accreted_by_probability", NUMBER, "Sum of their probabilities."),
        Key("out_of_range", COUNT, "Those beyond the Lz where the boundary was found."),
    ),
    "plot": (Key("figures", named(TEXT), "Captions, by the names of the figures."),),
    "zeropoints": table(
        r"abundance|n_stars|offset|error|scatter|slope|slope_error|subtracted",
        Key("survey", maybe(TEXT), "Whose abundances exceed."),
        Key("scale", maybe(TEXT), "Those of what."),
        Key("method", TEXT, "By common stars, or by the components of a fit."),
        Key("pivot", NUMBER, "[Fe/H] that trends are about, dex."),
        Key("covariance", listed(NUMBERS), "Of offsets and slopes."),
        Key("lost", COUNT, "Replicates that did not converge."),
    ),
    "split": (
        *table(
            r"component|part|stars|fraction|mean_energy|\w+_(low|high|lower|upper)",
            *FIT_ENDED,
            Key("stars_without_boundary", COUNT, "Stars of columns without a boundary."),
            Key("stars_left_out", COUNT, "Those of them that are in no part."),
            Key("ordered_by", TEXT, "What decides between HE1 and HE2."),
            Key("other_order_disagrees", NAMES, "Parts that another order would turn round."),
            SAID,
        ),
        Key("tables", known(boundary=object_of(table(BOUNDARY_COLUMNS, *BOUNDARY_META))), "The boundary, as a table."),
        Key("table1", object_of(TABLE1), "Table 1, as `halonmf table` has it."),
    ),
    "table": TABLE1,
    "likelihood": table(
        r"component|fraction|low|high|dependence",
        Key("level", FRACTION, "Of the intervals."),
        Key("threshold", NUMBER, "What the deviance may rise by."),
        Key("deviance", NUMBER, "Of the fit."),
        Key("unsettled", NAMES, "Limits that could not be found."),
        *FIT_ENDED,
    ),
    "eccentricity": table(
        r"lower|upper|[A-Za-z]\w*",
        Key("cut", NUMBER, "Bins where a component has less than this are left out."),
        Key("level", FRACTION, "Of the intervals."),
        Key("peaks", named(NUMBER), "Eccentricity where each component peaks."),
        Key("peak_intervals", named(NUMBERS), "Their intervals."),
        Key("bins", named(COUNT), "Bins of each component."),
        Key("stars", named(COUNT), "Stars in them."),
        Key("fit_status", TEXT, "How the fit ended."),
        Key("replicates_lost", COUNT, "Replicates that did not converge or could not be matched."),
    ),
    "members": (
        Key("stars", COUNT, "Stars of the selection."),
        Key("probability", named(NUMBER), "Sum of the probabilities of each component."),
        Key("accreted_by_probability", NUMBER, "The same of what is read as accreted."),
        Key("without_probability", COUNT, "Stars that have none."),
        Key("partly_outside_images", COUNT, "Stars outside one image or more."),
        Key("cutflow", FLOW, "What the selection removed."),
        Key("reliability", maybe(object_of(table(
            r"lower|upper|n_stars|predicted|observed|error",
            Key("brier", NUMBER, "Brier score."),
            Key("brier_base", NUMBER, "That of one probability for all."),
            Key("calibration_error", NUMBER, "Mean difference of observed and predicted."),
        ))), "Compared with the truth, where --truth is given."),
    ),
    "report": (Key("title", TEXT, "Of the page."), Key("bytes", COUNT, "Its size.")),
}  # fmt: skip
"""Commands of data, fits and their results."""
