"""Find observations and read them back as the items of their runs, in the order of the run."""

from __future__ import annotations

import glob
import heapq
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.events import DownReason
from pipeline.observations.columns import FileHeader
from pipeline.observations.file_names import (
    ObservationFile,
    files_in,
    hour_of,
    hour_text,
    parse_name,
)
from pipeline.observations.items import read_header, read_items
from pipeline.observations.recorded_run import NumberedItem, ObservationFormatError, RecordedRun
from pipeline.printable import printable
from pipeline.types import StreamEnd

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ObservationSelection:
    """Which observations are read; what is empty or None selects all."""

    cameras: tuple[str, ...] = ()  # ids or shell patterns
    start_at: float | None = None  # Unix seconds; frames before it are skipped
    end_at: float | None = None  # Unix seconds; frames from it on are skipped
    runs: tuple[str, ...] = ()  # run ids or recordings

    def has_camera(self, camera_id: str) -> bool:
        """Return whether a camera is selected."""
        patterns = self.cameras
        return not patterns or any(fnmatchcase(camera_id, pattern) for pattern in patterns)

    def has_run(self, run: RecordedRun) -> bool:
        """Return whether a run is selected."""
        return not self.runs or bool({run.run_id, run.recording}.intersection(self.runs))

    def has_hour(self, hour: str) -> bool:
        """Return whether an hour, as in file names, has selected frames."""
        starts_late = self.end_at is not None and hour > hour_text(hour_of(self.end_at))
        ends_early = self.start_at is not None and hour < hour_text(hour_of(self.start_at))
        return not starts_late and not ends_early


@dataclass(frozen=True, slots=True)
class RecordedCamera:
    """The files of one camera in one run."""

    camera_id: str
    files: tuple[ObservationFile, ...]  # in order

    @property
    def hours(self) -> frozenset[str]:
        """The hours of the files, as in their names."""
        return frozenset(one.hour for one in self.files)


@dataclass(frozen=True, slots=True)
class RecordedObservations:
    """The observations of one run."""

    run: RecordedRun
    cameras: tuple[RecordedCamera, ...]


def find_files(sources: Sequence[str]) -> list[ObservationFile]:
    """Find files of observations.

    Args:
        sources: files, folders, which are searched to their full depth, or glob patterns.

    Raises:
        SourceError: naming the source that holds none.
    """
    found: dict[Path, ObservationFile] = {}
    for source in sources:
        paths = [Path(source)]
        if not paths[0].exists():
            paths = [Path(one) for one in sorted(glob.glob(source, recursive=True))]  # noqa: PTH207
        files = [one for path in paths for one in _files_at(path)]
        if not files:
            what = "no observations in it" if paths else "no such file or folder"
            raise SourceError(f"{printable(source)}: {what}")
        found |= {one.path: one for one in files}
    return list(found.values())


