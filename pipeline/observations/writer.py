"""Write observations: small closed files while an hour lasts, then one file of the hour.

Every file is written aside and renamed, so each one that has its name can be read. A killed process
loses what it had not written yet, at most the flush interval.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.observations.carried_ends import CarriedEnds
from pipeline.observations.columns import FileHeader, LabelSets, Rows, encode_rows
from pipeline.observations.file_names import hour_of, name_of
from pipeline.observations.recorded_run import NumberedItem, ObservationFormatError, RecordedRun
from pipeline.observations.retention import TEMPORARY, ObservationLimits, remove_excess
from pipeline.printable import printable
from pipeline.runtime.private_files import make_private_folder, open_private
from pipeline.types import StreamEnd

MOST_ROWS = 50_000  # waiting rows that are written before the interval is over; about 25 MB
MOST_WAITING_ROWS = 4 * MOST_ROWS  # rows that wait for a disk that takes none; then frames are lost

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _CameraHour:
    """What was seen of one camera in one hour."""

    camera_id: str
    hour: int  # since 1970
    first_item: int
    rows: Rows  # not written yet
    parts: list[Path] = field(default_factory=list)  # written


class ObservationWriter:
    """Writes the observations of one run; not thread-safe.

    Args:
        folder: of the files; created with mode 0700.
        run: described in every file.
        limits: of the folder, and the interval after which `due` is true.
        tolerant: a disk that is full or failing ends nothing. Frames wait for it, and what cannot
            wait is lost and counted; False: it raises.
        now: Unix seconds.
        monotonic: seconds on a clock that is never set back.
    """

    def __init__(
        self,
        folder: Path,
        run: RecordedRun,
        limits: ObservationLimits,
        *,
        tolerant: bool,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.disk_error: str | None = None  # why the disk takes nothing now
        self.missing = 0  # frames that are lost
        self._folder, self._run, self._limits, self._tolerant = folder, run, limits, tolerant
        self._now, self._monotonic = now, monotonic
        self._flushed_at = monotonic()
        self._label_sets: LabelSets = []
        self._cameras: dict[str, _CameraHour] = {}
        self._over: list[_CameraHour] = []  # hours to be put together
        self._carried = CarriedEnds()

    @property
    def due_in_s(self) -> float:
        """Seconds until what waits is to be written."""
        return max(0.0, self._flushed_at + self._limits.flush_s - self._monotonic())

    def add(self, one: NumberedItem) -> None:
        """Accept an item; write what waits if there is much of it.

        Raises:
            PipelineError: if it cannot be written and the writer is not tolerant.
        """
        waiting = self._waiting_rows
        if waiting >= MOST_WAITING_ROWS and not isinstance(one.item, StreamEnd):
            self.missing += 1
            self._carried.keep(one.item)
            return
        one = self._carried.added_to(one)
        hour = self._hour_for(one)
        hour.rows.add(one)
        if isinstance(one.item, StreamEnd) and one.item.is_final:
            self._over.append(self._cameras.pop(one.camera_id))
        if waiting >= MOST_ROWS and self.disk_error is None:
            self.flush()

    def flush(self) -> None:
        """Write what waits, put hours together that are over, and delete what is too much.

        Raises:
            PipelineError: if it cannot be written and the writer is not tolerant.
        """
        self._flushed_at = self._monotonic()
        try:
            make_private_folder(self._folder)
            while self._over:
                self._write_hour(self._over[0])
                self._over.pop(0)
            for hour in self._cameras.values():
                if len(hour.rows):
                    self._write_part(hour)
            removed = remove_excess(self._folder, self._limits, self._now())
        except OSError as error:
            self._report(error)
            return
        if removed:
            log.info("observations: %d old files deleted, see observations.max_*", removed)
        if self.disk_error is not None:
            log.warning(
                "%s can be written again; %d frames are missing there",
                printable(str(self._folder)),
                self.missing,
            )
            self.disk_error = None

    def close(self) -> None:
        """Write everything, and put the last hours together; a second call does nothing.

        Raises:
            PipelineError: if it cannot be written and the writer is not tolerant.
        """
        self._over += self._cameras.values()
        self._cameras.clear()
        self.flush()

    @property
    def _waiting_rows(self) -> int:
        return sum(len(hour.rows) for hour in (*self._over, *self._cameras.values()))

    def _hour_for(self, one: NumberedItem) -> _CameraHour:
        """Return where the item belongs: an end belongs to the hour that its camera is in."""
        current = self._cameras.get(one.camera_id)
        if isinstance(one.item, StreamEnd):
            at = one.item.at if one.item.at is not None else self._now()
            hour = hour_of(at) if current is None else current.hour
        else:
            hour = hour_of(one.item.tracked.frame.seen_at)
        if current is not None and current.hour == hour:
            return current
        if current is not None:
            self._over.append(current)
        fresh = _CameraHour(one.camera_id, hour, one.number, Rows(self._label_sets))
        self._cameras[one.camera_id] = fresh
        return fresh

    def _write_part(self, hour: _CameraHour) -> None:
        path = self._path(hour, hour.rows.first_item, is_part=True)
        self._write(path, hour, ())
        hour.parts.append(path)
        hour.rows = Rows(self._label_sets)

    def _write_hour(self, hour: _CameraHour) -> None:
        """Put the hour together in one file; a part that cannot be read again stays as it is."""
        try:
            parts, before = _read_again(hour.parts)
            if not parts and not len(hour.rows):
                return
            self._write(self._path(hour, hour.first_item, is_part=False), hour, before)
        except ObservationFormatError as error:
            log.error("%s: parts of an hour stay apart: %s", self._folder, error)
            hour.parts.clear()
            if len(hour.rows):
                self._write_part(hour)
            return
        for path in parts:
            path.unlink(missing_ok=True)

    def _path(self, hour: _CameraHour, first_item: int, *, is_part: bool) -> Path:
        recording = self._run.recording
        name = name_of(hour.camera_id, hour.hour, recording, first_item, is_part=is_part)
        return self._folder / name

    def _write(self, path: Path, hour: _CameraHour, before: Sequence[bytes]) -> None:
        """Write aside, sync and rename, so that the name is that of a complete file."""
        header = FileHeader(self._run, hour.camera_id, tuple(self._label_sets))
        content = encode_rows(header, hour.rows, before)
        aside = path.with_name(f".{path.name}{TEMPORARY}")
        try:
            with open_private(aside, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except OSError:
            with suppress(OSError):  # it only makes a full disk fuller
                aside.unlink(missing_ok=True)
            raise

    def _report(self, error: OSError) -> None:
        reason = printable(error.strerror or str(error))
        text = f"cannot write {printable(str(self._folder))}: {reason}"
        if not self._tolerant:
            raise PipelineError(text) from error
        if self.disk_error is None:
            log.error("%s; the run continues, and observations wait for the disk", text)
        self.disk_error = text


def _read_again(paths: Sequence[Path]) -> tuple[list[Path], list[bytes]]:
    """Return those of some parts that are still there, and what is in them.

    Raises:
        ObservationFormatError: if one cannot be read.
    """
    parts, contents = list[Path](), list[bytes]()
    for path in paths:
        try:
            contents.append(path.read_bytes())
        except FileNotFoundError:  # the limits may have deleted it
            continue
        except OSError as error:  # a bad sector must not stop what is written elsewhere
            raise ObservationFormatError(f"{printable(path.name)}: {error.strerror}") from error
        parts.append(path)
    return parts, contents
