"""Measure how well the events of a live camera agree with a replay of the same frames.

python -m benchmarks.live_agreement [--video FILE] [--seconds 30] [--fps 5] [--set KEY=VALUE]

The recording is replayed, then streamed by a real RTSP server and processed by `live` with the same
models. Each start and end of the replay is matched to an event of the live run with the same action
and an overlapping box; the two agree if their times differ by at most one clip stride.
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

from benchmarks.storm import DEMO_VIDEO, FPS, resized_images
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
class EventMatch:
    """A start or end of the replay and the nearest matching event of the live run."""

    event: ActionEvent
    late_s: float  # live minus replay, media time; infinite without a matching event
    same_id: bool


def starts_and_ends(events: Sequence[Event]) -> list[ActionEvent]:
    """Return the starts and ends, except for ends caused by the end of the stream."""
    actions = [e for e in events if isinstance(e, ActionEvent) and e.kind != "update"]
    return [e for e in actions if e.end_reason not in ("stream_ended", "camera_down")]


def box_iou(one: ActionEvent, other: ActionEvent) -> float:
    """Return the intersection over union of the boxes of two events."""
    a, b = np.array(one.xyxy), np.array(other.xyxy)
    wh = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    intersection = wh.prod()
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - intersection
    return float(intersection / union)


def media_time_s(event: ActionEvent) -> float:
    """Return the media time of a start or end, in seconds."""
    return event.start_pts_s if event.kind == "start" else event.end_pts_s


def match_events(
    replayed: Sequence[ActionEvent], live: Sequence[ActionEvent]
) -> Iterator[EventMatch]:
    """Match each event of the replay to the nearest live event; use each live event once."""
    unmatched = list(live)
    for event in replayed:
        time_s = media_time_s(event)
        candidates = [
            other
            for other in unmatched
            if (other.kind, other.action) == (event.kind, event.action)
            and box_iou(event, other) > 0.5
        ]
        nearest = min(candidates, key=lambda o: abs(media_time_s(o) - time_s), default=None)
        if nearest is None:
            yield EventMatch(event, float("inf"), same_id=False)
            continue
        unmatched.remove(nearest)
        late_s = media_time_s(nearest) - time_s
        yield EventMatch(
            event,
            late_s,
            same_id=(nearest.track_id, nearest.group_id) == (event.track_id, event.group_id),
        )


def main(
    video: Annotated[Path, typer.Option(help="Video that shows people.")] = DEMO_VIDEO,
    seconds: Annotated[int, typer.Option(help="Seconds of the video to use.")] = 30,
    fps: Annotated[float, typer.Option(help="Frames per second, live and replayed.")] = 5.0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a config key.")
    ] = None,
) -> None:
    """Replay a recording, stream it live and compare the events."""
    # Dropped frames would make the two differ.
    no_drops = [
        "live.waiting_frames=100",
        "live.max_staleness_s=20",
        "live.max_clip_staleness_s=20",
    ]
    many_events = ["decision.start_threshold=0.4", "decision.end_threshold=0.3"]
    overrides = [*no_drops, *many_events, *(settings or ())]
    config = load_config(None, overrides)
    components = build_components(config, PROJECT)
    with tempfile.TemporaryDirectory() as folder:
        step = round(FPS / fps)
        images = list(resized_images(video, (640, 360), seconds))[::step]
        replayed = encode_h264(Path(folder) / "replayed.mp4", images, fps)
        # The first frame of an RTSP stream has no timestamp and is dropped.
        streamed = encode_h264(Path(folder) / "streamed.mp4", [images[0], *images], fps)
        files = [VideoFile("gate", replayed)]
        events = list(replay(files, components, config, STAMP, [], Shutdown()))
        with (
            RtspCamera(streamed, per_client=True) as server,
            LiveRun([parse_source(server.url, "gate")], components, overrides) as run,
        ):
            run.wait_until(lambda: run.detected("gate") > 3, 60.0)
            time.sleep(seconds - 3 / fps)
            drops = run.camera("gate").drops
    matches = list(match_events(starts_and_ends(events), starts_and_ends(run.events)))
    stride_s = config.clip.stride_s
    agreeing = [one for one in matches if abs(one.late_s) <= stride_s]
    print(f"dropped frames: {drops}; dropped clips: {run.snapshot().dropped_clips}")
    print(
        f"{len(agreeing)} of {len(matches)} starts and ends within {stride_s:g} s, "
        f"{sum(one.same_id for one in matches)} with the same track id"
    )
    for one in matches:
        if one not in agreeing:
            name = f"{one.event.kind} {one.event.action}"
            print(f"  {name} at {media_time_s(one.event):.1f} s: {one.late_s:+.1f} s")


if __name__ == "__main__":
    typer.run(main)
