"""One device: its figures, its memory, and launches on it."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from typing import Any

import numpy as np

from .compiler import machine_code
from .driver import DriverError, call, driver
from .pinned import Pinned

# Fraction of the free memory that a chunk may fill.
FILL = 0.8
# Memory that is kept for the next call is asked for in steps of so many bytes.
STEP = 2**20


class Kernel:
    """A kernel on one device, and what the compiler and the driver say of it."""

    def __init__(self, device: Device, loaded: Any, name: str) -> None:
        library, self.name = driver(), name
        self.handle = call(library.cuLibraryGetKernel, loaded, name.encode())
        self.function = call(library.cuKernelGetFunction, self.handle)
        attribute = library.CUfunction_attribute
        read = functools.partial(self._read, library)
        self.registers = read(attribute.CU_FUNC_ATTRIBUTE_NUM_REGS)
        self.static_shared = read(attribute.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
        self.local = read(attribute.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)
        self.launched: dict[str, int] = {}
        self.allowed = read(attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
        self.most_shared = device.most_shared - self.static_shared
        self.parameter_bytes = self._parameter_bytes(library)

    def _read(self, library: Any, attribute: Any) -> int:
        return int(call(library.cuFuncGetAttribute, attribute, self.function))

    def _parameter_bytes(self, library: Any) -> int:
        # Where the last parameter ends: what the host hands over must be as long.
        end, i = 0, 0
        while True:
            code, *info = library.cuKernelGetParamInfo(self.handle, i)
            if int(code):
                return end
            end, i = int(info[0]) + int(info[1]), i + 1

    def allow(self, shared: int) -> None:
        """Let a block have more shared memory than the plain amount."""
        if shared > self.allowed:
            library = driver()
            most = library.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            call(library.cuFuncSetAttribute, self.function, most, shared)
            self.allowed = shared

    def blocks(self, threads: int, shared: int) -> int:
        """Return how many blocks a multiprocessor holds at once."""
        count = driver().cuOccupancyMaxActiveBlocksPerMultiprocessor
        return int(call(count, self.function, threads, shared))


class Device:
    """A device with its primary context; as a context manager it is current in this thread, and this thread's alone."""

    def __init__(self, number: int) -> None:
        library = driver()
        self.number, self._lock = number, threading.RLock()
        self.handle = call(library.cuDeviceGet, number)
        self.context = call(library.cuDevicePrimaryCtxRetain, self.handle)
        attribute = library.CUdevice_attribute
        major, minor, self.multiprocessors, self.most_shared, self.all_shared, self.l2 = (
            int(call(library.cuDeviceGetAttribute, name, self.handle))
            for name in (
                attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
                attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
                attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR,
                attribute.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE,
            )
        )
        self.arch = f"sm_{major}{minor}"
        self._kernels: dict[Any, Kernel] = {}
        self._loaded: dict[Any, Any] = {}
        self._staged: list[np.ndarray] = []  # on their way to the device
        self._arrays: dict[str, tuple[Any, int]] = {}
        with self:
            self.stream = call(library.cuStreamCreate, 0)
            self.pinned = Pinned()

    def __enter__(self) -> Device:
        self._lock.acquire()
        try:
            call(driver().cuCtxSetCurrent, self.context)
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self._lock.release()

    def kernel(self, name: str, source: str, definitions: tuple[tuple[str, str], ...]) -> Kernel:
        """Return a kernel of a source of this folder, loaded once."""
        key = name, source, definitions
        if key not in self._kernels:
            if key[1:] not in self._loaded:
                code = machine_code(source, definitions, self.arch)
                self._loaded[key[1:]] = call(driver().cuLibraryLoadData, code, [], [], 0, [], [], 0)
            self._kernels[key] = Kernel(self, self._loaded[key[1:]], name)
        return self._kernels[key]

    def described(self) -> list[dict[str, Any]]:
        """Return what the compiler made of each kernel that was used."""
        return [
            {
                "name": name, "built in": dict(definitions), "registers": kernel.registers,
                "static shared bytes": kernel.static_shared, "local bytes": kernel.local,
                "launched as": kernel.launched,
            }
            for (name, _, definitions), kernel in self._kernels.items()
        ]  # fmt: skip

    def room(self) -> int:
        """Return the bytes that the arrays of a chunk may take: a part of what is free, and what is kept already."""
        free, _ = call(driver().cuMemGetInfo)
        return int(FILL * free) + sum(size for _, size in self._arrays.values())

    def array(self, name: str, size: int) -> int:
        """Return the address of at least `size` bytes, kept under this name for the next call; their content is old."""
        library = driver()
        address, held = self._arrays.get(name, (None, 0))
        if held < size:
            if address is not None:
                del self._arrays[name]
                call(library.cuMemFree, address)
            held = -(-size // STEP) * STEP
            try:
                address = call(library.cuMemAlloc, held)
            except DriverError:
                # The arrays of other calls are in the way, perhaps.
                self.forget()
                raise
            self._arrays[name] = address, held
        return int(address)

    def forget(self) -> None:
        """Give back all memory that was kept for the next call."""
        for address, _ in self._arrays.values():
            call(driver().cuMemFree, address)
        self._arrays.clear()

    def upload(self, name: str, *arrays: np.ndarray) -> list[int]:
        """Copy arrays into one piece of memory under this name; return the address of each, on multiples of 256."""
        sizes = [-(-max(x.nbytes, 1) // 256) * 256 for x in arrays]
        first = np.concatenate([[0], np.cumsum(sizes)]).astype(int).tolist()
        base = self.array(name, first[-1])
        staged = self.pinned.empty((first[-1],), np.uint8)
        for x, at in zip(arrays, first, strict=False):
            flat = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
            staged[at : at + flat.size] = flat
        call(driver().cuMemcpyHtoDAsync, base, staged.ctypes.data, first[-1], self.stream)
        self._staged.append(staged)
        return [base + at for at in first[:-1]]

    def download(self, array: np.ndarray, address: int) -> None:
        """Copy memory of the device into an array, once what was launched before is done; `wait` tells when."""
        call(driver().cuMemcpyDtoHAsync, array.ctypes.data, address, array.nbytes, self.stream)

    def launch(self, kernel: Kernel, blocks: int, threads: int, shared: int, arguments: ctypes.Structure) -> None:
        """Launch a kernel whose one parameter is a structure.

        Raises
        ------
        DriverError
            If the driver refuses; the message has the kernel and how it was launched.
        """
        assert ctypes.sizeof(arguments) == kernel.parameter_bytes, "the host and the kernel disagree on the parameter"
        kernel.launched = {"blocks": blocks, "threads": threads, "shared bytes": shared}
        library, pointers = driver(), (ctypes.c_void_p * 1)(ctypes.addressof(arguments))
        try:
            kernel.allow(shared)
            call(
                library.cuLaunchKernel, kernel.function, blocks, 1, 1, threads, 1, 1, shared, self.stream,
                ctypes.addressof(pointers), 0,
            )  # fmt: skip
        except DriverError as error:
            raise DriverError(f"{kernel.name}, {self._said(kernel, blocks, threads, shared)}: {error}") from error

    def wait(self) -> None:
        """Wait until all that was launched and copied is done."""
        call(driver().cuStreamSynchronize, self.stream)
        self._staged.clear()

    def _said(self, kernel: Kernel, blocks: int, threads: int, shared: int) -> str:
        return (
            f"{blocks} blocks of {threads} threads with {shared} bytes of shared memory and {kernel.registers} "
            f"registers on cuda:{self.number} ({self.arch}, at most {self.most_shared} bytes)"
        )


def device_of(number: int) -> Device:
    """Return the device of this number in this process."""
    return _device_of(number, os.getpid())


@functools.lru_cache(maxsize=32)
def _device_of(number: int, process: int) -> Device:
    return Device(number)
