"""Import ultralytics without its side effects on the process."""

from __future__ import annotations

import atexit
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

import cv2
import torch


@cache
def import_ultralytics() -> ModuleType:
    """Import ultralytics: no installs, no network, no settings in the user's home, no prints.

    Its import (8.4.190) sets OMP_NUM_THREADS to 1, which would leave a torch that is imported
    later with one thread, and switches OpenCV's threads off (`ultralytics/__init__.py:11`,
    `utils/__init__.py:184`). Both would make every other model of the process slower, and its
    last bits depend on whether a YOLO was loaded; so both are undone.
    """
    # Read by ultralytics at import, and by nothing else here:
    os.environ["YOLO_AUTOINSTALL"] = "0"  # a missing package is an error, not a pip install
    os.environ["YOLO_VERBOSE"] = "0"  # no lines on standard output
    os.environ["YOLO_OFFLINE"] = "1"  # no downloads of its own, no telemetry
    os.environ["ULTRALYTICS_SAFE_LOAD"] = "1"  # .pt files are read with weights_only=True
    settings = tempfile.TemporaryDirectory(prefix="ultralytics-settings-")
    atexit.register(settings.cleanup)
    os.environ["YOLO_CONFIG_DIR"] = settings.name  # it writes a settings file when there is none
    with _thread_counts_kept():
        import ultralytics
    _redirect_log()
    module: ModuleType = ultralytics
    return module


@contextmanager
def _thread_counts_kept() -> Iterator[None]:
    torch.get_num_threads()  # makes torch read OMP_NUM_THREADS now, while it is untouched
    omp_num_threads, opencv_threads = os.environ.get("OMP_NUM_THREADS"), cv2.getNumThreads()
    try:
        yield
    finally:
        cv2.setNumThreads(opencv_threads)
        if omp_num_threads is None:
            os.environ.pop("OMP_NUM_THREADS", None)


def _redirect_log() -> None:
    """Send its warnings to the root logger; by default it prints everything to standard output."""
    log = logging.getLogger("ultralytics")
    log.handlers.clear()
    log.propagate = True
    log.setLevel(logging.WARNING)
