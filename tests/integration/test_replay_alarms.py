"""Alarms of the wired pipeline over a made video, and of a back-test over what it has kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.app import replay
from pipeline.backtest.run import back_test
from pipeline.config.schema import load_config
from pipeline.events import ActionEvent, AlarmEvent, encode_event
from pipeline.observations.reader import ObservationReader, ObservationSelection, find_files
from pipeline.runtime.shutdown import Shutdown
from pipeline.sources.video_files import VideoFile
from pipeline.stages.decisions import EventStamp
from pipeline.types import Frame, TrackedPerson
from testbed.fakes import OnePersonTracker, fake_components
from tests.conftest import write_video
from tests.integration.test_replay import Recorder


class SwitchingTracker(OnePersonTracker):
    """Lose the person after two seconds, and find them half a second later under another id."""

    def update(
        self, frame: Frame, detections: object
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        [one], _ = super().update(frame, detections)
        ended = (1,) if 2.8 <= frame.pts_s < 2.849 else ()
        if 2.0 <= frame.pts_s < 2.5:
            return (), ended
        return (replace(one, track_id=1 if frame.pts_s < 2.0 else 2),), ended


def test_an_id_switch_is_one_action_and_one_alarm_also_when_tried_again(tmp_path: Path) -> None:
    video = tmp_path / "gate.mp4"
    write_video(video, [n / 20 for n in range(100)], shade=lambda n: 230)
    config = load_config(
        settings=[
            f"output={tmp_path}",
            "observations.keep=true",
            "cameras={gate: {zones: {all: {points: [[0, 0], [1, 0], [1, 1], [0, 1]]}}}}",
            "rules={light: {action: bright, zone: all, end_after_s: 1},"
            " long: {person: dwells, zone: all, for_s: 3}, came: {person: enters}}",
            "decision.start_threshold=0.6",
            "decision.end_threshold=0.4",
            "decision.min_duration_s=0",
            "decision.min_gap_s=0",
            "decision.smoothing_s=0",
            "decision.update_interval_s=1",
        ]
    )
    sink, stamp = Recorder(), EventStamp("test", "brightness", wall_clock=False)
    components = replace(fake_components(), new_tracker=SwitchingTracker)
    videos = [VideoFile("gate", video)]
    for _ in replay(videos, components, config, stamp, [sink], Shutdown()):
        pass
    events = [event for item in sink.items for event in item.events]
    actions = [one for one in events if isinstance(one, ActionEvent) and one.kind != "update"]
    assert [(one.kind, one.track_id, one.track_ids) for one in actions] == [
        ("start", 1, (1,)),
        ("end", 2, (1, 2)),
    ]
    alarms = [one for one in events if isinstance(one, AlarmEvent) and one.phase != "update"]
    assert [(one.rule, one.phase, one.track_ids) for one in alarms] == [
        ("came", "start", (1,)),
        ("light", "start", (1,)),
        ("long", "start", (2,)),
        ("light", "end", (2,)),
        ("long", "end", (2,)),
        ("came", "end", (2,)),
    ]
    assert {one.instance_ids for one in alarms if one.rule == "light"} == {
        ("test/gate/1/bright/1",)
    }

    folder = config.observations.folder_under(config.output)
    reader = ObservationReader(find_files([str(folder)]), ObservationSelection())
    [recording] = reader.recordings
    again = [
        event
        for [item] in back_test(reader, recording, [config], wall_clock=False)
        for event in item.events
    ]
    assert list(map(encode_event, again)) == list(map(encode_event, events))
