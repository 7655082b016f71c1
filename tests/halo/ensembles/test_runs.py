"""Runs on disk: what is read back, what is refused, what is set aside, and what is computed again."""

import dataclasses
import io
import json
import shutil

import h5py
import numpy as np
import pytest

from halonmf.halo.ensembles import batchfile, runner
from halonmf.halo.ensembles import run as runs
from halonmf.halo.ensembles.batchfile import Computed
from halonmf.halo.ensembles.folder import write_manifest
from halonmf.halo.ensembles.plan import Part, Plan
from halonmf.halo.ensembles.run import open_run
from halonmf.halo.ensembles.sweeps import parse_sweep
from halonmf.halo.errors import InputError, OutputError, UsageError
from halonmf.halo.mixtures.settings import Axis
from halonmf.halo.replicates.setup import Setup

from ..helpers import fake_run as _fake_run
from ..helpers.fake_run import PLAN, begin, reduce, run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def contents(folder):
    names = [*(folder / "batches").iterdir(), folder / "manifest.json", folder / "settings.json"]
    return {path.name: path.read_bytes() for path in names}


def counted():
    seen = []

    def counting(base, first, count, *, keep_factors=False):
        seen.append((base.setup, first, count))
        return reduce(base, first, count)

    return seen, counting


# what is read back


def test_a_run_gives_back_every_product_of_every_set_up_in_order(whole):
    found = open_run(whole)
    assert found.complete
    assert not found.missing
    assert not found.failed
    assert found.plan == PLAN
    assert found.labels[:2] == ("pixels=2 seed=0", "pixels=2 seed=1")
    for i, setup in enumerate(PLAN.setups):
        expected = begin(None, setup)
        products, coordinates = found.base(i)
        np.testing.assert_array_equal(products["mass_fraction"], expected.products["mass_fraction"])
        np.testing.assert_array_equal(coordinates["edges"], expected.coordinates["edges"])
        replicates = found.replicates(i)
        for name, value in reduce(expected, 0, PLAN.replicates).items():
            np.testing.assert_array_equal(replicates[name], value)
            assert replicates[name].dtype == value.dtype


