"""Whether a live camera gives the events that a replay of the same pictures gives.

python -m benchmarks.live_agreement [--video FILE] [--seconds 30] [--fps 5] [--set KEY=VALUE]

The recording is replayed, then played by a real RTSP server and watched by `live`, with the same
models. Every start and end of the replay is looked for in the live run: same action, same person
(by where the boxes are), times within one clip stride.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.storm import people
from pipeline.app import replay
from pipeline.components import build_components
from pipeline.config.schema import load_config
from pipeline.config.shipped_files import PROJECT
from pipeline.events import ActionEvent, Event
from pipeline.live.camera_source import parse_source
from pipeline.runtime.shutdown import Shutdown
from pipeline.sources.video_files import VideoFile
from testbed.live_runs import STAMP, LiveRun
from testbed.rtsp_camera import RtspCamera
from testbed.videos_h264 import encode_h264


@dataclass(frozen=True, slots=True)
class Found:
    """A start or an end of the replay, and the one of the live run that is nearest to it."""

    event: ActionEvent
    late_s: float  # of its time in the live run; infinite if there is none
    same_id: bool


def starts_and_ends(events: Sequence[Event]) -> list[ActionEvent]:
    """Without those that the end of the film brings about."""
    actions = [e for e in events if isinstance(e, ActionEvent) and e.kind != "update"]
    return [e for e in actions if e.end_reason not in ("stream_ended", "camera_down")]


def overlap(one: ActionEvent, other: ActionEvent) -> float:
    """Intersection over union of two boxes."""
    a, b = np.array(one.xyxy), np.array(other.xyxy)
    wh = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    both = wh.prod()
    return float(both / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both))


def moment(event: ActionEvent) -> float:
    """When it happened, media time."""
    return event.start_pts_s if event.kind == "start" else event.end_pts_s


def match(replayed: Sequence[ActionEvent], live: Sequence[ActionEvent]) -> Iterator[Found]:
    """Each event of the replay with its counterpart; no live event serves twice."""
    left = list(live)
    for event in replayed:
        alike = [
            other
            for other in left
            if (other.kind, other.action) == (event.kind, event.action)
            and overlap(event, other) > 0.5
        ]
        nearest = min(alike, key=lambda o: abs(moment(o) - moment(event)), default=None)
        if nearest is None:
            yield Found(event, float("inf"), same_id=False)
            continue
        left.remove(nearest)
        late_s = moment(nearest) - moment(event)
        yield Found(event, late_s, same_id=nearest.track_id == event.track_id)


def main(
    video: Annotated[Path, typer.Option(help="With people.")] = PROJECT / "demo/pedestrians.mp4",
    seconds: Annotated[int, typer.Option(help="Of media time.")] = 30,
    fps: Annotated[float, typer.Option(help="At which the pictures are played.")] = 5.0,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
) -> None:
    """Run the benchmark and print its results."""
    # What is compared is what was not left out.
    patient = ["live.waiting_frames=100", "live.max_staleness_s=20", "live.max_clip_staleness_s=20"]
    many = ["decision.start_threshold=0.4", "decision.end_threshold=0.3"]
    given = [*patient, *many, *(settings or ())]
    config = load_config(None, given)
    components = build_components(config, PROJECT)
    with tempfile.TemporaryDirectory() as folder:
        every = round(25 / fps)
        pictures = list(people(video, (640, 360), seconds))[::every]
        film = encode_h264(Path(folder) / "film.mp4", pictures, fps)
        # The first picture of an RTSP stream has no time and is left out.
        played = encode_h264(Path(folder) / "played.mp4", [pictures[0], *pictures], fps)
        run_to_end = replay([VideoFile("gate", film)], components, config, STAMP, [], Shutdown())
        expected = starts_and_ends(list(run_to_end))
        with (
            RtspCamera(played, per_client=True) as server,
            LiveRun([parse_source(server.url, "gate")], components, given) as run,
        ):
            run.wait_until(lambda: run.detected("gate") > 3, 60.0)
            time.sleep(seconds - 3 / fps)
            drops = run.camera("gate").drops
    found = list(match(expected, starts_and_ends(run.events)))
    stride_s = config.clip.stride_s
    good = [one for one in found if abs(one.late_s) <= stride_s]
    print(f"left out: {drops}; clips: {run.snapshot().dropped_clips}")
    print(
        f"{len(good)} of {len(found)} starts and ends within {stride_s:g} s, "
        f"{sum(one.same_id for one in found)} with the same track id"
    )
    for one in found:
        if one not in good:
            what = f"{one.event.kind} {one.event.action}"
            print(f"  {what} at {moment(one.event):.1f} s: {one.late_s:+.1f} s")


if __name__ == "__main__":
    typer.run(main)
