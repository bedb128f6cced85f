"""The threads that write evidence, so that a slow disk delays no stage."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

from pipeline.evidence.clip_file import ClipError, Hiding, WrittenClip
from pipeline.evidence.clip_process import ClipJob, ClipProcess, RecordedVideo
from pipeline.evidence.files import EvidenceFiles
from pipeline.evidence.health import EvidenceHealth, Product
from pipeline.evidence.snapshot import EvidenceSnapshot, encode_snapshot
from pipeline.printable import printable
from pipeline.sources.encoded_video import EncodedStretch

MOST_SNAPSHOTS = 8  # that wait; each holds the image of a frame
MOST_CLIP_BYTES = 256 << 20  # packets of clips that wait

Job = TypeVar("Job")


@dataclass(frozen=True, slots=True, eq=False)
class SnapshotToWrite:
    """A snapshot, its camera and its path below the folder."""

    camera_id: str
    path: str
    snapshot: EvidenceSnapshot


@dataclass(frozen=True, slots=True, eq=False)
class ClipToWrite:
    """A clip, its camera and its path below the folder."""

    camera_id: str
    path: str
    video: EncodedStretch | RecordedVideo
    start_s: float  # media time
    end_s: float
    hiding: Hiding | None


@dataclass(frozen=True, slots=True)
class WrittenSnapshot:
    """A complete snapshot on disk."""

    size_bytes: int
    sha256: str


class _Waiting(Generic[Job]):
    """Jobs with their results, bounded by a number that each of them counts for."""

    def __init__(self, limit: int | None, weight: Callable[[Job], int]) -> None:
        self._limit, self._weight = limit, weight
        self._jobs: deque[tuple[Job, Future[object]]] = deque()
        self._total = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, job: Job, result: Future[object]) -> bool:
        """Append a job; return False if there is no room for it, or no one who would do it."""
        with self._changed:
            weight = self._weight(job)
            full = self._limit is not None and self._total and self._total + weight > self._limit
            if full or self._closed:
                return False
            self._total += weight
            self._jobs.append((job, result))
            self._changed.notify_all()
            return True

    def next(self) -> tuple[Job, Future[object]] | None:
        """Return the oldest job, waiting for one; None after `close`, when all are done."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                if not self._jobs or not self._jobs[0][1].cancelled():
                    return self._jobs[0] if self._jobs else None
                self._forget_oldest()  # it was given up

    def done(self) -> None:
        """Forget the oldest job, which was done."""
        with self._changed:
            if self._jobs:
                self._forget_oldest()

    def _forget_oldest(self) -> None:
        self._total -= self._weight(self._jobs.popleft()[0])

    def close(self, *, drop: bool) -> None:
        """Accept no further job; with `drop`, forget those that wait."""
        with self._changed:
            self._closed = True
            if drop:
                for _, result in self._jobs:
                    result.cancel()
                self._jobs.clear()
            self._changed.notify_all()


