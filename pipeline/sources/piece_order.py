"""Put the files of one camera in order: by times in their names, in their containers, or of change.

Recorders write pieces of ten seconds to an hour and name them by the time, in the name or in the
folders above it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.sources.recordings import Recording
from pipeline.sources.video_files import VideoFile

_SEP = r"[-_.: ]?"
_DATE = rf"(?<!\d)(?P<date>(?:19|20)\d\d{_SEP}(?:0[1-9]|1[0-2]){_SEP}(?:0[1-9]|[12]\d|3[01]))"
_HOUR, _SIXTY = r"(?:[01]\d|2[0-3])", r"[0-5]\d"
_ZONE = r"(?P<zone>Z|\+\d\d:?\d\d|-\d\d:\d\d)?"
_CLOCK = (
    rf"(?P<clock>{_HOUR}[-_.:h ]?{_SIXTY}(?:[-_.:m ]?{_SIXTY})?)"
    rf"(?:[-_.,]?(?P<fraction>\d{{3}}|\d{{6}})(?!\d))?{_ZONE}"
)
_NAME = re.compile(
    rf"{_DATE}(?:[-_. ]{{0,3}}|T| at ){_CLOCK}(?!\d)"
)  # 2026-11-25T10:00:00, 20261125100000
_UNIX = re.compile(r"(?<!\d)(?P<seconds>1\d{9})(?P<milliseconds>\d{3})?(?!\d)")
_TREE_DATE = re.compile(_DATE.replace(_SEP, r"[-_./ ]?") + r"(?!\d)")
_DAY = re.compile(rf"\D{{0,8}}(?<!\d){_CLOCK}(?!\d)")  # 10.00.00-10.05.00[M], in a folder of a day
# 10/gate/05.20, 10/05: the folder of an hour, perhaps one of the camera, minute and second
_HOUR_TREE = re.compile(
    rf"/(?P<hour>{_HOUR})(?:/[^/]*)?/(?P<minute>{_SIXTY})(?:[-_.:m]?(?P<second>{_SIXTY}))?(?!\d)"
)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The pieces of one camera in order, and by what they were ordered."""

    recording: Recording
    ordered_by: str  # for people


def arrange_pieces(
    camera_id: str, videos: Sequence[VideoFile], created_at: Callable[[Path], float | None]
) -> Arrangement:
    """Put the files of one camera in order.

    By the times in their names (local time unless they have an offset), else by the creation times
    of their containers, else by the number in which their names differ, else by when they were
    changed last. The first two also give the distances of the pieces.

    Args:
        camera_id: name of the camera.
        videos: its files, each once.
        created_at: reads the creation time of a container, Unix seconds; None: it has none.
    """
    named = [time_in_path(video.path) for video in videos]
    if (by_name := _in_order(videos, named)) is not None:
        return Arrangement(Recording(camera_id, *by_name), "the times in their names")
    created = _creation_times(videos, created_at) if len(videos) > 1 else []
    if (by_container := _in_order(videos, created)) is not None:
        how = "the creation times in their containers"
        return Arrangement(Recording(camera_id, *by_container), how)
    numbered = _counters(videos)
    how = "the number in their names"
    if numbered is None:
        numbered = [_changed_at(video.path) for video in videos]
        how = "the times at which they were changed last"
    order = sorted(range(len(videos)), key=lambda n: (numbered[n], str(videos[n].path)))
    pieces = tuple(videos[n] for n in order)
    return Arrangement(Recording(camera_id, pieces, (None,) * len(pieces)), how)


def time_in_path(path: Path) -> float | None:
    """Return the time that the name of a file states, or its folders with it, Unix seconds.

    Args:
        path: such as `gate_2026-11-25T10:00:00+01:00.mp4`, `ch1_20261125100000.dav`,
            `gate-1764064800.mp4`, `2026-11-25/gate/10.00.00.mp4`, `2026/11/25/10/05.20.mp4`.
    """
    if match := _NAME.search(path.stem):
        return _unix_s(match["date"], match["clock"], match["fraction"], match["zone"])
    if match := _UNIX.search(path.stem):
        return int(match["seconds"]) + int(match["milliseconds"] or 0) / 1e3
    folders = f"{path.parent}/"
    date = list(_TREE_DATE.finditer(folders))
    if not date:
        return None
    day = date[-1]
    if match := _HOUR_TREE.search(f"{folders[day.end() :]}{path.stem}"):
        clock = f"{match['hour']}{match['minute']}{match['second'] or '00'}"
        return _unix_s(day["date"], clock, None, None)
    if match := _DAY.match(path.stem):
        return _unix_s(day["date"], match["clock"], match["fraction"], match["zone"])
    return None


def _unix_s(date: str, clock: str, fraction: str | None, zone: str | None) -> float | None:
    digits = re.sub(r"\D", "", clock)
    text = f"{re.sub(r'[^0-9]', '', date)}T{digits.ljust(6, '0')}{zone or ''}"
    try:
        return datetime.fromisoformat(text).timestamp() + float(f"0.{fraction or 0}")
    except (ValueError, OverflowError):  # the 31st of a month of 30 days
        return None


def _creation_times(
    videos: Sequence[VideoFile], created_at: Callable[[Path], float | None]
) -> list[float]:
    """Return the times up to the first file that has none, or that of another one.

    Asking starts a process for each file: not for the rest of those that it does not order.
    """
    times: list[float] = []
    for video in videos:
        at = created_at(video.path)
        if at is None or at in times:
            break
        times.append(at)
    return times


def _in_order(
    videos: Sequence[VideoFile], times: Sequence[float | None]
) -> tuple[tuple[VideoFile, ...], tuple[float | None, ...]] | None:
    """Return videos and times in order; None unless each has a time of its own."""
    known = [(at, n) for n, at in enumerate(times) if at is not None]
    if len(known) < len(videos) or len({at for at, _ in known}) < len(videos):
        return None
    known.sort()
    return tuple(videos[n] for _, n in known), tuple(at for at, _ in known)


def _counters(videos: Sequence[VideoFile]) -> list[float] | None:
    """Return the counter in each path; None if the paths differ in anything else.

    Names that differ in several numbers may be days and hours in an order that is not that of time.
    """
    paths = [str(video.path.with_suffix("")) for video in videos]
    if len({re.sub(r"[0-9]+", "#", path) for path in paths}) > 1:
        return None
    numbers = [tuple(float(number) for number in re.findall(r"[0-9]+", path)) for path in paths]
    varying = [column for column in zip(*numbers, strict=True) if len(set(column)) > 1]
    if len(varying) != 1 or len(set(varying[0])) < len(videos):
        return None
    return list(varying[0])


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # reported when it is read; the last one
        return float("inf")
