"""`halonmf init`: defaults in its settings file are the commands' own, and its job goes on where it ended."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from halonmf.halo.commands import options
from halonmf.halo.commands.begin import COMMANDS, job_file, settings_file

from .test_commands import small  # noqa: F401 - a fixture
from .test_help import ok, run
from .test_options import ALL, required


@pytest.fixture(scope="module")
def written():
    return settings_file({"bins": "E:5,Lz:4", "pixels": 30}, "why")


def test_the_file_is_toml_with_a_table_for_every_command(written):
    assert list(tomllib.loads(written)) == list(COMMANDS)


def test_what_is_chosen_is_set_where_a_fit_is_made_and_nowhere_else(written):
    found = tomllib.loads(written)
    assert found["fit"] == found["ensemble"] == {"bins": "E:5,Lz:4", "pixels": 30}
    assert all(not found[name] for name in set(COMMANDS) - {"fit", "ensemble"})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_default_in_the_file_is_the_commands_own(written, name, monkeypatch, tmp_path):
    monkeypatch.setattr(options, "check_there", lambda given, **_: None)
    plain = re.sub(r"^#(\S+ = .+)$", r"\1", settings_file({}), flags=re.MULTILINE)
    (tmp_path / "all.toml").write_text(plain)
    assert len(tomllib.loads(plain)[name]) > 0
    caught = []
    monkeypatch.setattr(ALL[name], "function", lambda **values: caught.append(values))
    for config in ([], ["--config", tmp_path / "all.toml"]):
        result = run(name, *required(name), *config)
        assert result.exit_code == 0, result.output
    by_default, by_file = caught
    assert by_file.keys() >= by_default.keys()
    assert {key: by_file[key] for key in by_default} == by_default


def test_bins_and_pixels_are_those_that_the_stars_suffice_for(small, tmp_path):  # noqa: F811
    folder, _ = small
    said = ok("init", folder / "stars.fits", "-o", tmp_path / "s.toml")
    chosen = tomllib.loads((tmp_path / "s.toml").read_text())["fit"]
    assert f"bins {chosen['bins']} and {chosen['pixels']} pixels" in said
    assert chosen["pixels"] < 50  # 1,300 stars are few
    done = ok("fit", folder / "stars.fits", "-o", tmp_path / "f.h5", "--config", tmp_path / "s.toml")
    assert "verdict: not to be trusted" not in done


def test_the_job_is_a_shell_script_of_an_ensemble_that_has_something_to_do(small, tmp_path):  # noqa: F811
    folder, _ = small
    ok("init", folder / "stars.fits", "-o", tmp_path / "s.toml", "--slurm")
    job = (tmp_path / "job.sh").read_text()
    subprocess.run(["bash", "-n", tmp_path / "job.sh"], check=True)
    assert f"ensemble {folder}/stars.fits -o runs/ --config s.toml --shard $SLURM_ARRAY_TASK_ID/4" in job
    assert tomllib.loads((tmp_path / "s.toml").read_text())["ensemble"]["bootstrap"] == 1000


@pytest.mark.parametrize("code", [0, 1, 75])
def test_the_job_ends_with_the_commands_code_and_is_requeued_on_75_alone(tmp_path, code):
    for name, does in {"srun": f"exit {code}", "scontrol": f"echo $* > {tmp_path}/requeued"}.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "job.sh").write_text(job_file(Path("stars.fits"), "s.toml"))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}
    assert subprocess.run(["bash", tmp_path / "job.sh"], env=environment, check=False).returncode == code
    asked = (tmp_path / "requeued").read_text() if (tmp_path / "requeued").exists() else None
    assert asked == ("requeue 7_2\n" if code == 75 else None)


def test_the_job_finds_the_stars_from_its_own_folder(small, tmp_path, monkeypatch):  # noqa: F811
    (tmp_path / "stars.fits").write_bytes((small[0] / "stars.fits").read_bytes())
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)
    ok("init", "stars.fits", "-o", "run/s.toml", "--slurm")
    assert "ensemble ../stars.fits -o runs/ --config s.toml" in (tmp_path / "run" / "job.sh").read_text()


def test_no_name_is_divided_in_the_comments(written):
    assert [line for line in written.splitlines() if line.endswith("-")] == []


def test_names_with_blanks_are_quoted_in_the_job(tmp_path):
    (tmp_path / "job.sh").write_text(job_file(Path("my stars.fits"), "a b.toml"))
    subprocess.run(["bash", "-n", tmp_path / "job.sh"], check=True)
    assert "'my stars.fits'" in (tmp_path / "job.sh").read_text()


def test_nothing_is_replaced_unless_it_is_asked(small, tmp_path):  # noqa: F811
    (tmp_path / "job.sh").write_text("mine")
    result = run("init", "-o", tmp_path / "s.toml", "--slurm")
    assert result.exit_code == 5
    assert (tmp_path / "job.sh").read_text() == "mine"
    assert not (tmp_path / "s.toml").exists()
