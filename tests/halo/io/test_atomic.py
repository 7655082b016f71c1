"""Files under their final names are complete or absent, and nobody can make them land elsewhere."""

import os
import stat

import pytest

from halonmf.halo.errors import OutputError
from halonmf.halo.io import atomic
from halonmf.halo.io.atomic import check_output, remove_temporary, temporary_name, write_atomically, write_bytes


def test_temporary_names_are_never_the_same_and_tell_the_host(tmp_path):
    names = {temporary_name(tmp_path / "fit.h5").name for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith(f".fit.h5.{atomic.socket.gethostname()[:40]}.") for name in names)
    assert str(os.getpid()) not in {part for name in names for part in name.split(".")}


def test_temporary_files_of_killed_processes_are_removed_by_the_name_of_their_output_and_nothing_else_is(tmp_path):
    left = {name: temporary_name(tmp_path / name) for name in ("fit.h5", "stars.fits")}
    others = [tmp_path / name for name in ("fit.h5", ".fit.h5.notes.tmp", ".fit.h5", f".fit.h5.host.{'0' * 32}.dead")]
    for path in (*left.values(), *others):
        path.touch()
    remove_temporary(tmp_path, "fit.h5")
    assert set(tmp_path.iterdir()) == {left["stars.fits"], *others}
    remove_temporary(tmp_path)
    assert set(tmp_path.iterdir()) == set(others)
    remove_temporary(tmp_path / "no such folder")


def test_the_longest_names_can_be_written(tmp_path):
    path = tmp_path / ("\u00e4" * 127)
    write_bytes(path, b"here")
    assert path.read_bytes() == b"here"


def test_no_link_is_followed_under_the_temporary_name(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(atomic, "temporary_name", lambda path: path.with_name("planted"))
    (tmp_path / "planted").symlink_to(victim)
    with pytest.raises(OutputError, match="File exists"):
        write_bytes(tmp_path / "out", b"other")
    assert victim.read_bytes() == b"precious"


def test_a_link_put_in_the_place_of_the_temporary_file_is_not_renamed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")

    def write(temporary):
        temporary.symlink_to(victim)

    with pytest.raises(OutputError, match="something else took"):
        write_atomically(tmp_path / "out", write)
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["victim"]


@pytest.mark.parametrize("there", [True, False])
def test_an_output_that_is_a_link_is_refused_by_name(tmp_path, there):
    if there:
        (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"is a link to .*elsewhere"):
        write_bytes(tmp_path / "out", b"other", overwrite=True)
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "elsewhere").exists() == there


def test_a_pipe_is_no_output(tmp_path):
    os.mkfifo(tmp_path / "out")
    with pytest.raises(OutputError, match="a device or a pipe"):
        check_output(tmp_path / "out", overwrite=True)
    assert stat.S_ISFIFO((tmp_path / "out").stat().st_mode)


def test_what_fails_half_way_leaves_nothing(tmp_path):
    def write(temporary):
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left on device"):
        write_atomically(tmp_path / "out", write)
    assert not list(tmp_path.iterdir())
