"""Gzip files are unpacked from front to back: whole and right, or refused."""

import gzip
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halonmf.halo.errors import InputError
from halonmf.halo.io import packed
from halonmf.halo.io.packed import beginning, check_unpacked, is_packed, unpacked


def read(path, *sizes):
    with unpacked(path) as stream:
        return [stream.read(size) for size in sizes]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=5000), cut=st.integers(0, 5000), members=st.integers(1, 3))
def test_any_content_comes_back_in_any_pieces(tmp_path, data, cut, members):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(data) * members)
    first, rest = read(path, cut, 10**6)
    assert first + rest == data * members
    assert first == (data * members)[:cut]


def test_pieces_of_the_packed_file_do_not_show(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "PIECE", 7)
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 40) + bytes(20))
    assert b"".join(read(path, 10**6)) == bytes(range(256)) * 40


@pytest.mark.parametrize("kept", [3, 15, 200, -4, -1])
def test_a_file_that_ends_too_early_is_refused(tmp_path, kept):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 40)[:kept])
    with pytest.raises(InputError, match=r"x\.gz: truncated"):
        read(path, 10**6)


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path):
    path = tmp_path / "x.gz"
    data = bytearray(gzip.compress(b"stars" * 1000))
    data[-6] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged gzip"):
        read(path, 10**6)


def test_the_beginning_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(b"SIMPLE  =") + b"")
    (tmp_path / "b").write_bytes(b"SIMPLE  =")
    assert beginning(tmp_path / "a") == beginning(tmp_path / "b") == b"SIMPLE  ="
    assert [is_packed(tmp_path / name) for name in "ab"] == [True, False]


def test_a_few_bytes_that_unpack_to_very_many_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "PLENTY", 1000)
    path = tmp_path / "x.csv.gz"
    path.write_bytes(zlib.compress(bytes(10**6), wbits=31))
    with pytest.raises(InputError, match="unpacks to more than"):
        check_unpacked(path)