class ObservationReader:
    """Reads the observations of some files; one that cannot be read costs itself alone.

    Args:
        files: of any number of runs and cameras.
        selection: of what is read.
    """

    def __init__(self, files: Sequence[ObservationFile], selection: ObservationSelection) -> None:
        self.errors: list[str] = []  # one text per file that could not be read
        # Called with the size of each file, in bytes, when it has been read.
        self.done: Callable[[int], object] = lambda size: None
        self._selection = selection
        self.recordings = self._recordings(files)

    @property
    def size(self) -> int:
        """Bytes of all selected files together."""
        files = (one for each in self.recordings for camera in each.cameras for one in camera.files)
        return sum(_size(one.path) for one in files)

    def items(self, recording: RecordedObservations) -> Iterator[NumberedItem]:
        """Yield the items of a run as its decision stage got them, cameras interleaved.

        A camera without an end, because its process was killed or a later time is not selected,
        gets one.

        Args:
            recording: one of `recordings`.
        """
        each = [self.camera_items(camera) for camera in recording.cameras]
        return heapq.merge(*each, key=lambda one: one.number)

    def _recordings(self, files: Sequence[ObservationFile]) -> tuple[RecordedObservations, ...]:
        by_camera: dict[tuple[str, str], list[ObservationFile]] = defaultdict(list)
        for one in files:
            if self._selection.has_hour(one.hour):
                by_camera[one.recording, one.camera].append(one)
        runs: dict[str, RecordedRun] = {}
        cameras: dict[str, list[RecordedCamera]] = defaultdict(list)
        for (recording, _), of_camera in sorted(by_camera.items()):
            readable = [(one, header) for one in of_camera if (header := self._header(one))]
            if not readable:
                continue
            header = readable[0][1]
            if self._selection.has_run(header.run) and self._selection.has_camera(header.camera_id):
                runs[recording] = header.run
                ordered = sorted((one for one, _ in readable), key=lambda one: one.order)
                cameras[recording].append(RecordedCamera(header.camera_id, tuple(ordered)))
        return tuple(RecordedObservations(run, tuple(cameras[name])) for name, run in runs.items())

    def _header(self, one: ObservationFile) -> FileHeader | None:
        try:
            return read_header(one.path)
        except (OSError, ObservationFormatError) as error:
            self._report(one.path, error)
            return None

    def camera_items(self, camera: RecordedCamera) -> Iterator[NumberedItem]:
        """Yield the items of one camera of a run; see `items`."""
        newest, ends = _Newest(), _EndOfCamera(camera.camera_id, self._selection)
        for file in camera.files:
            for one in self._file_items(file):
                if not newest.is_new(one):
                    continue
                if ends.is_selected(one):
                    yield one
                elif ends.is_over:
                    break
            self.done(_size(file.path))
            if ends.is_over:
                break
        yield from ends.missing_end(newest.number)

    def _file_items(self, file: ObservationFile) -> Iterator[NumberedItem]:
        for path in (file.path, *_whole_hours(file)):
            try:
                header = read_header(path)
                yield from read_items(path, header)
            except FileNotFoundError:  # the run has put the hour together meanwhile
                continue
            except (OSError, ObservationFormatError) as error:
                self._report(path, error)
            return
        self._report(file.path, FileNotFoundError("it was deleted meanwhile"))

    def _report(self, path: Path, error: Exception) -> None:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        self.errors.append(f"{printable(str(path))}: {printable(text)}")
        log.error("skipped: %s", self.errors[-1])


@dataclass(slots=True)
class _Newest:
    """The newest item of a camera: a killed process may leave an hour and parts of it."""

    number: int = -1

    def is_new(self, one: NumberedItem) -> bool:
        if one.number <= self.number:
            return False
        self.number = one.number
        return True


@dataclass(slots=True)
class _EndOfCamera:
    """Selects the items of a camera by time, and knows whether it ended."""

    camera_id: str
    selection: ObservationSelection
    is_over: bool = False  # a time was reached that is not selected any more
    _is_up: bool = field(default=False)  # a frame was selected, and no final end

    def is_selected(self, one: NumberedItem) -> bool:
        start_at, end_at = self.selection.start_at, self.selection.end_at
        if isinstance(one.item, StreamEnd):
            selected = self._is_up or start_at is None
            self._is_up = self._is_up and not one.item.is_final
            return selected
        seen_at = one.item.tracked.frame.seen_at
        if end_at is not None and seen_at >= end_at:
            self.is_over = True
            return False
        if start_at is not None and seen_at < start_at:
            return False
        self._is_up = True
        return True

    def missing_end(self, number: int) -> Iterator[NumberedItem]:
        if self._is_up:
            reason: DownReason = "stopped" if self.is_over else "interrupted"
            yield NumberedItem(number, StreamEnd(self.camera_id, reason))


def _files_at(path: Path) -> Iterator[ObservationFile]:
    if path.is_dir():
        for folder in (path, *sorted(one for one in path.rglob("*") if one.is_dir())):
            yield from files_in(folder)
    elif (named := parse_name(path)) is not None:
        yield named


def _whole_hours(file: ObservationFile) -> Iterator[Path]:
    """Yield the files of a part's hour, in which the part is once the hour is over."""
    if file.is_part:
        for other in sorted(files_in(file.path.parent), key=lambda one: one.order):
            same = (other.camera, other.hour, other.recording)
            if not other.is_part and same == (file.camera, file.hour, file.recording):
                yield other.path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
