from __future__ import annotations

import jsonschema
import pytest
import yaml

from pipeline.config.document import documents, json_schema
from pipeline.config.schema import PipelineConfig
from tests.conftest import REPOSITORY
from training.config import TrainConfig
from training.config import documents as train_documents

FILES = documents() | train_documents()


@pytest.mark.parametrize("name", FILES)
def test_the_committed_file_is_current(name: str) -> None:
    """Else run `python -m pipeline.config.document` and `python -m training.config`."""
    assert (REPOSITORY / name).read_text() == FILES[name]


def test_the_file_of_defaults_holds_the_defaults() -> None:
    written = yaml.safe_load(FILES["configs/default.yaml"])
    assert written == PipelineConfig().model_dump(mode="json")
    assert PipelineConfig.model_validate(written) == PipelineConfig()


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("configs/default.yaml", PipelineConfig),
        ("configs/alarms.yaml", PipelineConfig),
        ("configs/ava.yaml", PipelineConfig),
        ("deploy/live.yaml", PipelineConfig),
        ("configs/train/default.yaml", TrainConfig),
        ("configs/train/compact.yaml", TrainConfig),
    ],
)
def test_a_file_names_its_schema_and_holds_to_it(path: str, model: type[PipelineConfig]) -> None:
    file = REPOSITORY / path
    name = file.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (file.parent / name).resolve() == REPOSITORY / (
        "configs/schema.json" if model is PipelineConfig else "configs/train/schema.json"
    )
    jsonschema.validate(yaml.safe_load(file.read_text()), json_schema(model))


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("live: {detect_fps: 5}", True),
        ("live: {detect_fps: '${FPS}'}", True),
        ("live: {detect_fps: many}", False),
        ("live: {detekt_fps: 5}", False),
        ("cameras: {gate: {url: rtsp://h/x, transport: udp}}", True),
        ("cameras: {gate: {url: rtsp://h/x, transport: sctp}}", False),
        ("cameras: {gate: {transport: udp}}", True),
        ("cameras: {gate: {zones: {door: {anchor: foot}}}}", False),
        ("decision: {per_action: {fight: {start_threshold: 2}}}", False),
        ("clip: {clip_len: null}", True),
    ],
)
def test_the_schema_accepts_what_the_program_accepts(text: str, is_valid: bool) -> None:
    validator = jsonschema.Draft202012Validator(json_schema(PipelineConfig))
    assert validator.is_valid(yaml.safe_load(text)) is is_valid


def test_every_key_of_the_reference_has_a_meaning() -> None:
    for name in ("docs/configuration.md", "docs/train-configuration.md"):
        rows = [line for line in FILES[name].splitlines() if line.startswith("| `")]
        assert len(rows) > 40
        assert [row for row in rows if row.endswith("|  |")] == []
