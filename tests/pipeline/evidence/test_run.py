"""Evidence of a whole replay, with stand-ins for the models and real files."""

from __future__ import annotations

import threading
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import cv2
import pytest

from pipeline.config.schema import load_config
from pipeline.errors import ConfigError
from pipeline.events import Event, EvidenceEvent
from pipeline.replay import replay_events
from testbed.fakes import fake_components
from tests.conftest import write_video


def run(folder: Path, output: Path, *settings: str) -> list[Event]:
    video = folder / "gate.mp4"
    if not video.exists():
        write_video(video, [n / 10 for n in range(60)], shade=lambda n: 230 if n < 30 else 20)
    chosen = ("evidence.actions=[br*]", "evidence.before_s=0.5", "evidence.after_s=0.5")
    config = load_config(None, [f"output={output}", *chosen, *settings])
    return list(replay_events([video], config, components=fake_components()))


def test_a_replay_names_files_that_open_and_is_the_same_every_time(tmp_path: Path) -> None:
    events = run(tmp_path, tmp_path / "one")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].kind == "camera_down"
    shot, clip = (event for event in events if isinstance(event, EvidenceEvent))
    for one in (shot, clip):
        content = (tmp_path / "one" / "evidence" / one.path).read_bytes()
        assert sha256(content).hexdigest() == one.sha256
    assert cv2.imread(str(tmp_path / "one" / "evidence" / shot.path)) is not None
    with av.open(str(tmp_path / "one" / "evidence" / clip.path)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) / 10 == pytest.approx(clip.duration_s, abs=0.05)
    assert run(tmp_path, tmp_path / "two") == events
    left = [one.name for one in (tmp_path / "one" / "evidence").rglob("*") if one.is_file()]
    assert len(left) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["evidence.actions=[fihgt]"], "'fihgt' matches no action.*dark, bright"),
        (["evidence.rules=[nihgt]"], "no rule nihgt"),
        (["evidence.snapshot=false", "evidence.clip=false"], "both false"),
        (["evidence.longest_s=0.2"], "must exceed before_s"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, settings: list[Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, tmp_path / "out", *settings)


def test_a_loop_that_is_left_early_ends_every_thread(tmp_path: Path) -> None:
    video = tmp_path / "gate.mp4"
    write_video(video, [n / 10 for n in range(200)], shade=lambda n: 230 if n % 60 < 30 else 20)
    settings = (f"output={tmp_path / 'out'}", "evidence.actions=[br*]", "queues.results=1")
    ended = threading.Event()

    def leave_early() -> None:
        config = load_config(None, list(settings))
        with closing(replay_events([video], config, components=fake_components())) as events:
            next(events)
        ended.set()

    threading.Thread(target=leave_early, daemon=True).start()
    assert ended.wait(60.0)
