"""What the software is built from: every file by its hash, the same wheel twice, licences, a bill of materials."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .scripts import script

ROOT = Path(__file__).parents[1]


LOCK, DEPENDENCIES = script("lock", ".ci"), script("dependencies", ".ci")
LOCKED = (ROOT / "requirements.lock").read_text()


def test_the_lock_holds_the_constraints_but_torch_whose_version_alone_is_held():
    constraints = LOCK.pinned((ROOT / "constraints.txt").read_text())
    build = LOCK.pinned(LOCK.BUILD)
    assert {**LOCK.pinned(LOCKED), "torch": constraints["torch"]} == {**constraints, **build}


def test_every_entry_of_the_lock_has_hashes():
    blocks = [block for block in re.split(r"\n(?=[A-Za-z0-9])", LOCKED) if not block.startswith("#")]
    assert len(blocks) == len(LOCK.pinned(LOCKED))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", block) for block in blocks)


def test_what_there_is_for_linux_alone_is_asked_for_there_alone():
    asked = LOCK.requirements("# c\nnumpy==2.0\nnvidia-x==1\ncuda-y==2\ntorch==3\n")
    assert asked == [
        "numpy==2.0",
        *(f'{x} ; sys_platform == "linux"' for x in ("nvidia-x==1", "cuda-y==2")),
        LOCK.BUILD,
    ]


def test_make_and_continuous_integration_install_by_hashes_and_torch_by_its_pin():
    for text in ((ROOT / "Makefile").read_text(), (ROOT / ".ci" / "run").read_text()):
        installs = [line for line in text.splitlines() if "pip install" in line]
        assert len(installs) == 3
        assert "--require-hashes" in installs[0]
        assert installs[1].endswith("--constraint constraints.txt torch")
        assert "--no-deps" in installs[2]


def test_the_workflow_of_a_forge_calls_the_one_script():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = workflow["jobs"]["run"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    assert workflow["permissions"] == {"contents": "read"}
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_what_is_installed_with_the_package_has_a_licence_that_is_stated():
    found = DEPENDENCIES.closure()
    assert {"torch", "numpy", "scipy", "numba", "astropy", "h5py", "pyyaml", "typer", "matplotlib"} <= found.keys()
    assert not {"pytest", "dask", "galpy"} & found.keys()  # of extras
    silent = [name for name, (one, _) in found.items() if DEPENDENCIES.licence(one) == "not stated"]
    assert set(silent) <= {"torch", "halonmf"}  # torch's local builds state none; halonmf's is beside the metadata
    copyleft = [name for name, (one, _) in found.items() if re.search(r"\b(A?GPL)", DEPENDENCIES.licence(one))]
    assert copyleft == []


def test_the_part_of_the_lock_that_the_package_needs_is_all_that_it_needs_but_torch():
    part = LOCK.pinned(DEPENDENCIES.lock())
    assert part.keys() == DEPENDENCIES.closure().keys() - {"torch", "halonmf", "triton"}


def test_the_bill_of_materials_names_every_component_and_the_wheel(tmp_path):
    wheel = tmp_path / "halonmf-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    first, second = DEPENDENCIES.sbom(wheel), DEPENDENCIES.sbom(wheel)
    assert first == second
    assert (first["bomFormat"], first["specVersion"]) == ("CycloneDX", "1.6")
    assert first["metadata"]["component"]["hashes"][0]["content"] == hashlib.sha256(b"wheel").hexdigest()
    references = {one["bom-ref"] for one in first["components"]} | {first["metadata"]["component"]["bom-ref"]}
    assert references == {one["ref"] for one in first["dependencies"]}
    assert all(set(one["dependsOn"]) <= references for one in first["dependencies"])
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first["serialNumber"])
    json.dumps(first)


@pytest.mark.slow
def test_the_same_checkout_makes_the_same_wheel_whenever_it_is_built(tmp_path):
    made = []
    for i, time in enumerate((1_500_000_000, 1_700_000_000)):
        copy = tmp_path / str(i) / "halonmf"
        names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        for name in names:
            if (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, copy / name)
                os.utime(copy / name, (time, time))
        command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path / str(i))]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1600000000"}
        subprocess.run([*command, str(copy)], env=environment, check=True, capture_output=True)
        (wheel,) = (tmp_path / str(i)).glob("*.whl")
        made.append(wheel.read_bytes())
    assert made[0] == made[1]
