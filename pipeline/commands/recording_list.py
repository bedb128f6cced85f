"""List the recordings of a replay, from the arguments of the command line."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import ConfigError, SourceError
from pipeline.printable import printable
from pipeline.sources.decoder_process import DecoderProcess
from pipeline.sources.file_decoder import VideoInfo
from pipeline.sources.piece_order import arrange_pieces
from pipeline.sources.recordings import Recording
from pipeline.sources.video_search import find_videos
from pipeline.time_text import format_utc

log = logging.getLogger(__name__)


def find_recordings(
    videos: Sequence[str],
    cameras: Sequence[str],
    *,
    recursive: bool,
    start_at: float | None,
    container_time: bool,
) -> tuple[Recording, ...]:
    """Return one recording per camera of `--camera`, then one per other file.

    Args:
        videos: files, directories and patterns.
        cameras: `NAME`, which makes one camera of all `videos`, or `NAME=VIDEO`, which may be given
            several times, also for one camera.
        recursive: search directories to their full depth.
        start_at: Unix seconds at which every recording begins; None: as far as it is known.
        container_time: use the creation times of containers.

    Raises:
        ConfigError: if the arguments contradict each other.
        SourceError: if a directory or a pattern holds no video.
    """
    by_camera, others = _by_camera(videos, cameras)
    recordings = []
    for name, arguments in by_camera.items():
        arranged = arrange_pieces(name, find_videos(arguments, recursive=recursive), _created_at)
        pieces = arranged.recording.pieces
        if len(pieces) > 1:
            first, last = (printable(pieces[n].path.name) for n in (0, -1))
            what = f"{len(pieces)} pieces in the order of {arranged.ordered_by}"
            log.info("%s: %s, from %s to %s", name, what, first, last)
        recordings.append(arranged.recording)
    for video in find_videos(others, recursive=recursive, taken=by_camera):
        recordings.append(Recording.of_file(video, container_time=container_time))
    if start_at is not None:
        return tuple(_moved(recording, start_at) for recording in recordings)
    for recording in recordings:
        if recording.starts_at[0] is not None:
            at = format_utc(recording.starts_at[0])
            log.info("%s: recorded from %s on", recording.camera_id, at)
    return tuple(recordings)


def warning_of_unknown_times(
    recordings: Sequence[Recording], opened: Callable[[str, VideoInfo], None]
) -> Callable[[str, VideoInfo], None]:
    """Return a callback that warns of recordings for which no schedule holds.

    Args:
        recordings: of the replay.
        opened: called by the callback first.
    """
    untimed = {one.camera_id: one for one in recordings if one.starts_at[0] is None}

    def checked(camera_id: str, info: VideoInfo) -> None:
        opened(camera_id, info)
        recording = untimed.pop(camera_id, None)
        if recording and not (recording.container_time and info.created_at is not None):
            log.warning(
                "%s: it is not known when this was recorded, so no schedule holds in it and rules "
                "with a schedule raise no alarm; --start-time gives its time",
                camera_id,
            )

    return checked


def _by_camera(
    videos: Sequence[str], cameras: Sequence[str]
) -> tuple[dict[str, list[str]], Sequence[str]]:
    by_camera: dict[str, list[str]] = {}
    of_all = [text for text in cameras if "=" not in text]
    if of_all and (len(cameras) > 1 or not videos):
        what = "give it once" if videos else "name its videos"
        raise ConfigError(
            f"--camera {of_all[0]}: it is the camera of all VIDEOs: {what}, or several as "
            "--camera NAME=VIDEO"
        )
    if of_all:
        return {printable(of_all[0]): list(videos)}, ()
    for text in cameras:
        name, _, video = text.partition("=")
        if not name or not video:
            raise ConfigError(f"--camera {text}: expected NAME or NAME=VIDEO")
        by_camera.setdefault(printable(name), []).append(video)
    if not by_camera and not videos:
        raise ConfigError("no video: name files, directories or patterns")
    return by_camera, videos


def _created_at(path: Path) -> float | None:
    """Read the creation time of a container, in a process that it may crash."""
    try:
        with DecoderProcess(path) as decoder:
            info = decoder.read_info(threading.Event())
    except SourceError:  # reported when it is read
        return None
    return None if info is None else info.created_at


def _moved(recording: Recording, start_at: float) -> Recording:
    """Return the recording with its first piece at a time; the distances of the others stay."""
    first_at, *others = recording.starts_at
    if first_at is None:
        starts_at: tuple[float | None, ...] = (start_at, *others)
    else:
        starts_at = tuple(
            None if at is None else at - first_at + start_at for at in recording.starts_at
        )
    return replace(recording, starts_at=starts_at)