def test_the_same_run_makes_the_same_bytes(whole, tmp_path):
    run(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(whole)


def test_batch_files_are_hdf5_for_everybody(whole):
    with h5py.File(whole / "batches" / "000000.h5", "r") as file:
        assert "configuration_000000/base_mass_fraction" in file


def test_base_fits_alone_make_a_run(tmp_path):
    run(tmp_path / "run", dataclasses.replace(PLAN, replicates=0))
    found = open_run(tmp_path / "run")
    assert found.complete
    assert found.replicates(0) == {}
    assert found.base(5)[0]["n"] == 3


# what is gone on with


def test_what_is_missing_is_computed_and_nothing_else(copy, whole):
    missing = [1, 4]
    for index in missing:
        runs.batch_path(copy, index).unlink()
    found = open_run(copy)
    assert [batch.index for batch in found.missing] == missing
    assert not found.complete
    with pytest.raises(InputError, match=r"4 of 7 replicates .* run again with --resume|3 of 7 replicates"):
        found.replicates(PLAN.batches[1].parts[0].setup)
    seen, counting = counted()
    outcome = run(copy, resume=True, reduce=counting)
    assert [(first, count) for _, first, count in seen] == [
        (part.first, part.count) for index in missing for part in PLAN.batches[index].parts
    ]
    assert outcome.fits == sum(PLAN.batches[index].fits for index in missing)
    assert contents(copy) == contents(whole)


def test_a_complete_run_computes_nothing_when_it_is_resumed(copy):
    def fail(*_, **__):
        raise AssertionError

    assert run(copy, resume=True, begin=fail, reduce=fail).fits == 0


def test_the_manifest_is_made_from_the_files(copy, whole):
    (copy / "manifest.json").unlink()
    write_manifest(open_run(copy))
    assert contents(copy) == contents(whole)
    record = json.loads((copy / "manifest.json").read_text())
    assert record["complete"]
    assert record["fits"] == {"planned": PLAN.fits, "there": PLAN.fits}


def test_overwriting_begins_again_and_leaves_nothing_of_the_old_run(copy, whole, tmp_path):
    run(copy, dataclasses.replace(PLAN, replicates=20), overwrite=True)
    (copy / "damaged").mkdir(exist_ok=True)
    (copy / "summary.ecsv").touch()
    run(copy, overwrite=True)
    assert contents(copy) == contents(whole)
    assert not (copy / "summary.ecsv").exists()


def test_overwriting_removes_pictures_of_the_old_run_and_no_other(copy):
    (copy / "figures").mkdir()
    for name in ("fractions-1.png", "setups.txt", "mine.png"):
        (copy / "figures" / name).touch()
    run(copy, overwrite=True)
    assert [path.name for path in (copy / "figures").iterdir()] == ["mine.png"]


def test_a_run_is_not_removed_for_one_that_cannot_be_computed(copy, whole):
    luckless = Plan(Setup(PLAN.base.fit.replace(seed=_fake_run.POISON)), (), 7, 4)
    with pytest.raises(UsageError, match="bad luck"):
        run(copy, luckless, overwrite=True)
    assert contents(copy) == contents(whole)


def test_a_mistake_leaves_no_run_that_would_be_in_the_way(tmp_path):
    luckless = Plan(Setup(PLAN.base.fit.replace(seed=_fake_run.POISON)), (), 7, 4)
    with pytest.raises(UsageError, match="bad luck"):
        run(tmp_path / "run", luckless)
    assert run(tmp_path / "run").run.complete


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"replicates": 6}, "holds 7 replicates of every configuration, of which none is thrown away, and 6 are"),
        ({"replicates": 8, "batch": 5}, "bootstrap: 7 there, 8 here"),
        ({"batch": 5}, "batch: 4 there, 5 here"),
        ({"keep_factors": True}, "keep_factors: false there, true here"),
        ({"base": Setup(PLAN.base.fit, floor=0.4)}, "floor: 0.5 there, 0.4 here"),
        ({"base": Setup(PLAN.base.fit.replace(tol=1e-4))}, "tol: 1e-05 there, 0.0001 here"),
        (
            {"base": Setup(PLAN.base.fit.replace(axes=(Axis("E", 3), Axis("Lz", 2, -1e3, 1e3))))},
            f"axes: {','.join(map(str, PLAN.base.fit.axes))} there, E:3,Lz:2:-1000:1000 here",
        ),
        ({"sweeps": PLAN.sweeps[:1]}, "sweep seed: [0, 1, 2] there, none here"),
    ],
)
def test_other_settings_are_refused_by_name_before_anything_is_computed(copy, whole, change, says):
    runs.batch_path(copy, 0).unlink()
    before = contents(copy)
    seen, counting = counted()
    with pytest.raises(UsageError) as caught:
        run(copy, dataclasses.replace(PLAN, **change), resume=True, reduce=counting)
    assert says in str(caught.value)
    assert not seen
    assert contents(copy) == before


def test_another_catalogue_is_refused_and_another_name_is_not(copy, tmp_path):
    for name, content in (("moved.fits", b"stars"), ("other.fits", b"other stars")):
        (tmp_path / name).write_bytes(content)
    assert run(copy, stars=tmp_path / "moved.fits", resume=True).fits == 0
    with pytest.raises(UsageError, match="content of the catalogue"):
        run(copy, stars=tmp_path / "other.fits", resume=True)


def test_another_version_is_refused(copy, monkeypatch):
    monkeypatch.setattr(runner, "own_version", lambda: "9.9")
    with pytest.raises(UsageError, match=r"version of halonmf: .* there, 9\.9 here"):
        run(copy, resume=True)


def test_other_libraries_are_told_and_change_nothing(copy, monkeypatch):
    there = runs.libraries()
    monkeypatch.setattr(runs, "libraries", lambda: there | {"torch": "9.9"})
    (note,) = run(copy, resume=True).notes
    assert note.endswith(f"torch: {there['torch']} there, 9.9 here")
    assert json.loads((copy / "settings.json").read_text())["libraries"] == there


# where a run may not go


def test_a_run_that_is_there_is_neither_continued_nor_removed_unasked(copy):
    with pytest.raises(OutputError, match=r"--resume.*--overwrite"):
        run(copy)


@pytest.mark.parametrize("options", [{"resume": True}, {"shard": (1, 2)}])
def test_overwriting_goes_with_nothing_else(copy, options):
    with pytest.raises(UsageError, match="--overwrite does not go with"):
        run(copy, overwrite=True, **options)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(OutputError, match="is a file"):
        run(tmp_path / "run")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_other_things_is_left_alone(tmp_path, overwrite):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    with pytest.raises(OutputError, match=r"holds thesis\.tex"):
        run(tmp_path / "run", overwrite=overwrite)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]


