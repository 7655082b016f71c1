"""Write the table of what is promised, which test holds it and what was measured, into docs/reliability.md.

Run with: python docs/reliability.py [--check]
"""

from __future__ import annotations

import ast
import json
import pathlib
import sys
from typing import Any

from marked import keep, put

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE, RESULTS = ROOT / "docs" / "reliability.md", ROOT / "benchmarks" / "results"
MARKERS = ("<!-- promises: made by docs/reliability.py -->", "<!-- promises end -->")
PROMISES: tuple[tuple[str, str, str], ...] = (
    ("Killed at any moment, an ensemble ends in the files of an uninterrupted run.", "ensembles/test_crashes", "kills"),
    ("So do a search and the paper that are begun again with `--overwrite`.", "", "stops"),
    (
        "A search, a stability check and an injection that go on with `--resume` end in the same table.",
        "checks/test_work:test_an_interrupted_check_goes_on_to_the_result_of_one_that_was_not",
        "",
    ),
    (
        "Killed at any of its steps, the paper goes on with `--resume` to the files of an uninterrupted run.",
        "paper/test_kept:test_a_paper_killed_at_every_step_ends_in_the_files_of_one_that_was_not",
        "",
    ),
    (
        "At every point of its writes a run is read as incomplete or right, and goes on.",
        "ensembles/test_crashes:test_from_every_prefix_a_run_goes_on_to_the_same_files",
        "",
    ),
    (
        "A signal to stop ends any command in order, also one lost in a callback.",
        "ensembles/test_crashes:test_a_signal_lost_in_a_callback_stops_at_the_next_step",
        "stops",
    ),
    (
        "Workers of a cluster that are killed cost nothing.",
        "ensembles/test_cluster:test_three_workers_that_are_killed_cost_nothing",
        "workers",
    ),
    (
        "More replicates later are those of the larger run at once, bit for bit.",
        "ensembles/test_extend:test_a_longer_run_computes_the_rest_and_has_the_files_of_one_at_once",
        "",
    ),
    (
        "No flipped bit of a batch goes unseen.",
        "ensembles/test_runs:test_no_single_flipped_bit_of_a_batch_goes_unseen",
        "",
    ),
    (
        "Damaged and hostile files end in one line and a known exit code.",
        "test_hostile_files:test_no_file_gets_more_than_a_known_error",
        "fuzz",
    ),
    (
        "A file that is fetched is whole under its name, or its part is its beginning.",
        "archives/test_transfer:test_whatever_goes_wrong_the_file_is_whole_or_its_part_is_its_beginning",
        "",
    ),
    (
        "Tables keep every digit and all that their columns say in each of their formats.",
        "io/test_formats:test_every_form_gives_the_table_back_with_all_that_its_columns_say",
        "",
    ),
    (
        "No changed byte of a VOTable or of a FITS table changes a value unseen.",
        "io/test_formats:test_no_changed_byte_of_a_votable_or_of_fits_changes_a_value",
        "",
    ),
    ("Forged runs with right checksums are refused.", "ensembles/test_forged", ""),
    (
        "Damaged settings and pieces of interrupted work are refused with a remedy, or made again to the same result.",
        "commands/test_damaged_work",
        "",
    ),
    ("No link is followed, no name foreseen.", "io/test_atomic:test_no_link_is_followed_under_the_temporary_name", ""),
    (
        "Of two processes with one output, or one paper, the second is refused, and a killed one holds nobody up.",
        "io/test_alone:test_no_two_of_four_processes_are_ever_at_work_together",
        "",
    ),
    (
        "A claim of a dead process holds nobody up for long.",
        "ensembles/test_claims:test_the_claim_of_a_dead_process_is_taken_over",
        "",
    ),
    (
        "A full disk leaves nothing half-written.",
        "ensembles/test_crashes:test_a_full_disk_exits_5_and_leaves_nothing_half_written",
        "",
    ),
    ("Full standard output, notebooks' backends and `nohup` do no harm.", "commands/test_environment", ""),
    ("Long work keeps memory, descriptors, threads and temporary files flat.", "", "soak"),
    (
        "The same commit makes the same wheel.",
        "../test_supply:test_the_same_checkout_makes_the_same_wheel_whenever_it_is_built",
        "",
    ),
)
"""What is promised; the test, a file of tests/halo or one function of it; and the name of what was measured."""
COMMANDS = {"kills": "kills.py", "workers": "kills.py", "stops": "stops.py", "soak": "soak.py", "fuzz": ""}


def load(name: str) -> dict[str, Any] | None:
    """Return the figures of a benchmark, or None where they are not saved."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def measured(name: str) -> str:
    """Return what was measured, in words, with the command that measures it."""
    found = load("kills" if name == "workers" else name)
    how = f"`python benchmarks/{COMMANDS[name]}`" if COMMANDS[name] else "`make fuzz`"
    if found is None:
        return f"not measured yet: {how}"
    if name == "kills":
        same = "the same" if found["same_files"] and found["same_summary"] else "**other**"
        return f"{found['kills']} kills of {found['batches']} batches: {same} files and summary; {how}"
    if name == "workers":
        same = "the same" if found["same_files_workers"] and found["same_summary_workers"] else "**other**"
        return f"{found['workers_killed']} workers killed: {same} files and summary; {how}"
    if name == "stops":
        rows = "; ".join(f"{row['command']} {row['kills']} and {row['signals']}" for row in found["rows"])
        faults = sum(len(row["wrong"]) + len(row["different"]) for row in found["rows"])
        return f"{found['kills']} kills and {found['signals']} signals ({rows}): {faults} files differ; {how}"
    if name == "fuzz":
        return (
            f"{found['cases']} cases, seed {found['seed']}: {found['bad']} bad, at most {found['longest']:.0f} s and "
            f"{found['most megabytes']:.0f} MB; {how}"
        )
    span = found["late"]
    flat = "flat" if found["flat"] else "**not flat**"
    growth = abs(found["megabytes_a_round"]) * 1000
    return (
        f"{found['minutes']:g} minutes, {found['rounds']} rounds: {flat}: {growth:.0f} kB a "
        f"round, {span['descriptors'][0]} to {span['descriptors'][1]} descriptors, {span['threads'][0]} to "
        f"{span['threads'][1]} threads, {span['temporary_files'][1]} temporary files; {how}"
    )


def where(test: str) -> str:
    """Return a test as the table names it; raises SystemExit where there is none of this name."""
    if not test:
        return ""
    name, _, function = test.partition(":")
    path = (ROOT / "tests" / "halo" / f"{name}.py").resolve()
    if not path.exists():
        sys.exit(f"{path} is not there: mend PROMISES in docs/reliability.py")
    names = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    if function and function not in names:
        sys.exit(f"{path} has no {function}: mend PROMISES in docs/reliability.py")
    return f"`{path.relative_to(ROOT)}`" + (f", {function.removeprefix('test_').replace('_', ' ')}" if function else "")


def page(text: str) -> str:
    """Return the page with today's table."""
    rows = [f"| {said} | {where(test)} | {measured(name) if name else ''} |" for said, test, name in PROMISES]
    table = "\n".join(["| promise | test | measured |", "|---|---|---|", *rows])
    return put(text, MARKERS, table)


if __name__ == "__main__":
    keep(__doc__, "python docs/reliability.py", lambda: {PAGE: page(PAGE.read_text())})
