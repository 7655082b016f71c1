"""What the process around a call has set for torch, put aside while the engine computes: it must not change results."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from .late import is_loaded, torch


@contextmanager
def undisturbed() -> Iterator[None]:
    """Compute inside without gradients and autocast, on the device that arguments say, in torch's own default type.

    Nothing is done where nothing is set, since a default device makes every call of torch slower; nor where torch is
    not loaded. The default type belongs to the whole process: calls in other threads see it change for the time.
    """
    if not is_loaded():
        yield
        return
    before = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if before != torch.float32:
            torch.set_default_dtype(torch.float32)
            stack.callback(torch.set_default_dtype, before)
        yield


def _in_forked_child() -> None:
    # The threads of torch's pool do not exist in a forked child, which would wait for them for ever.
    if is_loaded():
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