def test_a_folder_that_is_not_writable_is_refused_before_anything_is_computed(tmp_path):
    (tmp_path / "stars.fits").write_bytes(b"stars")
    (tmp_path / "locked").mkdir(mode=0o555)
    seen, counting = counted()
    for folder in (tmp_path / "locked", tmp_path / "locked" / "run"):
        with pytest.raises(OutputError, match="is not writable"):
            run(folder, stars=tmp_path / "stars.fits", reduce=counting)
    assert not seen


def test_batches_without_settings_are_not_taken_for_a_new_run(copy):
    (copy / "settings.json").unlink()
    with pytest.raises(OutputError, match=r"batches but no settings\.json"):
        run(copy, resume=True)


# damage


def damage(path, how):
    whole = path.read_bytes()
    path.write_bytes({
        "flipped": whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:],
        "header": whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
        "padding": whole[:500] + bytes([whole[500] ^ 1]) + whole[501:],
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "longer": whole + b"\0",
        "html": b"<html>",
        "another": path.with_name("000001.h5").read_bytes(),
    }[how])  # fmt: skip


@pytest.mark.parametrize("how", ["flipped", "header", "padding", "cut", "empty", "longer", "html", "another"])
def test_a_damaged_batch_is_set_aside_computed_again_and_reported(copy, whole, how):
    damage(runs.batch_path(copy, 3), how)
    broken = runs.batch_path(copy, 3).read_bytes()
    found = open_run(copy)
    assert list(found.damaged) == [3]
    assert not found.complete
    outcome = run(copy, resume=True)
    assert contents(copy) == contents(whole)
    assert len(outcome.notes) == 1
    assert outcome.notes[0].startswith("000003.h5 ")
    assert "set aside as damaged/000003.h5" in outcome.notes[0]
    assert (copy / "damaged" / "000003.h5").read_bytes() == broken
    assert outcome.fits == PLAN.batches[3].fits


def test_damage_is_set_aside_as_often_as_it_comes(copy):
    for name in ("000003.h5", "000003.h5.1", "000003.h5.2"):
        damage(runs.batch_path(copy, 3), "cut")
        run(copy, resume=True)
        assert (copy / "damaged" / name).exists()


def test_no_single_flipped_bit_of_a_batch_goes_unseen(whole):
    image = runs.batch_path(whole, 0).read_bytes()
    rng = np.random.default_rng(1)
    for at in (*range(700), *rng.integers(0, len(image), 300)):
        changed = bytearray(image)
        changed[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(InputError):
            batchfile.read_header(bytes(changed))


def test_files_of_a_killed_writer_are_removed(copy):
    left = copy / "batches" / ".000002.h5.123.tmp"
    left.write_bytes(b"half")
    run(copy, resume=True)
    assert not left.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r.update(schema=0), "layout version 0, this software reads 1"),
        (lambda r: r.update(schema=2), "layout version 2, this software reads 1"),
        (lambda r: r["plan"].update(bootstrap=8), "its hash does not match"),
        (lambda r: r.update(halonmf="fit"), "is not the settings of an ensemble"),
        (lambda r: r.pop("plan"), "damaged"),
    ],
)
def test_settings_of_another_layout_or_changed_ones_are_refused(copy, change, says):
    record = json.loads((copy / "settings.json").read_text())
    change(record)
    (copy / "settings.json").write_text(json.dumps(record))
    for attempt in (lambda: open_run(copy), lambda: run(copy, resume=True)):
        with pytest.raises(InputError, match=says):
            attempt()


@pytest.mark.parametrize("schema", [0, 3, 99])
def test_a_batch_of_another_layout_is_named(whole, schema):
    image = runs.batch_path(whole, 0).read_bytes().replace(b"halonmf batch 2\n", f"halonmf batch {schema}\n".encode())
    with pytest.raises(InputError, match=f"layout version {schema}, this software reads 1, 2"):
        batchfile.read_header(image)


def test_no_run_is_told_from_a_damaged_one(tmp_path):
    with pytest.raises(InputError, match="no run is there"):
        open_run(tmp_path)


# files from elsewhere


