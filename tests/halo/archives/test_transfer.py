"""Files from a server that fails as servers do: they come whole, or what came is kept and the error says why."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.exceptions import MaxRetryError

from halonmf.halo.archives import fetch as fetching
from halonmf.halo.archives.fetch import carry_out, plan
from halonmf.halo.archives.sources import Remote
from halonmf.halo.archives.transfer import TRIES, Connection, Transfer, parts, reason
from halonmf.halo.errors import InputError, OutputError, UnreachableError

from .server import serving, sha1

CONTENT = np.random.default_rng(1).bytes(3_000_000)
SHA1 = sha1(CONTENT)


@pytest.fixture
def archive():
    with serving() as one:
        one.put("/d/stars.fits", CONTENT)
        yield one


@pytest.fixture
def waits():
    return []


@pytest.fixture
def get(archive, tmp_path, waits):
    def run(checksum=SHA1, size=None, checksums="", progress=lambda *_: None):
        entry = {"url": f"{archive.url}/d/stars.fits", "checksum": checksum, "checksums": checksums}
        text = "".join(f'{key} = "{value}"\n' for key, value in entry.items() if value)
        text += f"size = {size}\n" if size else ""
        (tmp_path / "sources.toml").write_text(f"[x]\n[[x.files]]\n{text}")
        connection = Connection(timeout=(2.0, 2.0), sleep=waits.append)
        todo = plan(["x"], tmp_path / "out", sources=tmp_path / "sources.toml", connection=connection)
        return carry_out(todo, progress)

    return run


def left(tmp_path):
    folder = tmp_path / "out"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_comes_whole_and_nothing_else_is_left(get, tmp_path):
    told = []
    assert get(progress=lambda *told_: told.append(told_)) == [tmp_path / "out" / "stars.fits"]
    assert (tmp_path / "out" / "stars.fits").read_bytes() == CONTENT
    assert left(tmp_path) == ["stars.fits"]
    assert told[-1] == ("stars.fits", len(CONTENT), len(CONTENT))


def test_the_file_can_be_read_by_whom_the_umask_allows(get, tmp_path):
    (tmp_path / "other").touch()
    assert get()[0].stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_file_that_is_there_and_whole_is_not_asked_for(get, archive):
    get()
    archive.asked.clear()
    get()
    assert archive.asked == []


@pytest.mark.parametrize("cuts", [1, 4])
def test_what_breaks_off_is_gone_on_with_from_where_it_was(get, archive, tmp_path, cuts):
    archive.faults["/d/stars.fits"] = ["cut"] * cuts
    get()
    assert (tmp_path / "out" / "stars.fits").read_bytes() == CONTENT
    wanted = [0 if one is None else int(one[6:-1]) for one in archive.gets("/d/stars.fits")]
    assert len(wanted) == cuts + 1
    assert wanted == sorted(set(wanted))


def test_a_later_call_goes_on_with_what_an_earlier_one_left(get, archive, tmp_path):
    archive.faults["/d/stars.fits"] = ["cut", *[500] * TRIES]
    with pytest.raises(UnreachableError, match=r"500 .*1,441,792 bytes are kept; .* same command again"):
        get()
    assert left(tmp_path) == ["stars.fits.part", "stars.fits.part.etag"]
    archive.asked.clear()
    get()
    assert archive.gets("/d/stars.fits") == ["bytes=1441792-"]
    assert (tmp_path / "out" / "stars.fits").read_bytes() == CONTENT
    assert left(tmp_path) == ["stars.fits"]


def test_without_ranges_it_begins_again(get, archive, tmp_path):
    archive.ranges = False
    archive.faults["/d/stars.fits"] = ["cut"]
    get()
    assert (tmp_path / "out" / "stars.fits").read_bytes() == CONTENT


def test_without_ranges_and_always_cut_it_gives_up(get, archive):
    archive.ranges = False
    archive.faults["/d/stars.fits"] = ["cut"] * 50
    with pytest.raises(UnreachableError, match="broke"):
        get()
    assert len(archive.gets("/d/stars.fits")) <= TRIES + 1


def test_a_part_of_another_version_is_not_gone_on_with(get, archive, tmp_path):
    archive.faults["/d/stars.fits"] = ["cut", *[503] * TRIES]
    with pytest.raises(UnreachableError):
        get(checksum="")
    changed = CONTENT[::-1]
    archive.put("/d/stars.fits", changed)
    get(checksum="")
    assert (tmp_path / "out" / "stars.fits").read_bytes() == changed


def test_another_piece_than_was_asked_for_is_not_appended(get, archive, tmp_path):
    archive.faults["/d/stars.fits"] = ["cut", "other"]
    get(checksum="")
    assert (tmp_path / "out" / "stars.fits").read_bytes() == CONTENT


def test_a_file_of_another_length_than_is_known_is_refused(get, archive, tmp_path):
    archive.heads = False
    with pytest.raises(InputError, match="has 3,000,000 bytes and should have 77; the archive has another file"):
        get(size=77)
    assert left(tmp_path) == []


def test_a_part_that_is_longer_than_the_file_is_thrown_away(get, tmp_path):
    (tmp_path / "out").mkdir()
    parts(tmp_path / "out", "stars.fits")[0].write_bytes(b"x" * (len(CONTENT) + 5))
    get()
    assert (tmp_path / "out" / "stars.fits").read_bytes() == CONTENT


def test_another_checksum_is_refused_and_nothing_is_left(get, tmp_path):
    with pytest.raises(InputError, match="has not the checksum sha1:1111"):
        get(checksum="sha1:" + "1" * 40)
    assert left(tmp_path) == []


def test_a_file_that_is_not_there_is_an_error_at_once(get, archive, tmp_path, waits):
    del archive.files["/d/stars.fits"]
    with pytest.raises(InputError, match=r"stars.fits: the server answers 404 Not Found; the archive may have moved"):
        get()
    assert waits == []
    assert left(tmp_path) == []


def test_a_busy_server_is_asked_again_with_longer_pauses(get, archive, waits):
    archive.faults["/d/stars.fits"] = [503, 503, 502]
    get()
    assert waits == [1.0, 2.0, 4.0]


def test_the_pause_that_a_server_asks_for_is_kept(get, archive, waits):
    archive.faults["/d/stars.fits"] = [429]
    get()
    assert waits == [7.0]


def test_a_slow_server_is_waited_for(get, archive, tmp_path):
    archive.faults["/d/stars.fits"] = ["slow"]
    get()
    assert (tmp_path / "out" / "stars.fits").read_bytes() == CONTENT


def test_without_a_length_the_end_of_the_answer_is_the_end(get, archive, tmp_path):
    archive.lengths = archive.heads = False
    get()
    assert (tmp_path / "out" / "stars.fits").read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["stars.fits", "resolve/main/stars.fits"])
def test_a_machine_without_a_network_hears_so_after_two_attempts(tmp_path, waits, path):
    (tmp_path / "s.toml").write_text(f'[x]\n[[x.files]]\nurl = "http://127.0.0.1:9/{path}"\n')
    with pytest.raises(UnreachableError, match=r"no answer \(it refuses the connection\); check the network"):
        plan(["x"], tmp_path, sources=tmp_path / "s.toml", connection=Connection(sleep=waits.append))
    assert waits == [1.0]


def test_the_words_of_an_address_are_no_reason():
    error = requests.ConnectionError(MaxRetryError(None, "/refused/resolve", OSError("reset by peer")))
    assert reason(error) == "the connection broke"
    assert reason(requests.ConnectionError()) == "the connection broke"


def test_too_little_space_is_said_before_anything_is_written(get, archive, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 52_000_000}))
    get()
    todo = plan(["x"], tmp_path / "new", sources=tmp_path / "sources.toml")
    with pytest.raises(OutputError, match=r"new: 3 MB are to come and 52 MB are free; free space or choose another"):
        todo.check_room()
    assert not (tmp_path / "new").exists()


@settings(max_examples=25, deadline=None)
@given(
    faults=st.lists(st.sampled_from(["cut", "other", 500, 503, 429]), max_size=12),
    size=st.integers(1, 400_000),
    ranges=st.booleans(),
    version=st.booleans(),
)
def test_whatever_goes_wrong_the_file_is_whole_or_its_part_is_its_beginning(faults, size, ranges, version):
    content = CONTENT[:size]
    with serving() as archive, tempfile.TemporaryDirectory() as folder:
        url = archive.put("/d/f", content)
        archive.ranges, archive.version, archive.faults["/d/f"] = ranges, version, list(faults)
        target = Path(folder) / "f"
        transfer = Transfer(Remote(url), Path(folder), size, Connection(sleep=lambda _: None))
        try:
            transfer(url, str(target))
            assert target.read_bytes() == content
            assert sorted(path.name for path in Path(folder).iterdir()) == ["f"]
        except UnreachableError:
            assert len(faults) >= TRIES
            part = parts(Path(folder), "f")[0]
            assert not part.exists() or content.startswith(part.read_bytes())


@pytest.mark.parametrize("name", ["d.sha1sum", "apogee.md5sum"])
def test_the_list_next_to_the_file_gives_the_checksum(get, archive, tmp_path, name):
    import hashlib

    algorithm = name.rpartition(".")[2].removesuffix("sum")
    digits = hashlib.new(algorithm, CONTENT).hexdigest()
    archive.put("/d/", f'<a href="../">up</a> <a href="stars.fits">x</a> <a href="{name}">y</a>'.encode())
    archive.put(f"/d/{name}", f"{'0' * len(digits)}  ./other.fits\n{digits} *./stars.fits\n".encode())
    get(checksum="", checksums="folder")
    assert left(tmp_path) == ["stars.fits"]
    archive.put(f"/d/{name}", f"{'1' * len(digits)}  stars.fits\n".encode())
    with pytest.raises(OutputError, match=f"exists and is not the file of the archive .{algorithm}:1111"):
        get(checksum="", checksums="folder")


def test_a_list_of_every_file_of_a_survey_is_read_as_far_as_is_needed(get, archive, monkeypatch):
    from halonmf.halo.archives import checksums

    monkeypatch.setattr(checksums, "MOST", 100_000)
    many = "".join(f"{i:040x}  a/{i}.fits\n" for i in range(20_000))  # a megabyte
    archive.put("/d/", b"<a href='all.sha1sum'>x</a>")
    archive.put("/d/all.sha1sum", f"{many}{'3' * 40}  b/stars.fits\n{many}".encode())
    with pytest.raises(InputError, match="has not the checksum sha1:3333"):
        get(checksum="", checksums="folder")


def test_a_record_of_zenodo_gives_the_checksum(get, archive, tmp_path):
    import hashlib
    import json

    files = [{"key": "stars.fits", "size": len(CONTENT), "checksum": f"md5:{hashlib.md5(CONTENT).hexdigest()}"}]
    where = archive.put("/api", json.dumps({"files": files}).encode())
    assert get(checksum="", checksums=where)
    files[0]["checksum"] = "md5:" + "2" * 32
    archive.put("/api", json.dumps({"files": files}).encode())
    with pytest.raises(OutputError, match="md5:2222"):
        get(checksum="", checksums=where)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '{"files": [3]}', "<html>", '{"files": [{"key": "stars.fits"}]}', "[" * 100_000],
    ids=range(7),
)
def test_a_list_that_says_nothing_leaves_the_size(get, archive, text):
    where = archive.put("/api", text.encode())
    assert get(checksum="", checksums=where)


def test_a_web_page_in_place_of_a_file_is_no_file(archive, tmp_path, get):
    archive.put("/d/stars.fits", b"<!DOCTYPE html><title>Please log in</title>")
    with pytest.raises(InputError, match="sent a web page in place of the file"):
        get(checksum="")
    assert not list((tmp_path / "out").glob("stars.fits*"))


def test_redirects_without_end_are_not_asked_for_again(archive, get, waits):
    archive.faults["/d/stars.fits"] = ["loop"] * 200
    with pytest.raises(InputError, match="redirects without end"):
        get()
    assert waits == []
