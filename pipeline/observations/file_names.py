"""How files of observations are named: whose they are, of which hour and run, and in which order.

`gate_2026-11-25T22_20261125T221501Z-3fa9_000000120.parquet` is the hour of the camera gate from
22:00 UTC on; while that hour lasts, `....part.parquet` hold what was seen of it so far.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.outputs.sinks import file_name

HOUR_S = 3600
_LATEST_HOUR = 253402300799 // HOUR_S  # of the year 9999
_PATTERN = re.compile(
    r"(?P<camera>.+)_(?P<hour>\d{4}-\d\d-\d\dT\d\d)_(?P<recording>[0-9A-Za-z-]+)"
    r"_(?P<item>\d{9,})(?P<part>\.part)?\.parquet"
)


@dataclass(frozen=True, slots=True)
class ObservationFile:
    """A file of observations, as its name tells."""

    path: Path
    camera: str  # the camera's id as it is in file names
    hour: str  # UTC, `2026-11-25T22`, of its frames
    recording: str  # one start of the program
    first_item: int  # number of its first item
    is_part: bool  # whether the hour is not put together yet

    @property
    def order(self) -> tuple[int, bool]:
        """What files of one camera and recording are sorted by; a whole hour before its parts."""
        return self.first_item, self.is_part


def parse_name(path: Path) -> ObservationFile | None:
    """Read the name of a file; None if it is not one of observations."""
    found = _PATTERN.fullmatch(path.name)
    if found is None:
        return None
    camera, hour, recording, item, part = found.groups()
    return ObservationFile(path, camera, hour, recording, int(item), part is not None)


def name_of(camera_id: str, hour: int, recording: str, first_item: int, *, is_part: bool) -> str:
    """Return the name of a file; it cannot leave its folder, whatever the camera is called.

    Args:
        camera_id: any text.
        hour: hours since 1970, of its frames.
        recording: as in `RecordedRun`.
        first_item: number of its first item.
        is_part: whether further files of the same hour follow.
    """
    suffix = ".part.parquet" if is_part else ".parquet"
    return file_name(camera_id, f"_{hour_text(hour)}_{recording}_{first_item:09d}{suffix}")


def hour_of(seen_at: float) -> int:
    """Return the hours since 1970 of Unix seconds; of what is beyond every calendar, its border."""
    return min(max(0, int(seen_at // HOUR_S)), _LATEST_HOUR)


def hour_text(hour: int) -> str:
    """Return hours since 1970 as they are in names: `2026-11-25T22`, UTC."""
    return f"{datetime.fromtimestamp(hour * HOUR_S, UTC):%Y-%m-%dT%H}".rjust(13, "0")


def files_in(folder: Path) -> Iterator[ObservationFile]:
    """Yield the files of observations directly in a folder, in no order.

    Raises:
        OSError: if the folder cannot be listed.
    """
    for path in folder.iterdir():
        found = parse_name(path)
        if found is not None:
            yield found
