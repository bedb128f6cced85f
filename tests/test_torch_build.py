"""Which builds of torch `make demo` installs."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PINNED = re.findall(
    r"^(torch|torchvision)==(\S+)", (REPOSITORY / "requirements.txt").read_text(), re.M
)
TORCH = dict(PINNED)["torch"]
WANTED = [f"{name}=={version}+cpu" for name, version in PINNED]
HAS_DRIVER = Path("/proc/driver/nvidia/version").exists()

pytestmark = pytest.mark.skipif(
    HAS_DRIVER or platform.system() != "Linux" or platform.machine() != "x86_64",
    reason="CPU builds are for Linux on x86_64 without an NVIDIA driver",
)


def run(folder: Path, versions: str, *, index: str = "", nvidia: bool = False) -> tuple[str, str]:
    """Return what the script prints, and the commands of a pip that knows these versions."""
    commands, python, smi = folder / "commands", folder / "python", folder / "nvidia-smi"
    python.write_text(
        f'#!/bin/sh\necho "$@" >> {commands}\n'
        f'case "$*" in *"index versions"*) echo "Available versions: {versions}";; esac\n'
    )
    smi.write_text(f"#!/bin/sh\nexit {0 if nvidia else 1}\n")
    for program in (python, smi):
        program.chmod(0o755)
    done = subprocess.run(
        [REPOSITORY / "demo/torch_build.sh", python, index],
        capture_output=True, text=True, check=True, timeout=60,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
    )  # fmt: skip
    return done.stdout, commands.read_text() if commands.exists() else ""


def test_without_a_driver_the_cpu_builds_are_taken_where_an_index_has_them(tmp_path: Path) -> None:
    printed, commands = run(tmp_path, f"9.9.9, {TORCH}+cpu, {TORCH}", index="https://index/cpu")
    assert "took the CPU builds" in printed
    search, install = commands.splitlines()
    assert "--retries 0 --timeout 5 --extra-index-url https://index/cpu" in search
    assert install.endswith(" ".join(["--extra-index-url https://index/cpu", *WANTED]))


@pytest.mark.parametrize(
    "versions", ["", TORCH, f"1.0+cpu, {TORCH}", f"1{TORCH}+cpu", f"{TORCH}+cpu1"]
)
def test_without_an_index_that_has_them_nothing_is_installed(tmp_path: Path, versions: str) -> None:
    printed, commands = run(tmp_path, versions)
    assert "taking the default builds" in printed
    assert " install " not in commands


def test_with_a_driver_nothing_is_searched(tmp_path: Path) -> None:
    printed, commands = run(tmp_path, f"{TORCH}+cpu", nvidia=True)
    assert "an NVIDIA driver is here" in printed
    assert commands == ""
