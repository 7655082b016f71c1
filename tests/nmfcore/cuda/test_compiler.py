"""What is kept of compiled kernels, and when it is not trusted; NVRTC itself is not needed."""

import os
import stat
import sys
import types

import pytest

from nmfcore.kernels.cuda import compiler

WANTED = ("solve.cu", (("K", "2"),), "sm_90")


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """A cache of its own, and a compiler that counts what it is asked."""
    asked = []

    def compile_source(source, definitions, arch):
        asked.append((source, definitions, arch))
        return f"code {len(asked)}".encode()

    monkeypatch.setenv("NMFCORE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler, "compile_source", compile_source)
    monkeypatch.setattr(compiler, "compiler_version", lambda: "0 13.0")
    compiler.machine_code.cache_clear()
    yield asked
    compiler.machine_code.cache_clear()


def again():
    """What another process would get."""
    compiler.machine_code.cache_clear()
    return compiler.machine_code(*WANTED)


def test_a_kernel_is_compiled_once_for_all_processes(compiled):
    assert again() == again() == b"code 1"
    assert compiled == [WANTED]


@pytest.mark.parametrize(
    "other", [("draw.cu", *WANTED[1:]), (WANTED[0], (("K", "3"),), "sm_90"), (*WANTED[:2], "sm_80")]
)
def test_another_source_option_or_architecture_is_another_kernel(compiled, other):
    again()
    assert compiler.machine_code(*other) == b"code 2"


def test_another_compiler_or_changed_source_compiles_anew(compiled, monkeypatch):
    again()
    monkeypatch.setattr(compiler, "compiler_version", lambda: "0 13.1")
    assert again() == b"code 2"
    monkeypatch.setattr(compiler, "source_hash", lambda: "changed")
    assert again() == b"code 3"


@pytest.mark.parametrize("damage", [lambda x: x[:-1], lambda x: b"", lambda x: x[:-1] + b"?", lambda x: b"\x7fELF" + x])
def test_a_damaged_file_is_compiled_again_and_mended(compiled, tmp_path, damage):
    again()
    (kept,) = (tmp_path / "cache").glob("*.cubin")
    kept.write_bytes(damage(kept.read_bytes()))
    assert again() == b"code 2"
    assert again() == b"code 2"


def test_nothing_but_whole_files_is_left(compiled, tmp_path):
    again()
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".cubin"]


def test_where_nothing_can_be_written_each_process_compiles(compiled, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NMFCORE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert (again(), again()) == (b"code 1", b"code 2")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_file_that_cannot_be_read_is_compiled_again(compiled, tmp_path):
    again()
    (kept,) = (tmp_path / "cache").glob("*.cubin")
    kept.chmod(stat.S_IWUSR)
    assert again() == b"code 2"


def test_compiling_is_said_and_reading_is_not(compiled):
    from nmfcore import when_compiling

    said = []
    for _ in range(2):
        with when_compiling(lambda: said.append("compiling")):
            again()
    assert said == ["compiling"]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("NMFCORE_CACHE_DIR", "here"), ("XDG_CACHE_HOME", "here/nmfcore/cuda"), (None, ".cache/nmfcore/cuda")],
)
def test_the_cache_is_where_the_environment_says_else_with_the_users(tmp_path, monkeypatch, variable, expected):
    for name in ("NMFCORE_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "here"))
    assert compiler.cache_folder() == tmp_path / expected


def test_older_releases_of_cuda_core_are_found_under_their_name(monkeypatch):
    older = types.ModuleType("cuda.core.experimental")
    monkeypatch.setitem(sys.modules, "cuda", types.ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.core", types.ModuleType("cuda.core"))
    monkeypatch.setitem(sys.modules, "cuda.core.experimental", older)
    sys.modules["cuda"].core, sys.modules["cuda.core"].experimental = sys.modules["cuda.core"], older
    assert compiler.cuda_core() is older


def test_without_cuda_core_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda", None)
    with pytest.raises(compiler.CompilerError, match="install the extra 'cuda'"):
        compiler.cuda_core()
