"""What NVRTC makes of the kernels: spills, blocks per multiprocessor and instructions, each held to a number."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cuda.core", reason="cuda-core is not installed (the extra 'cuda')")
pytest.importorskip("cuda.bindings.nvrtc", reason="cuda-bindings are not installed (the extra 'cuda')")

from .emulation import MULTINOMIAL, Build
from .machine_code import BIN, compiled, fit
from .problems import RULES

pytestmark = pytest.mark.skipif(
    not (BIN / "nvdisasm").exists() or not (BIN / "cuobjdump").exists(),
    reason="nvidia-cuda-nvdisasm and nvidia-cuda-cuobjdump are not installed",
)
# The bins of 36 rows and 800 columns of the benchmark, half of them filled, at 128 threads; blocks at least.
CASES = [
    ("mu", 2, 5),
    ("rank2", 2, 5),
    ("arank2", 2, 5),
    ("ehals", 2, 5),
    ("ehals", 3, 4),
    ("ehals", 4, 4),
    ("newton", 2, 5),
    ("kl-mu", 2, 5),
]


def build_of(name, k, **more):
    return Build(k, **RULES[name][0], row=np.uint8, drawn=MULTINOMIAL, threads=128, **more)


# Rules that differ little in their use of registers are compiled for one architecture alone.
ELSEWHERE = [case for case in CASES if case[0] in ("mu", "arank2", "newton") or case[1] == 4]


@pytest.mark.parametrize(
    ("arch", "name", "k", "blocks"),
    [("sm_90", *case) for case in CASES] + [(arch, *case) for arch in ("sm_80", "sm_100") for case in ELSEWHERE],
)
def test_blocks_and_spills(arch, name, k, blocks):
    build = build_of(name, k)
    code = compiled(build, arch, blocks)
    cells, columns, rows = 15000, 800, 36
    nbytes = build.shorts * rows * k * 4 + columns * k * 4 + cells
    assert code.stack == 0
    assert code.shared <= 4096
    assert fit(code, build, nbytes, arch) >= blocks


@pytest.mark.parametrize(
    ("name", "k", "most"), [("mu", 2, 16), ("rank2", 2, 16), ("arank2", 2, 16), ("ehals", 4, 20), ("newton", 2, 26)]
)
def test_instructions_for_a_cell(name, k, most):
    code = compiled(build_of(name, k), "sm_90", 5 if k == 2 else 4)
    wide = [x for x in code.loops if x["LDS.U8"] and any(name.startswith("D") for name in x)]
    over_cells = [x for x in code.loops if x["LDS.U8"] and x["FFMA"] and x not in wide]
    hot = [x for x in over_cells if x["LDS.U8"] > 1]  # what is cold is not unrolled
    assert len(hot) >= 2
    assert len(wide) <= 1  # the loss
    for loop in over_cells:
        assert sum(loop.values()) / loop["LDS.U8"] <= (most if loop in hot else 1.5 * most)
        assert not any(x.startswith(("LDL", "STL", "CALL")) for x in loop)


def test_float64_is_for_starts_checks_and_the_loss():
    code = compiled(build_of("arank2", 2), "sm_90", 5)
    assert code.doubles <= 200


@pytest.mark.parametrize("k", [5, 16])
def test_many_components_compile(k):
    code = compiled(build_of("ehals", k), "sm_90", 1)
    assert code.registers <= 255


def test_the_largest_types_compile():
    build = replace(build_of("ehals", 3), dtype=np.float64, counts=np.uint16, row=np.uint32, entry=np.uint64)
    assert compiled(build, "sm_90", 2).stack == 0


@pytest.mark.parametrize(("name", "k", "most"), [("mu", 2, 4700), ("arank2", 2, 5200), ("ehals", 4, 6200)])
def test_no_more_code_than_compiles_soon(name, k, most):
    assert len(compiled(build_of(name, k), "sm_90", 5 if k == 2 else 4).instructions) <= most
