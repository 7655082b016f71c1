"""The kernels as NVRTC compiles them, with no GPU: registers, shared memory, spills and instructions."""

from __future__ import annotations

import functools
import re
import subprocess
import sysconfig
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .emulation import SOURCES, Build

BIN = Path(sysconfig.get_paths()["purelib"]) / "nvidia" / "cu13" / "bin"
# Of one multiprocessor of each architecture: registers, shared memory for blocks, and what each block loses of it.
REGISTERS, RESERVED = 65536, 1024
SHARED = {"sm_80": 164 * 1024, "sm_90": 228 * 1024, "sm_100": 228 * 1024}
DOUBLE = re.compile(r"D(ADD|FMA|MUL|SETP)\b|MUFU\.(RCP|RSQ)64H|F2F\.F64")


@dataclass(frozen=True)
class Code:
    """One kernel of a compiled build; it is taken apart when its instructions are asked for."""

    registers: int
    stack: int  # bytes of local memory: spills, or arrays that are indexed
    shared: int  # static
    seconds: float  # of compilation, CPU
    binary: bytes
    name: str

    @functools.cached_property
    def parts(self) -> tuple[tuple[str, ...], tuple[Counter, ...]]:
        """Return the instructions, and of the innermost loops how often each operation stands in them."""
        return _parse(_section(_tool("nvdisasm", self.binary, "-c"), self.name))

    @property
    def instructions(self) -> tuple[str, ...]:
        """Return all instructions."""
        return self.parts[0]

    @property
    def loops(self) -> tuple[Counter, ...]:
        """Return the innermost loops."""
        return self.parts[1]

    @property
    def doubles(self) -> int:
        """Return how many instructions work in float64."""
        return sum(bool(DOUBLE.match(operation(x))) for x in self.instructions)


@functools.cache
def compiled(build: Build, arch: str, blocks: int = 4, name: str = "solve") -> Code:
    """Compile a build and take its kernel `name` apart."""
    from cuda.core import Program, ProgramOptions

    macros = [*build.macros().items(), ("BLOCKS", str(blocks))]
    options = ProgramOptions(name="solve.cu", std="c++17", arch=arch, include_path=str(SOURCES), define_macro=macros)
    began = time.process_time()
    code = bytes(Program((SOURCES / "solve.cu").read_text(), "c++", options).compile("cubin").code)
    seconds = time.process_time() - began
    use = _tool("cuobjdump", code, "-res-usage")
    numbers = re.search(rf"Function {name}:\s*\n?\s*REG:(\d+) STACK:(\d+) SHARED:(\d+)", use)
    assert numbers, use
    return Code(*(int(x) for x in numbers.groups()), seconds, code, name)


def fit(code: Code, build: Build, nbytes: int, arch: str) -> int:
    """Return how many blocks a multiprocessor holds."""
    warps = build.threads // 32
    by_registers = REGISTERS // (-(-code.registers * 32 // 256) * 256 * warps)
    taken = -(-(nbytes + code.shared + RESERVED) // 128) * 128
    return min(by_registers, SHARED[arch] // taken, 64 // warps)


def operation(instruction: str) -> str:
    """Return an instruction's operation with its modifiers."""
    return re.sub(r"^@!?U?P\w+\s+", "", instruction).split()[0]


def _tool(name: str, binary: bytes, *arguments: str) -> str:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary)
        file.flush()
        command = [str(BIN / name), *arguments, file.name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _section(listing: str, name: str) -> str:
    begin = re.search(rf"\.section\s+\.text\.{name},", listing)
    assert begin
    end = listing.find(".section", begin.end())
    return listing[begin.start() : end if end > 0 else len(listing)]


def _parse(text: str) -> tuple[tuple[str, ...], tuple[Counter, ...]]:
    places: dict[str, int] = {}
    instructions: list[str] = []
    for line in text.splitlines():
        if label := re.match(r"^(\.L_x_\d+):", line):
            places[label[1]] = len(instructions)
        elif found := re.match(r"^\s+/\*[0-9a-f]{4,}\*/\s+(.*?);", line):
            instructions.append(found[1].strip())
    ends = set()
    for i, text in enumerate(instructions):
        jump = re.search(r"BRA.*`\((\.L_x_\d+)\)", text)
        if jump and places.get(jump[1], i + 1) <= i:
            ends.add((places[jump[1]], i))
    inner = [(a, b) for a, b in ends if not any(a <= c and d <= b and (c, d) != (a, b) for c, d in ends)]
    return tuple(instructions), tuple(Counter(operation(x) for x in instructions[a : b + 1]) for a, b in sorted(inner))
