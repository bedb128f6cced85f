"""The function for programs and the command `replay`, with the real models on a real video."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.config.schema import load_config
from pipeline.events import encode_event
from pipeline.replay import replay_events
from tests.integration.conftest import DEMO
from tests.integration.test_command_line import replay

# The faster one of the bundled detectors, and thresholds low enough for events in seconds.
SETTINGS = [
    "detector.weights=compact",
    "decision.start_threshold=0.2",
    "decision.end_threshold=0.1",
]

pytestmark = pytest.mark.slow


def test_the_events_are_the_bytes_that_the_command_writes(
    tmp_path: Path, excerpts: Sequence[Path]
) -> None:
    options = [text for setting in SETTINGS for text in ("--set", setting)]
    replay(tmp_path, excerpts[0], *options, "--no-wall-clock", "--redis", "none")
    events = list(replay_events(excerpts[:1], load_config(settings=SETTINGS)))
    assert any(event.kind == "start" for event in events)
    lines = "".join(f"{encode_event(event)}\n" for event in events)
    assert lines == (tmp_path / "events.jsonl").read_text()


def test_the_demo_can_be_left_at_its_first_event() -> None:
    before = set(threading.enumerate())
    for event in replay_events([DEMO], load_config(settings=SETTINGS)):
        assert (event.kind, event.camera_id) == ("camera_up", "pedestrians")
        break
    started = set(threading.enumerate()) - before
    assert not [thread for thread in started if not thread.daemon]
