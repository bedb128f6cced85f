"""Keeps OpenVINO from taking a thread's signals along when it goes."""

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
    """After the block, signals of this thread are handled on the stack that they were before.

    OpenVINO's CPU plugin (2026.4) gives the thread that loads it a signal stack of its own and
    unmaps it when the plugin is freed: by another thread, or before a plugin that was loaded later,
    without giving the old one back. The next Ctrl-C then ends in a segmentation fault. It does so
    because the common signal stack is too small for registers of AMX; but Python's are sized by
    the system's AT_MINSIGSTKSZ, or there is none and the thread's own stack serves.
    """
    if sys.platform != "linux":  # the plugin does it nowhere else
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    before = _Stack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        # Refused only if `before` cannot hold the registers: OpenVINO's stays, as without us.
        libc.sigaltstack(ctypes.byref(before), None)
