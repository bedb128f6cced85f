from __future__ import annotations

from dataclasses import replace

from pipeline.sources.file_decoder import VideoInfo
from pipeline.telemetry.replay_statistics import ReplayStatistics
from pipeline.types import BestScore, DecidedFrame
from tests.conftest import make_frame, make_tracked
from tests.pipeline.decided_items import make_event


def frame(index: int, people: tuple[int, ...] = (1,)) -> DecidedFrame:
    return DecidedFrame(make_tracked(make_frame(index), people), ())


def test_people_are_counted_once_with_the_time_for_which_they_were_seen() -> None:
    statistics = ReplayStatistics()
    for index, people in enumerate([(1,), (1, 2), (2,), (3,)]):
        statistics.write(frame(index, people))
    camera = statistics.cameras["gate"]
    assert camera.people == {1: (0.0, 0.1), 2: (0.1, 0.2), 3: (0.3, 0.3)}
    assert [round(step_s, 3) for step_s in camera.steps_s] == [0.1, 0.1, 0.1]


def test_actions_are_counted_and_not_their_events() -> None:
    statistics = ReplayStatistics()
    kinds = ("start", "update", "end", "start")
    events = tuple(make_event(seq, kind) for seq, kind in enumerate(kinds, 1))
    statistics.write(replace(frame(0), events=events, clips=3, best=BestScore("hug", 0.7, 0.6)))
    statistics.write(replace(frame(1), clips=1, best=BestScore("push", 0.2, 0.6)))
    camera = statistics.cameras["gate"]
    assert camera.actions.total() == 2
    assert (camera.clips, camera.best) == (4, BestScore("hug", 0.7, 0.6))


def test_the_files_of_one_camera_are_expected_together() -> None:
    statistics = ReplayStatistics()
    for frames in (30, 0):
        statistics.expect("gate", VideoInfo("h264", 64, 48, frames, duration_s=2.0, fps=10.0))
    assert statistics.cameras["gate"].expected_frames == 50
