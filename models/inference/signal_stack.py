"""Restore the signal stack of a thread that loads OpenVINO."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """`stack_t` of Linux."""

    _fields_ = (("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def signal_stack_kept() -> Iterator[None]:
    """Restore this thread's signal stack after the block.

    OpenVINO's CPU plugin (2026.4) installs a private signal stack in the thread that loads it and
    unmaps it when the plugin is freed: by another thread, or before a plugin that was loaded later,
    without restoring the old one. The next Ctrl-C then ends in a segmentation fault. The plugin
    does so because the usual signal stack is too small for the registers of AMX; but Python's
    stacks are sized by the system's AT_MINSIGSTKSZ, or the thread's normal stack is used.
    """
    if sys.platform != "linux":  # the plugin does so on no other system
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    before = _Stack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        # Refused only if `before` cannot hold the registers: then OpenVINO's stack stays.
        libc.sigaltstack(ctypes.byref(before), None)
