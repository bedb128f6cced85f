"""Read when something is true in front of a camera: the labels of a back-test."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from training.labels.label_tables import SHOWN_ERRORS, lines_of, read_label_text
from training.labels.samples import DataError

COLUMNS = ("camera", "path", "label", "start", "end")
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class LabelledInterval:
    """Something is true of a camera for a while."""

    camera_id: str
    label: str
    start_s: float | None  # None: from the beginning
    end_s: float | None  # None: to the end
    origin: str  # file and line


@dataclass(frozen=True, slots=True)
class LabelledIntervals:
    """The intervals of a file."""

    intervals: tuple[LabelledInterval, ...]
    are_times_of_day: bool  # Unix seconds; else seconds of media time

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras that are labelled, each once, in order."""
        return tuple(dict.fromkeys(one.camera_id for one in self.intervals))


def read_intervals(path: Path) -> LabelledIntervals:
    """Read a CSV file with the columns camera (or path), label, start and end.

    A path stands for the camera that `replay` makes of this file: its name without the ending.
    Start and end are seconds of media time, or times of day as `2026-11-25T22:14:03+01:00`
    (without an offset: local time); empty: from the beginning, to the end.

    Args:
        path: UTF-8; commas, semicolons or tabs between columns.

    Raises:
        DataError: naming the wrong lines.
    """
    text = read_label_text(path)
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = lines_of(path, reader)
    names = [name.strip().lower() for name in next(rows, ("", []))[1]]
    if "label" not in names or not {"camera", "path"} & set(names):
        raise DataError(
            f"{path}: it needs the columns camera (or path) and label, and has {', '.join(names)}"
        )
    found, kinds, errors = list[LabelledInterval](), dict[bool, str](), list[str]()
    for origin, cells in rows:
        try:
            one, kind = _interval(dict(zip(names, map(str.strip, cells), strict=False)), origin)
        except ValueError as error:
            errors.append(f"{origin}: {error}")
            continue
        found.append(one)
        if kind is not None:
            kinds.setdefault(kind, origin)
    if errors:
        raise DataError("\n".join(errors[:SHOWN_ERRORS]))
    if len(kinds) > 1:
        raise DataError(
            f"{kinds[False]} has seconds, {kinds[True]} a time of day: use one kind in a file"
        )
    if not found:
        raise DataError(f"{path}: it has no intervals")
    return LabelledIntervals(tuple(found), are_times_of_day=True in kinds)


def _interval(row: Mapping[str, str], origin: str) -> tuple[LabelledInterval, bool | None]:
    """Return the interval of a row, and whether its times are times of day; None without any."""
    camera_id = row.get("camera") or Path(row.get("path", "")).stem
    if not camera_id:
        raise ValueError("camera: missing")
    if not row.get("label"):
        raise ValueError("label: missing")
    points = {name: _point(name, row[name]) for name in ("start", "end") if row.get(name)}
    kinds = {is_time for _, is_time in points.values()}
    if len(kinds) > 1:
        raise ValueError("start and end must both be seconds, or both times of day")
    start_s, end_s = (points[name][0] if name in points else None for name in ("start", "end"))
    if start_s is not None and end_s is not None and end_s <= start_s:
        raise ValueError(f"end {row['end']} is not after start {row['start']}")
    interval = LabelledInterval(camera_id, row["label"], start_s, end_s, origin)
    return interval, next(iter(kinds), None)


def _point(name: str, text: str) -> tuple[float, bool]:
    """Return seconds, and whether they are those of a time of day."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            return datetime.fromisoformat(text).timestamp(), True
        except (ValueError, OverflowError):
            raise ValueError(
                f"{name}: expected seconds or a time like 2026-11-25T22:14:03, got {text!r}"
            ) from None
    if not math.isfinite(seconds):
        raise ValueError(f"{name}: expected seconds, got {text!r}")
    return seconds, False
