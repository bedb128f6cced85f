"""A file's test is found by its name: tests mirror the rooms, with the exceptions listed here."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import REPOSITORY

PACKAGES = ("models", "pipeline", "training")
# Source files without a test file of their name, by the test that covers them (below `tests/`):
# they are one half of what the other test is about, or need the whole program around them.
TESTED_IN = {
    "models/detectors/test_weights_download.py": [
        "models/detectors/official_weights.py",
    ],
    "models/detectors/test_yolo.py": ["models/detectors/ultralytics_import.py"],
    "models/inference/test_action_recognizer.py": ["models/inference/device.py"],
    "models/inference/test_scene_recognizer.py": ["models/slowfast/roi_head.py"],
    "models/slowfast/test_recognizer3d.py": [
        "models/slowfast/architecture.py",
    ],
    "models/public/test_names.py": [
        "models/public/entry.py",
        "models/public/facebook.py",
        "models/public/mmaction2.py",
    ],
    "models/checkpoints/test_published_outputs.py": ["models/slowfast/complexity.py"],
    "integration/test_replay.py": [
        "pipeline/app.py",
        "pipeline/types.py",  # data without behaviour
        "pipeline/errors.py",  # likewise
    ],
    "integration/test_command_line.py": [
        "pipeline/commands/config_schema.py",
        "pipeline/commands/replay.py",
        "pipeline/commands/recognizers.py",
    ],
    "integration/test_live_command.py": ["pipeline/commands/live.py"],
    "integration/test_live_camera.py": [
        "pipeline/live/camera_messages.py",
        "pipeline/live/protocols/tls.py",
    ],
    "pipeline/live/protocols/test_http_bodies.py": [
        "pipeline/live/protocols/http_client.py",
        "pipeline/live/protocols/redirects.py",
        "pipeline/live/protocols/stream_opening.py",
    ],
    "pipeline/live/protocols/test_rtsp_relay.py": [
        "pipeline/live/protocols/http_login.py",
        "pipeline/live/protocols/rtsp_messages.py",
    ],
    "pipeline/evidence/test_stage.py": [
        "pipeline/evidence/announcing.py",
        "pipeline/evidence/shown.py",
    ],
    "pipeline/sources/test_recorded_packets.py": [
        "pipeline/sources/encoded_video.py",
        "pipeline/sources/stream_head.py",
    ],
    "pipeline/evidence/test_run.py": ["pipeline/config/evidence.py"],
    "pipeline/redis_store/test_url.py": ["pipeline/redis_store/url_options.py"],
    "pipeline/config/test_schema.py": [
        "pipeline/config/delivery.py",
        "pipeline/config/live.py",
        "pipeline/config/loading.py",
        "pipeline/config/observations.py",
        "pipeline/config/recognizer_list.py",
    ],
    "pipeline/config/test_rules.py": ["pipeline/config/rule_references.py"],
    "pipeline/rules/test_conditions.py": ["pipeline/rules/scene.py"],
    "pipeline/rules/test_stage.py": ["pipeline/rules/rule.py"],  # data without behaviour
    "pipeline/test_components.py": ["pipeline/recognizer_parts.py", "pipeline/tracker_parts.py"],
    "pipeline/commands/test_bridge.py": ["pipeline/config/secret_file.py"],
    "pipeline/delivery/storage/test_outbox.py": [
        "pipeline/delivery/storage/disk_allowance.py",
        "pipeline/delivery/storage/memory_rows.py",
    ],
    "pipeline/delivery/storage/test_outbox_file.py": [
        "pipeline/delivery/storage/outbox_migration.py",
        "pipeline/delivery/storage/quarantine.py",
    ],
    "pipeline/backtest/test_comparison.py": ["pipeline/backtest/occurrences.py"],
    "pipeline/backtest/test_run.py": ["pipeline/event_chain.py"],
    "pipeline/observations/test_items.py": [
        "pipeline/observations/columns.py",
        "pipeline/observations/recorded_run.py",
    ],
    "pipeline/observations/test_writer.py": [
        "pipeline/observations/carried_ends.py",
        "pipeline/observations/file_names.py",
        "pipeline/observations/retention.py",
    ],
    "pipeline/delivery/test_counts.py": ["pipeline/subscriber/zone_rows.py"],
    "pipeline/outputs/test_sinks.py": [
        "pipeline/outputs/json_lines_file.py",
        "pipeline/outputs/output_lock.py",
        "pipeline/runtime/disk_errors.py",
    ],
    "pipeline/telemetry/test_run_status.py": [
        "pipeline/telemetry/reporters.py",
        "pipeline/telemetry/snapshots.py",
    ],
    "integration/test_train_command.py": [
        "training/commands/train.py",
    ],
    "training/commands/test_backtest.py": ["training/report/backtest.py"],
    "training/commands/test_evaluate.py": [
        "training/commands/evaluate_data.py",
        "training/evaluation/evaluated_model.py",
        "training/evaluation/event_scorer.py",
        "training/report/tables.py",
        "training/report/write.py",
    ],
    "training/detector/test_loop.py": [
        "training/detector/export.py",
        "training/detector/student.py",
        "training/detector/teacher.py",
    ],
    "training/evaluation/test_clips.py": [
        "training/report/json_document.py",
    ],
    "training/report/test_html.py": ["training/report/plots.py"],
}
# Programs that made bundled weights, run by hand with the commands of their model cards.
UNTESTED = {
    "training/appearance/train.py",
    "training/detector/evaluate.py",
    "training/detector/train.py",
}
# Tests of several files of their room together.
OF_A_ROOM = {
    "models/checkpoints/test_published_outputs.py",  # of three libraries
    "models/detectors/test_compact_detector.py",  # the bundled weights
    "pipeline/redis_store/test_topologies.py",  # cluster and sentinel
    "pipeline/stages/test_trackers.py",  # what all trackers promise
    "pipeline/subscriber/test_imports.py",  # what a subscriber needs
    "training/recipe/test_compact_config.py",  # the bundled configuration
    "training/recipe/test_ucf101_config.py",  # likewise, of a public data set
}


def files(root: Path) -> set[str]:
    """Python files of the packages below a folder, relative to it."""
    paths = {path for package in PACKAGES for path in (root / package).rglob("*.py")}
    return {str(path.relative_to(root)) for path in paths}


def namesake(source: str) -> str:
    path = Path(source)
    return str(path.with_name(f"test_{path.name}"))


def test_a_source_file_has_a_test_of_its_name() -> None:
    tests = files(REPOSITORY / "tests")
    sources = {path for path in files(REPOSITORY) if Path(path).name != "__init__.py"}
    missing = {source for source in sources if namesake(source) not in tests}
    excepted = {source for listed in TESTED_IN.values() for source in listed} | UNTESTED
    assert missing <= excepted, f"no test of their name: {sorted(missing - excepted)}"
    assert excepted <= missing, f"need no exception: {sorted(excepted - missing)}"


def test_the_test_of_a_file_without_a_namesake_exists() -> None:
    absent = [test for test in TESTED_IN if not (REPOSITORY / "tests" / test).is_file()]
    assert not absent


def test_a_test_file_is_named_after_a_source_file() -> None:
    tests = {path for path in files(REPOSITORY / "tests") if Path(path).name.startswith("test_")}
    named = {namesake(source) for source in files(REPOSITORY)}
    assert tests - named == OF_A_ROOM