def sealed(fill, schema, group=""):
    """A batch file with a right checksum over whatever `fill` puts into its HDF5."""
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        fill(file.create_group(group) if group else file)
    record = b'{"run": "", "index": 0, "parts": [[0, 0, 1]], "failures": {}, "texts": {}}'
    return batchfile._head(record, image.getvalue(), schema) + image.getvalue()


def virtual(file):
    layout = h5py.VirtualLayout((20,), "f8")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (20,))
    file.create_virtual_dataset("0.base.x", layout)


@pytest.mark.parametrize(
    "fill",
    [
        lambda file: file.__setitem__("0.base.x", h5py.ExternalLink("other.h5", "x")),
        lambda file: file.__setitem__("0.base.x", h5py.SoftLink("/y")),
        lambda file: file.create_dataset("0.base.x", (20,), "f8", external=[(b"/etc/hostname", 0, 160)]),
        virtual,
        lambda file: file.create_dataset("0.base.x", (2**40,), "f8", chunks=(1024,)),
        lambda file: file.create_dataset("0.base.x", (2**22,), "f8", chunks=(1024,)),
        lambda file: [file.create_dataset(f"0.base.{i}", (2**27,), "f8", chunks=(2**10,)) for i in range(3)],
        lambda file: file.create_dataset("0.base.x", data=["text"], dtype=h5py.string_dtype()),
        lambda file: file.create_dataset("0.base.x", (1,), dtype=h5py.vlen_dtype(np.int64)),
        lambda file: file.create_dataset("0.base.x", (1,), dtype=h5py.ref_dtype),
        lambda file: file.create_group("0.base.x"),
        lambda file: file.create_dataset("0.base.x", data=np.array(b"x" * 5000)),
        lambda file: file.create_dataset("0.base.x", (2**22,), "S64", chunks=(1024,)),
        lambda file: file.create_dataset("0.base.x", (2**22,), "S64", chunks=(2**16,), compression="gzip"),
        lambda file: file.create_dataset("0.base.x", data=np.int8(1)).attrs.update({f"n{i}": i for i in range(65)}),
        lambda file: file.create_dataset("0.base.x", data=h5py.Empty("f8")),
        lambda file: file.create_dataset("0.base.x", data=[1j]),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("schema", "group"), [(1, ""), (2, ""), (2, "configuration_000000")])
def test_hostile_batches_are_refused_although_their_checksum_is_right(fill, schema, group):
    with pytest.raises(InputError, match="refused"):
        batchfile.decode(sealed(fill, schema, group))


@pytest.mark.parametrize(
    ("fill", "schema", "group"),
    [
        (lambda file: file.create_dataset("0.nonsense.x", data=[1.0]), 1, ""),
        (lambda file: file.create_dataset("7.base.x", data=[1.0]), 1, ""),
        (lambda file: file.create_dataset("x", data=[1.0]), 1, ""),
        (lambda file: file.create_dataset("0.replicates.x", data=[1.0, 2.0]), 1, ""),
        (lambda file: file.create_dataset("x", data=[1.0]), 1, "configuration_000000"),
        (lambda file: file.create_dataset("x", data=[1.0]), 2, ""),
        (lambda file: file.create_dataset("x", data=[1.0]), 2, "configuration_000001"),
        (lambda file: file.create_dataset("x", data=[1.0, 2.0]), 2, "configuration_000000"),
        (lambda file: file.create_dataset("bin_E_bounds", data=[1.0]), 2, "configuration_000000"),
        (lambda file: file.create_dataset("bin_E_bounds", data=np.ones((3, 1))), 2, "configuration_000000"),
    ],
)
def test_batches_with_other_arrays_than_theirs_are_refused(fill, schema, group):
    with pytest.raises(InputError, match="refused"):
        batchfile.decode(sealed(fill, schema, group))


def test_an_axis_without_coordinates_is_never_read_however_long_it_says_it_is():
    def fill(file):
        file.create_dataset("star", (2**40,), "f4", chunks=(2**20,)).make_scale("star")

    _, (found,) = batchfile.decode(sealed(fill, 2, "configuration_000000"))
    assert not found.replicates


def test_texts_and_truth_values_survive_a_batch_file():
    part = Part(0, 0, 2)
    one = Computed(part, {"refused": np.array([True, False])}, {}, {"names": np.array(["LE", "é"])})
    _, (again,) = batchfile.decode(batchfile.encode("0", 0, [one]))
    assert again.replicates["refused"].dtype == bool
    assert again.coordinates["names"].tolist() == ["LE", "é"]


# what cannot be computed


def test_a_configuration_that_fails_is_listed_and_the_others_are_there(tmp_path):
    plan = Plan(PLAN.base, (parse_sweep(f"seed=1,{_fake_run.POISON},2"),), 7, 4)
    run(tmp_path / "run", plan)
    found = open_run(tmp_path / "run")
    assert found.complete
    assert [(failure.label, failure.reason) for failure in found.failed] == [("seed=13", "this seed brings bad luck.")]
    assert len(found.replicates(0)["n"]) == len(found.replicates(2)["n"]) == 7
    with pytest.raises(InputError, match="seed=13 could not be computed: this seed brings bad luck"):
        found.replicates(1)
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["failed"][0]["setup"] == "seed=13"


def test_a_failure_of_any_kind_in_one_part_leaves_the_rest_of_its_batch(tmp_path):
    plan = Plan(PLAN.base, (parse_sweep("seed=0:3"),), 1, 8)
    assert len(plan.batches) == 1

    def sometimes(base, first, count, *, keep_factors=False):
        if base.setup.fit.solver.seed == 2:
            raise np.linalg.LinAlgError("no convergence")
        return reduce(base, first, count)

    run(tmp_path / "run", plan, reduce=sometimes)
    found = open_run(tmp_path / "run")
    assert [failure.reason for failure in found.failed] == ["LinAlgError: no convergence"]
    assert found.replicates(3)["n"].tolist() == [0]


def test_what_failed_is_tried_again_and_nothing_else(tmp_path):
    plan = Plan(PLAN.base, (parse_sweep("seed=0:2"),), 7, 7)

    def failing(base, first, count, *, keep_factors=False):
        if base.setup.fit.solver.seed == 1:
            raise UsageError("not today")
        return reduce(base, first, count)

    run(tmp_path / "run", plan, reduce=failing)
    seen, counting = counted()
    run(tmp_path / "run", plan, reduce=counting, resume=True)
    assert [setup.fit.solver.seed for setup, _, _ in seen] == [1]
    assert not open_run(tmp_path / "run").failed


# a device's memory


class OutOfMemoryError(RuntimeError):
    """Stands for torch's, which is known by its name."""


@pytest.mark.parametrize("error", [OutOfMemoryError("CUDA out of memory"), MemoryError()])
@pytest.mark.parametrize("room", [1, 2, 3])
def test_a_batch_too_large_for_the_device_is_halved_with_the_same_numbers(whole, tmp_path, error, room):
    sizes = []

    def small(base, first, count, *, keep_factors=False):
        sizes.append(count)
        if count > room:
            raise error
        return reduce(base, first, count)

    run(tmp_path / "run", reduce=small)
    assert contents(tmp_path / "run") == contents(whole)
    assert max(sizes) > room


def test_the_error_of_torch_itself_is_known():
    import torch

    from halonmf.halo.ensembles.worker import _out_of_memory

    assert _out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory"))
    assert not _out_of_memory(RuntimeError("something else"))


def test_a_replicate_too_large_for_the_device_is_a_failure(tmp_path):
    def never(base, first, count, *, keep_factors=False):
        if base.setup.fit.solver.seed == 1:
            raise OutOfMemoryError("CUDA out of memory")
        return reduce(base, first, count)

    run(tmp_path / "run", reduce=never)
    assert {failure.label for failure in open_run(tmp_path / "run").failed} == {"pixels=2 seed=1", "pixels=3 seed=1"}


# shards


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_shards_in_any_order_make_the_files_of_one_run(whole, tmp_path, order):
    for i in order:
        run(tmp_path / "run", shard=(i, 3))
    assert contents(tmp_path / "run") == contents(whole)


def test_a_shard_of_other_settings_is_refused(tmp_path):
    run(tmp_path / "run", shard=(1, 3))
    with pytest.raises(UsageError, match="batch: 4 there, 5 here"):
        run(tmp_path / "run", dataclasses.replace(PLAN, batch=5), shard=(2, 3))


def test_a_shard_sets_only_its_own_damage_aside(copy):
    damage(runs.batch_path(copy, 0), "cut")
    other = copy / "batches" / ".000000.h5.7.tmp"
    other.touch()
    assert not run(copy, shard=(3, 3)).notes
    assert other.exists()
    assert len(run(copy, shard=(1, 3)).notes) == 1
    assert not other.exists()
