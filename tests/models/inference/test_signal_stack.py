"""A signal after models came and went: in a separate process, because it used to crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

# Freed in the order in which they were made; the last one then handed back the first one's stack.
TWO_NETWORKS = """
import torch
from models.inference.openvino_network import OpenVinoNetwork

def load():
    module = torch.nn.Conv2d(3, 2, 3).eval()
    return OpenVinoNetwork(module, (torch.zeros(1, 3, 8, 8),), description="")
"""
TWO_DETECTORS = """
import sys
from models.detectors.yolo import YoloPersonDetector

def load():
    return YoloPersonDetector(
        sys.argv[1], confidence=0.3, iou=0.5, image_size=640, device="cpu", batch_size=1
    )
"""
THEN_A_SIGNAL = """
import os, signal, threading

signal.signal(signal.SIGINT, lambda *_: print("handled"))
if in_thread:
    only = [load()]
    thread = threading.Thread(target=only.clear)  # freed by a worker, as at the end of a run
    thread.start()
    thread.join()
else:
    first, second = load(), load()
    del first
    del second
os.kill(os.getpid(), signal.SIGINT)
"""


def outcome(loading: str, *arguments: str, in_thread: bool) -> tuple[int, str]:
    code = f"{loading}\nin_thread = {in_thread}\n{THEN_A_SIGNAL}"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=200,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_signal_is_handled_after_networks_were_freed(in_thread: bool) -> None:
    assert outcome(TWO_NETWORKS, in_thread=in_thread) == (0, "handled\n")


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_signal_is_handled_after_detectors_were_freed(in_thread: bool, shared_data: Path) -> None:
    weights = shared_data / "data/weights/yolo11n_int8_openvino_model"
    assert outcome(TWO_DETECTORS, str(weights), in_thread=in_thread) == (0, "handled\n")
