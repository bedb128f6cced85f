"""Scene mode as a user starts it: a network with a RoI head from a file, on a real recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.checkpoints.checkpoint import save_recognizer
from tests.integration.conftest import DEMO
from tests.integration.test_command_line import replay
from tests.models.published_files import small_network

pytestmark = pytest.mark.slow

# A random network is unsure: low thresholds make many events of it.
SENSITIVE = ["--set", "decision.start_threshold=0.3", "--set", "decision.end_threshold=0.2"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = small_network(head="roi", spatial_strides=(1, 2, 2, 1))
    model.cls_head.fc_cls.weight.data *= 0.05
    path = tmp_path_factory.mktemp("weights") / "scene.safetensors"
    save_recognizer(path, model)
    return path


def events(output: Path, *arguments: str | Path) -> list[dict[str, Any]]:
    replay(output, *arguments, *SENSITIVE, "--no-wall-clock", "--redis", "none")
    return [json.loads(line) for line in (output / "events.jsonl").read_text().splitlines()]


@pytest.mark.timeout(600)
def test_scenes_give_every_person_several_actions_the_same_every_time(
    tmp_path: Path, weights: Path, excerpts: list[Path]
) -> None:
    scene = [
        excerpts[0],
        "--set",
        f"recognizer.weights={weights}",
        "--set",
        "recognizer.mode=scene",
    ]
    first = events(tmp_path / "first", *scene)
    assert first == events(tmp_path / "second", *scene)
    started = [event for event in first if event["kind"] == "start"]
    assert len({event["track_id"] for event in started}) > 1
    actions = {(event["track_id"], event["action"]) for event in started}
    assert len(actions) > len({track_id for track_id, _ in actions})


def test_the_error_for_a_scene_network_in_crop_mode_names_what_to_set(
    tmp_path: Path, weights: Path
) -> None:
    refused = replay(tmp_path, DEMO, "--set", f"recognizer.weights={weights}", expect=2)
    assert "set recognizer.mode=scene" in refused.stderr
