"""A driver without a GPU: builds it, and what it runs in place of machine code; runs programs on it.

Kernels are compiled by NVRTC as ever; the same source is compiled by g++ beside it, under the hash of the machine code,
by which the driver (driver.c) finds it. This module needs no test library: programs on the stand-in import it too.
"""

import functools
import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FOLDER = pathlib.Path(tempfile.gettempdir()) / f"nmfcore-stand-in-{os.getuid()}"
# Seconds after which a program on the stand-in hangs; most of its time is compilation.
LONGEST = 900


def missing():
    """Say what the stand-in lacks here, or nothing."""
    if sys.platform != "linux":
        return "the stand-in driver is for Linux"
    for program in ("gcc", "g++"):
        if shutil.which(program) is None:
            return f"{program} is not here"
    for package in ("cuda.bindings", "cuda.core"):
        try:
            found = importlib.util.find_spec(package)
        except ImportError:
            found = None
        if found is None:
            return f"{package} is not installed (the extra 'cuda')"
    try:
        from cuda.bindings import nvrtc

        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError, OSError) as error:
        return f"NVRTC is not here ({error})"
    return ""


@functools.lru_cache(maxsize=1)
def driver():
    """Build the driver, once for each text of it; return its folder."""
    source = HERE / "driver.c"
    folder = FOLDER / hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    options = ["-shared", "-fPIC", "-O1", "-fvisibility=hidden", "-Wl,-soname,libcuda.so.1"]
    build(["gcc", *options, str(source), "-ldl", "-lpthread"], folder / "libcuda.so.1")
    return folder


@functools.lru_cache(maxsize=1)
def store():
    """Return where compiled kernels are kept, for one state of all sources."""
    sources = [*(ROOT / "nmfcore/kernels/cuda").glob("*.cu*")]
    sources += [x for x in HERE.iterdir() if x.suffix in (".cpp", ".h", ".cu")]
    texts = b"\0".join(x.read_bytes() for x in sorted(sources))
    return FOLDER / hashlib.sha256(texts).hexdigest()[:16]


def environment(**settings):
    """Return the variables of a process on the stand-in; `settings` as in driver.c."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STANDIN_", "CUDA_"))}
    paths = [str(driver()), *filter(None, [kept.get("LD_LIBRARY_PATH")])]
    python = [str(HERE), *filter(None, [kept.get("PYTHONPATH")]), str(ROOT)]
    return {
        **kept,
        "LD_LIBRARY_PATH": os.pathsep.join(paths),
        "PYTHONPATH": os.pathsep.join(python),
        "NMFCORE_CACHE_DIR": str(store() / "code"),
        "STANDIN_KERNELS": str(store() / "kernels"),
        **{f"STANDIN_{name}": str(value) for name, value in settings.items()},
    }


def run(program, *arguments, check=True, **settings):
    """Run a Python program on the stand-in; return what became of it."""
    return _run(f"import standin; standin.install()\n{program}", arguments, environment(**settings), check)


def run_on_gpu(program, *arguments, check=True, **_):
    """Run the same program on the GPUs that are here; what would be settings of the stand-in is left out."""
    python = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH"), str(ROOT)]))
    return _run(program, arguments, {**os.environ, "PYTHONPATH": python}, check)


def _run(text, arguments, variables, check):
    done = subprocess.run(
        [sys.executable, "-c", text, *map(str, arguments)], env=variables, cwd=ROOT,
        capture_output=True, text=True, check=False, timeout=LONGEST,
    )  # fmt: skip
    assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def install():
    """Compile for the processor, too, whatever kernel this process uses from now on."""
    from nmfcore.kernels.cuda import compiler, device

    machine_code = device.machine_code

    def both(source, definitions, arch):
        code = machine_code(source, definitions, arch)
        for_processor(compiler.SOURCES / source, definitions, code)
        return code

    device.machine_code = both


def for_processor(source, definitions, code):
    """Compile a source by g++ to where the driver looks for the machine code's counterpart."""
    target = pathlib.Path(os.environ["STANDIN_KERNELS"]) / f"{fowler_noll_vo(code):016x}.so"
    macros = [f"-D{name}={value}" for name, value in definitions]
    if source.stem == "draw":
        macros.append("-DDRAWS_ALONE")
    wrapper = "probe.cpp" if source.stem == "probe" else "kernels.cpp"
    build_on_cpu(wrapper, [f"-I{source.parent}", *macros], target)


def build_on_cpu(wrapper, options, target, flags=()):
    """Build kernels for the processor; what runs their threads is compiled once for each set of flags."""
    every = ["-std=c++17", "-O1", "-fPIC", *flags]
    runtime = b"".join((HERE / name).read_bytes() for name in ("on_cpu.cpp", "on_cpu.h")) + repr(every).encode()
    threads = FOLDER / f"{hashlib.sha256(runtime).hexdigest()[:16]}.o"
    build(["g++", *every, "-c", str(HERE / "on_cpu.cpp")], threads)
    include = [f"-I{HERE}", f"-I{ROOT / 'nmfcore/kernels/cuda'}"]
    build(["g++", *every, "-w", "-shared", *include, *options, str(HERE / wrapper), str(threads)], target)


def fowler_noll_vo(code):
    """Return the 64-bit hash 1a of Fowler, Noll & Vo."""
    total = 0xCBF29CE484222325
    for byte in code:
        total = ((total ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return total


def build(command, target):
    """Build a file, which appears under its name when it is complete: tests side by side may build the same."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = pathlib.Path(folder) / target.name
        done = subprocess.run([*command, "-o", str(made)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
        made.replace(target)
