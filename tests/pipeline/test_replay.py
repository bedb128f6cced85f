"""Replays asked for from Python, over real (made) files, with stand-ins for the models."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.detections import Detections
from pipeline.config.schema import load_config
from pipeline.errors import ConfigError, PipelineError, SourceError
from pipeline.events import ActionEvent, Event
from pipeline.outputs.sinks import JsonLinesSink
from pipeline.replay import UnreadableVideoError, replay_events
from pipeline.runtime.shutdown import Shutdown
from testbed.fakes import OnePersonDetector, fake_components
from tests.conftest import write_video


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Two seconds bright, two seconds dark."""
    path = tmp_path / "gate.mp4"
    write_video(path, [n / 10 for n in range(40)], shade=lambda n: 230 if n < 20 else 20)
    return path


@pytest.fixture(autouse=True)
def every_thread_ends() -> Iterator[None]:
    """No test leaves a thread behind, however its loop was left."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def events_of(*videos: str | Path, **options: Any) -> Generator[Event, None, None]:
    return replay_events(videos, components=fake_components(), **options)


def test_events_come_typed_and_in_order(video: Path) -> None:
    events = list(events_of(video))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert (events[0].kind, events[-1].kind) == ("camera_up", "camera_down")
    actions = [event for event in events if isinstance(event, ActionEvent)]
    assert [(one.kind, one.action) for one in actions if one.kind != "update"] == [
        ("start", "bright"),
        ("start", "dark"),
        ("end", "bright"),
        ("end", "dark"),
    ]


def test_sinks_get_the_same_events_before_they_are_yielded(video: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with JsonLinesSink(path) as sink:
        for count, _ in enumerate(events_of(video, sinks=[sink]), start=1):
            assert len(path.read_text().splitlines()) >= count


def test_without_a_wall_clock_two_runs_are_equal(video: Path) -> None:
    assert list(events_of(video)) == list(events_of(str(video)))


def test_a_directory_is_a_camera_per_file(video: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "yard.mp4", [n / 10 for n in range(40)])
    assert {event.camera_id for event in events_of(tmp_path)} == {"gate", "yard"}


def test_leaving_the_loop_ends_the_run(video: Path) -> None:
    """The fixture sees that all threads have ended."""
    for event in events_of(video):
        assert event.kind == "camera_up"
        break


def test_an_exception_in_the_loop_ends_the_run(video: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        for event in events_of(video):
            print(event.seq / 0)


def test_closing_the_generator_ends_the_run(video: Path) -> None:
    with closing(events_of(video)) as events:
        next(events)
    assert list(events) == []


def test_nothing_runs_before_the_first_event_is_asked_for(video: Path) -> None:
    before = threading.active_count()
    events = events_of(video)
    assert threading.active_count() == before
    assert next(events).kind == "camera_up"
    del events


def test_a_shutdown_ends_the_reading_and_the_rest_is_processed(video: Path) -> None:
    shutdown = Shutdown()
    events = events_of(video, shutdown=shutdown)
    first = next(events)
    shutdown.request()
    last = [first, *events][-1]
    assert (last.kind, getattr(last, "reason", None)) in (
        ("camera_down", "stopped"),
        ("camera_down", "stream_ended"),  # it had been read
    )


def test_unreadable_files_are_reported_after_the_events_of_the_others(
    video: Path, tmp_path: Path
) -> None:
    empty, missing = tmp_path / "empty.mp4", tmp_path / "missing.mp4"
    empty.touch()
    events = list[Event]()
    with pytest.raises(UnreadableVideoError) as caught:
        for event in events_of(empty, video, missing):
            events.append(event)
    of_gate = [event for event in events if event.camera_id == "gate"]
    assert of_gate == list(events_of(video))
    assert sorted(caught.value.errors) == [
        f"{empty}: the file is empty",
        f"{missing}: no such file",
    ]
    assert str(empty) in str(caught.value)
    assert isinstance(caught.value, PipelineError)


def test_an_error_of_a_stage_reaches_the_caller(video: Path) -> None:
    class Broken(OnePersonDetector):
        def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
            raise RuntimeError("a bug")

    components = replace(fake_components(), detector=Broken())
    with pytest.raises(RuntimeError, match="a bug"):
        list(replay_events([video], components=components))


@pytest.mark.parametrize("name", ["nothing/", "*.mkv"])
def test_what_cannot_be_found_is_an_error_of_the_call(tmp_path: Path, name: str) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(SourceError, match="no"):
        events_of(str(tmp_path / name))


def test_what_is_configured_wrongly_is_an_error_of_the_call(video: Path) -> None:
    config = load_config(settings=["recognizer.weights=not-there.safetensors"])
    with pytest.raises(ConfigError, match=r"recognizer\.weights"):
        replay_events([video], config)


def test_opened_files_are_reported(video: Path) -> None:
    opened = list[tuple[str, int]]()

    def note(camera_id: str, info: Any) -> None:
        opened.append((camera_id, info.frames))

    list(events_of(video, opened=note))
    assert opened == [("gate", 40)]
