"""Memory, launches and their limits, through NVIDIA's packages on the stand-in driver."""

import json
import subprocess
import sys

import pytest

from . import standin

pytestmark = pytest.mark.skipif(bool(standin.missing()), reason=standin.missing() or "all is here")

BEGIN = """
import ctypes, gc, sys
import numpy as np
from nmfcore.kernels.cuda.device import device_of
from nmfcore.kernels.cuda.devices import count_devices, visible_devices, why_missing
from nmfcore.kernels.cuda.driver import DriverError

class Arguments(ctypes.Structure):
    _fields_ = [("x", ctypes.c_void_p), ("y", ctypes.c_void_p), ("number", ctypes.c_int), ("factor", ctypes.c_float)]

def scaled(device, x, shared=0, blocks=None, kind=Arguments):
    kernel = device.kernel("scale", str(standin.HERE / "probe.cu"), ())
    (source,) = device.upload("x", x)
    y = device.array("y", x.nbytes)
    blocks = -(-len(x) // 128) if blocks is None else blocks
    device.launch(kernel, blocks, 128, shared, kind(source, y, len(x), 2.0))
    out = device.pinned.empty(x.shape, x.dtype)
    device.download(out, y)
    device.wait()
    return out

def refused(work):
    try:
        work()
    except Exception as error:
        print(type(error).__name__, error)
    else:
        print("nothing was refused")

x = np.arange(1000, dtype=np.float32)
"""


# Programs on a device that has plenty of memory share one process: loading the engine takes longer than they do.
PROGRAMS = {
    "run": "with device_of(0) as device: print((scaled(device, x) == 2 * x).all())",
    "much shared memory": "with device_of(0) as device: print((scaled(device, x, 200_000) == 2 * x).all())",
    "too much shared memory": "with device_of(0) as device: refused(lambda: scaled(device, x, 300_000))",
    "another parameter": """
class Longer(Arguments):
    _fields_ = [("more", ctypes.c_double)]
with device_of(0) as device: refused(lambda: scaled(device, x, kind=Longer))
""",
    "same memory": """
with device_of(0) as device:
    print(len({device.array("z", size) for size in (2**22, 100, 2**22)}), device.array("y", 1) == device.array("z", 1))
""",
    "lent memory": """
with device_of(0) as device:
    first = device.pinned.empty((1000, 100), np.float32)
    view, where = first[3:], first.ctypes.data
    del first
    print(device.pinned.empty((1000, 100), np.float32).ctypes.data == where)
    del view
    gc.collect()
    print(device.pinned.empty((1000, 100), np.float32).ctypes.data == where)
""",
    "forked": """
import os
with device_of(0) as device: out = scaled(device, x)
child = os.fork()
if child == 0:
    os._exit(0 if (out == 2 * x).all() else 1)
print(os.waitpid(child, 0)[1])
""",
    "names": "print(*map(visible_devices, ('cuda', 'cuda:1', 'cuda:2')), why_missing('cuda:2'))",
    "two devices": """
from nmfcore.kernels.cuda.devices import on_devices
found = {}
on_devices(lambda device, factor: found.update({device.number: scaled(device, factor * x)}), [(0, 1), (1, 3)])
print(all((found[i] == f * 2 * x).all() for i, f in ((0, 1), (1, 3))))
""",
}
ALL = """
import contextlib, io, json
said = {}
for name, program in json.loads(sys.argv[1]).items():
    with contextlib.redirect_stdout(io.StringIO()) as text:
        exec(program)
    said[name] = text.getvalue()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said():
    return json.loads(standin.run(BEGIN + ALL, json.dumps(PROGRAMS), DEVICES=2).stdout)


@pytest.fixture
def says():
    return lambda program, **settings: standin.run(BEGIN + program, **settings).stdout


def test_a_kernel_is_compiled_loaded_and_run(said):
    assert said["run"] == "True\n"


def test_more_shared_memory_than_the_plain_amount_is_asked_for_before_a_launch(said):
    assert said["much shared memory"] == "True\n"


def test_a_launch_that_is_refused_names_the_kernel_how_it_was_launched_and_the_error(said):
    text = said["too much shared memory"]
    assert text.startswith("DriverError scale, 8 blocks of 128 threads with 300000 bytes of shared memory")
    assert "CUDA_ERROR_INVALID_VALUE (invalid argument)" in text


def test_a_parameter_of_another_size_than_the_kernels_never_reaches_it(said):
    assert said["another parameter"] == "AssertionError the host and the kernel disagree on the parameter\n"


def test_arrays_of_a_name_use_the_same_memory_again(said):
    assert said["same memory"] == "1 False\n"


def test_page_locked_memory_is_lent_again_when_nobody_holds_it(said):
    assert said["lent memory"] == "False\nTrue\n"


def test_answers_can_be_read_in_a_forked_process(said):
    assert said["forked"] == "0\n"


def test_all_devices_are_seen_or_the_one_that_was_named(said):
    text = "[0, 1] [1] [] device 'cuda:2' was asked for, but there are 2 CUDA devices, from cuda:0 on; "
    assert said["names"].startswith(text)


def test_two_devices_work_at_once_each_with_its_own_memory(said):
    assert said["two devices"] == "True\n"


def test_an_error_within_a_kernel_is_named(says):
    text = says("with device_of(0) as device: refused(lambda: scaled(device, x))", FAIL=700)
    assert "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)" in text


def test_memory_that_runs_out_is_an_error_of_its_own_and_what_was_kept_is_given_back(says):
    program = """
from nmfcore.kernels.cuda.devices import is_out_of_memory
with device_of(0) as device:
    device.array("kept", 3 * 2**20)
    try:
        device.array("more", 2 * 2**20)
    except DriverError as error:
        print(is_out_of_memory(error), error)
    device.array("more", 2 * 2**20)
    print("fits now")
"""
    assert says(program, MEMORY=4 * 2**20) == "True cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (out of memory)\nfits now\n"


def test_no_device_is_said_with_what_to_do(says):
    text = says("print(visible_devices('cuda'), why_missing('cuda'))", DEVICES=0)
    assert text.startswith("[] device 'cuda' was asked for, but there is no such CUDA device (cuInit: CUDA_ERROR_NO_")
    assert text.endswith("use device='cpu', or install the extra 'cuda' and check nvidia-smi\n")


def test_without_the_packages_the_extra_is_named():
    program = """
import sys
sys.modules["cuda"] = None
from nmfcore.kernels.cuda.devices import why_missing
print(why_missing("cuda"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=standin.ROOT)
    assert "packages of the kernels are not installed" in done.stdout
    assert "install the extra 'cuda' and check nvidia-smi" in done.stdout
