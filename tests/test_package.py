"""What `pip install` gives: the wheel's files, its command, and a base install without torch."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
# Stands before a program: no package is there but those of the base install.
ONLY_BASE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {%s}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""
MODULES = {
    "deep-sort-realtime": "deep_sort_realtime",
    "jinja2": "jinja2",
    "lightning-fabric": "lightning_fabric",
    "opencv-python": "cv2",
    "paho-mqtt": "paho",
    "prometheus-client": "prometheus_client",
}


def requirements(texts: list[str]) -> Iterator[Requirement]:
    for text in texts:
        requirement = Requirement(text)
        if requirement.name != "behaviour-stream":
            yield requirement


def ranges() -> dict[str, Requirement]:
    found = [*requirements(PROJECT["dependencies"])]
    found += [one for texts in EXTRAS.values() for one in requirements(texts)]
    return {requirement.name.lower(): requirement for requirement in found}


def pinned() -> dict[str, Requirement]:
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    texts = [line.partition("  #")[0] for line in lines if line and not line.startswith("#")]
    return {one.name.lower(): one for one in requirements(texts)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(REPOSITORY)]
    subprocess.run(command, check=True, timeout=120, cwd=folder)
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site-packages")
    wheel.extractall(folder)
    return folder


def run(installed: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    heavy = {name.replace("-", "_") for name in ranges() if name not in pinned_base()}
    heavy |= set(MODULES.values())
    blocked = ONLY_BASE % ", ".join(map(repr, sorted(heavy)))
    command = [
        sys.executable,
        "-c",
        f"{blocked}\nsys.path.insert(0, {str(installed)!r})\n{program}",
    ]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=60, cwd=installed.parent
    )


def pinned_base() -> set[str]:
    return {one.name.lower() for one in requirements(PROJECT["dependencies"])}


def command_line(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(installed, "import run_pipeline; run_pipeline.app()", *arguments)


def test_every_tested_version_is_in_the_range_of_an_extra() -> None:
    for name, requirement in pinned().items():
        [specifier] = requirement.specifier
        assert specifier.version in ranges()[name].specifier, name


def test_every_range_has_a_tested_version() -> None:
    assert set(ranges()) == set(pinned())


def test_all_holds_every_extra() -> None:
    [everything] = EXTRAS["all"]
    assert Requirement(everything).extras == set(EXTRAS) - {"all"}


@pytest.mark.slow
def test_a_wheel_has_what_the_program_needs_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    expected = {
        "run_pipeline.py",
        "models/py.typed",
        "models/weights/slowfast_compact.safetensors",
        "models/weights/person_detector_openvino_model/person_detector.bin",
        "models/weights/person_detector_openvino_model/person_detector.xml",
        "pipeline/py.typed",
        "pipeline/subscriber/__init__.py",
        "pipeline/shipped/configs/default.yaml",
        "pipeline/shipped/configs/alarms.yaml",
        "pipeline/shipped/configs/schema.json",
        "pipeline/shipped/configs/recognizer/slowfast_r50_4x16_kinetics400.yaml",
        "pipeline/shipped/configs/train/default.yaml",
        "pipeline/shipped/configs/train/ucf101.yaml",
        "models/checkpoints/label_sets/kinetics400.txt",
        "training/py.typed",
        "training/report/templates/evaluation.html.j2",
    }
    assert expected <= names
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"run_pipeline.py", "models", "pipeline", "training"}
    assert [name for name in names if "__pycache__" in name or name.endswith(".pt")] == []


@pytest.mark.slow
def test_a_wheel_has_the_command_and_full_metadata(wheel: zipfile.ZipFile) -> None:
    [entry_points] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "behaviour-stream = run_pipeline:app" in wheel.read(entry_points).decode()
    [path] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = wheel.read(path).decode()
    for field in ("Author", "License-Expression", "Requires-Python", "Description-Content-Type"):
        assert re.search(rf"^{field}: ", metadata, re.MULTILINE), field
    assert set(re.findall(r"^Provides-Extra: (.*)$", metadata, re.MULTILINE)) == set(EXTRAS)


@pytest.mark.slow
def test_the_base_install_subscribes_and_decodes(installed: Path) -> None:
    program = "from pipeline.subscriber import Subscriber; from pipeline.events import decode_event"
    assert run(installed, program).stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["subscribe", "--help"],
        ["bridge", "--help"],
        ["replay", "--help"],
        ["train", "--help"],
        ["evaluate", "--help"],
        ["schema"],
        ["config-schema"],
    ],
    ids=" ".join,
)
def test_the_base_install_runs(installed: Path, arguments: list[str]) -> None:
    done = command_line(installed, *arguments)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_base_install_flushes(installed: Path, tmp_path: Path) -> None:
    arguments = ["--redis", "redis://127.0.0.1:1", "--output", str(tmp_path)]
    done = command_line(installed, "flush", *arguments)
    assert "0 events of" in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["replay", "x.mp4"], "pipeline"),
        (["live", "rtsp://127.0.0.1:1/x"], "pipeline"),
        (["describe", "slowfast_compact"], "pipeline"),
        (["convert", "a.pth", "b.safetensors"], "pipeline"),
        (["train", "--data", "x"], "train"),
        (["evaluate", "--data", "x"], "evaluate"),
        (["bridge", "webhook", "--set", "bridges.webhook.url=http://h/x"], "bridges"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_without_its_packages_names_the_extra(
    installed: Path, arguments: list[str], extra: str
) -> None:
    done = command_line(installed, "--log-level", "warning", *arguments)
    assert done.returncode == 2
    assert f"pip install 'behaviour-stream[{extra}]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_file_that_ships_is_found_from_any_directory(installed: Path) -> None:
    program = "from pipeline.config.shipped_files import find_file; print(find_file(sys.argv[1]))"
    for name, place in {
        "configs/alarms.yaml": installed / "pipeline/shipped/configs/alarms.yaml",
        "models/weights/slowfast_compact.safetensors": installed
        / "models/weights/slowfast_compact.safetensors",
        "no/such/file": Path("no/such/file"),
    }.items():
        assert run(installed, program, name).stdout.strip() == str(place)