class EvidenceWriter:
    """Write snapshots and clips, each in a thread that `app.py` starts.

    Args:
        files: where they go.
        health: counts them and reports faults.
        process: writes the clips.
        max_pixels: of a frame that is decoded for a clip.
        patient: nothing is refused because others wait.

    Attributes:
        closed: set by `close`.
    """

    def __init__(
        self,
        files: EvidenceFiles,
        health: EvidenceHealth,
        process: ClipProcess,
        max_pixels: int,
        *,
        patient: bool,
    ) -> None:
        self.closed = threading.Event()
        self._files, self._health, self._process = files, health, process
        self._max_pixels = max_pixels
        self._snapshots = _Waiting[SnapshotToWrite](
            None if patient else MOST_SNAPSHOTS, lambda job: 1
        )
        self._clips = _Waiting[ClipToWrite](None if patient else MOST_CLIP_BYTES, _packet_bytes)

    def write_snapshot(self, job: SnapshotToWrite) -> Future[WrittenSnapshot | None]:
        """Have a snapshot written; its result is None if it cannot be."""
        result: Future[WrittenSnapshot | None] = Future()
        if not self._snapshots.put(job, result):  # type: ignore[arg-type]
            self._refuse("snapshot")
            result.set_result(None)
        return result

    def write_clip(self, job: ClipToWrite) -> Future[WrittenClip | None]:
        """Have a clip written; its result is None if it cannot be."""
        result: Future[WrittenClip | None] = Future()
        if not self._clips.put(job, result):  # type: ignore[arg-type]
            self._refuse("clip")
            result.set_result(None)
        return result

    def missed(self, product: Product, camera_id: str, cause: str) -> None:
        """Report that a file cannot be written, for a reason that is the camera's."""
        self._health.failed(product, camera_id, f"camera {camera_id}: no {product} ({cause})")

    def run_snapshots(self) -> None:
        """Write snapshots until `close`."""
        with self._never_awaited_in_vain():
            self._write_snapshots()

    def _write_snapshots(self) -> None:
        while (entry := self._snapshots.next()) is not None:
            job, result = entry
            written: WrittenSnapshot | None = None
            with self._reporting("snapshot", job.camera_id) as attempt:
                jpeg = encode_snapshot(job.snapshot)
                self._files.write(job.path, jpeg)
                written = WrittenSnapshot(len(jpeg), sha256(jpeg).hexdigest())
            if attempt.failed:
                written = None
            self._finish(self._snapshots, result, written, job.path)

    def run_clips(self) -> None:
        """Write clips until `close`."""
        with self._never_awaited_in_vain(), self._process:
            while (entry := self._clips.next()) is not None:
                job, result = entry
                written: WrittenClip | None = None
                with self._reporting("clip", job.camera_id) as attempt:
                    unfinished = self._files.unfinished(job.path)
                    written = self._process.write(
                        ClipJob(
                            unfinished,
                            job.video,
                            job.start_s,
                            job.end_s,
                            self._max_pixels,
                            job.hiding,
                        )
                    )
                    self._files.publish(job.path)
                if attempt.failed:
                    written = None
                    self._files.discard(job.path)
                self._finish(self._clips, result, written, job.path)

    @contextmanager
    def _never_awaited_in_vain(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.close(drop=True)

    def close(self, *, drop: bool = False) -> None:
        """End both threads when they have done what waits; with `drop`, without it."""
        self.closed.set()
        self._snapshots.close(drop=drop)
        self._clips.close(drop=drop)
        if drop:
            self._process.abandon()

    def _finish(
        self, waiting: _Waiting[Job], result: Future[object], written: object, path: str
    ) -> None:
        if result.set_running_or_notify_cancel():
            result.set_result(written)
        else:  # no event will name it
            self._files.discard(path)
        waiting.done()

    def _refuse(self, product: Product) -> None:
        if self.closed.is_set():  # the run was ended
            return
        self._health.failed(
            product, "disk", f"the disk is too slow for its {product}s; some are not written"
        )

    def _reporting(self, product: Product, camera_id: str) -> _Attempt:
        return _Attempt(self._health, product, camera_id)


class _Attempt:
    """Report what goes wrong in a block, and that it went well; nothing of it ends the run."""

    def __init__(self, health: EvidenceHealth, product: Product, camera_id: str) -> None:
        self._health, self._product, self._camera_id = health, product, camera_id
        self.failed = False

    def __enter__(self) -> _Attempt:
        return self

    def __exit__(self, kind: object, error: BaseException | None, tb: object) -> bool:
        product, camera_id = self._product, self._camera_id
        if error is None:
            self._health.worked(product, camera_id)
            return True
        self.failed = True
        if isinstance(error, OSError):
            text = error.strerror or str(error)
            self._health.failed(product, "disk", f"{product}s cannot be written ({text})")
            return True
        if not isinstance(error, Exception):
            return False
        cause = str(error) if isinstance(error, ClipError) else repr(error)
        self._health.failed(
            product, camera_id, printable(f"camera {camera_id}: no {product} ({cause})")
        )
        return True


def _packet_bytes(job: ClipToWrite) -> int:
    return job.video.size_bytes if isinstance(job.video, EncodedStretch) else 0
