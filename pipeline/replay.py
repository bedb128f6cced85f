"""Replay recorded video from Python: for notebooks and other programs, and for the command line.

    from pipeline.config.schema import load_config
    from pipeline.replay import replay_events

    if __name__ == "__main__":
        config = load_config(settings=["detector.weights=builtin"])
        for event in replay_events(["demo/pedestrians.mp4"], config):
            print(event.camera_id, event.seq, event.kind)

A script needs its `if __name__ == "__main__":`, because files are decoded in processes that import
the script; a notebook does not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path

from pipeline.app import replay
from pipeline.components import Components, build_components
from pipeline.config.schema import PipelineConfig
from pipeline.config.shipped_files import PROJECT
from pipeline.errors import SourceError
from pipeline.events import Event
from pipeline.outputs.sinks import Sink
from pipeline.runtime.shutdown import Shutdown
from pipeline.sources.file_decoder import VideoInfo
from pipeline.sources.recordings import Recording
from pipeline.sources.video_search import find_videos
from pipeline.stages.decisions import EventStamp
from pipeline.telemetry.replay_statistics import ReplayStatistics


class UnreadableVideoError(SourceError):
    """Files that could not be read, or not to their end; the events of all others were yielded.

    Args:
        errors: one text per file, with its path.
    """

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = tuple(errors)


def replay_events(
    videos: Iterable[str | Path | Recording],
    config: PipelineConfig | None = None,
    *,
    components: Components | None = None,
    run_id: str = "replay",
    wall_clock: bool = False,
    sinks: Sequence[Sink] = (),
    keep_pixels: bool = False,
    opened: Callable[[str, VideoInfo], None] = lambda camera_id, info: None,
    shutdown: Shutdown | None = None,
) -> Generator[Event, None, None]:
    """Recognize the actions in video files and yield the events as they are decided.

    The same files give the same events, byte for byte, as `replay --no-wall-clock` writes them.
    Nothing is written unless `sinks` are given: no file, and no stream on Redis.

    The files are found and the models are loaded by the call; the run begins with the first event
    that is asked for. Leaving the loop early, by `break` or an exception, ends the run and all of
    its threads; if the generator is held in a variable, its `close` does.

    Args:
        videos: files, directories or glob patterns, where each file is a camera of its own; or
            recordings.
        config: as `load_config(settings=["detector.confidence=0.5"])`; None: the defaults.
        components: models that are loaded already, for several runs; None loads them.
        run_id: part of every event.
        wall_clock: True adds times of day and latencies, which differ from run to run.
        sinks: written with every result before its events are yielded; the caller closes them.
        keep_pixels: a sink draws, so frames keep their image to the end.
        opened: called from another thread with a camera id and what its file holds.
        shutdown: ends the reading or the whole run from another thread or a signal handler.

    Raises:
        ConfigError: from the call, naming the key whose value, file or device does not fit.
        SourceError: from the call, if a directory or a pattern holds no video.
        UnreadableVideoError: after the last event, naming the files that could not be read.
        PipelineError: if a sink cannot be written; drawn videos and tracks list it in their
            `errors` instead, and cost themselves alone.
    """
    config = config or PipelineConfig()
    found = _recordings(videos, config)
    components = components or build_components(config, PROJECT)
    stamp = EventStamp(run_id, components.model_name, wall_clock)
    statistics = ReplayStatistics()
    events = replay(
        found,
        components,
        config,
        stamp,
        [*sinks, statistics],
        shutdown or Shutdown(),
        opened=opened,
        keep_pixels=keep_pixels,
    )
    return _checked(events, statistics)


def _recordings(
    videos: Iterable[str | Path | Recording], config: PipelineConfig
) -> tuple[Recording, ...]:
    given = list(videos)
    recordings = [one for one in given if isinstance(one, Recording)]
    files = find_videos(
        [str(one) for one in given if not isinstance(one, Recording)],
        taken=[recording.camera_id for recording in recordings],
    )
    container_time = config.replay.container_time
    of_files = (Recording.of_file(video, container_time=container_time) for video in files)
    return (*recordings, *of_files)


def _checked(
    events: Generator[Event, None, None], statistics: ReplayStatistics
) -> Generator[Event, None, None]:
    yield from events
    if statistics.errors:
        raise UnreadableVideoError(statistics.errors)
