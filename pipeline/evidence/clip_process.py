"""Write clips in a private process, which is replaced if it crashes or hangs."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from pipeline.evidence.clip_file import ClipError, Hiding, WrittenClip, write_clip
from pipeline.runtime.child_process import ChildProcess
from pipeline.sources.encoded_video import EncodedStretch
from pipeline.sources.file_decoder import DecodeError, DecodeOptions
from pipeline.sources.pixel_limit import limit_memory
from pipeline.sources.recorded_packets import RecordedPackets

_KEPT_BYTES = 32 << 20  # packets of one recording that are kept for its next clip
_OPEN_FILES = 4
_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class RecordedVideo:
    """The part of a recording that a clip is cut from."""

    path: Path
    stream: int | None  # number of its video stream; None: the longest one
    options: DecodeOptions
    begins_s: float  # media time of the file's begin


@dataclass(frozen=True, slots=True)
class ClipJob:
    """A clip to write."""

    path: Path  # of the unfinished file
    video: EncodedStretch | RecordedVideo
    start_s: float  # media time
    end_s: float
    max_pixels: int
    hiding: Hiding | None = None


@dataclass(frozen=True, slots=True)
class _Failed:
    """Child to parent: there is no clip."""

    text: str
    errno: int | None  # of the disk; None: the video cannot be made a clip


class ClipProcess:
    """The parent's side, for one thread; leaving its `with` block kills the child.

    Args:
        limit_s: a clip that takes longer is given up, seconds.
        child: function that the child runs; a test may pass one that crashes.
    """

    def __init__(self, limit_s: float, child: Callable[[Connection], None] | None = None) -> None:
        self._limit_s = limit_s
        self._target = child or serve_clips
        self._abandoned = threading.Event()
        self._child: ChildProcess | None = None

    def __enter__(self) -> ClipProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill the child; the next clip starts another one."""
        if self._child is not None:
            self._child.kill()
        self._child = None

    def abandon(self) -> None:
        """Give up the clip that is being written, and all later ones; from any thread."""
        self._abandoned.set()

    def write(self, job: ClipJob) -> WrittenClip:
        """Write a clip and sync it to disk.

        Raises:
            ClipError: if the video cannot be made a clip, or the child crashed on it.
            OSError: if the disk does not take it, or not in time.
        """
        if self._child is None:
            self._child = ChildProcess(self._target, name="clips")
        child = self._child
        child.send(job)
        try:
            deadline = time.monotonic() + self._limit_s
            while not child.pipe.poll(_POLL_S):
                if self._abandoned.is_set():
                    self.kill()
                    raise ClipError("the run was ended")
                if time.monotonic() > deadline:
                    self.kill()
                    raise TimeoutError(None, f"not written within {self._limit_s:g} s")
            message = child.pipe.recv()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            cause = child.cause_of_death()
            self.kill()
            raise ClipError(f"the process that writes it died ({cause})") from None
        if isinstance(message, _Failed):
            if message.errno is None:
                raise ClipError(message.text)
            raise OSError(message.errno, message.text)
        assert isinstance(message, WrittenClip)
        return message


def serve_clips(pipe: Connection) -> None:
    """Write one clip after the other, in the child, until the parent has ended."""
    files = _Recordings()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            job = pipe.recv()
            assert isinstance(job, ClipJob)
            limit_memory(job.max_pixels)
            pipe.send(_serve(files, job))


def _serve(files: _Recordings, job: ClipJob) -> WrittenClip | _Failed:
    try:
        clip = write_clip(
            job.path,
            files.find(job),
            job.start_s,
            job.end_s,
            hiding=job.hiding,
            max_pixels=job.max_pixels,
        )
    except (ClipError, DecodeError) as error:
        return _Failed(str(error), None)
    except MemoryError:
        return _Failed("it needs too much memory", None)
    except OSError as error:
        return _Failed(error.strerror or str(error), error.errno or 0)
    return clip


class _Recordings:
    """The files that were read last, each where its newest clip ended."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[Path, int | None, float], RecordedPackets] = OrderedDict()

    def find(self, job: ClipJob) -> EncodedStretch:
        """Return the packets of a clip, with media times.

        Raises:
            ClipError: if there is no frame at that time.
            DecodeError: if the file cannot be read.
        """
        if isinstance(job.video, EncodedStretch):
            return job.video
        video = job.video
        key = (video.path, video.stream, video.begins_s)
        packets = self._open.pop(key, None)
        if packets is None:
            packets = RecordedPackets(video.path, video.stream, video.options, _KEPT_BYTES)
        self._open[key] = packets
        while len(self._open) > _OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        stretch = packets.between(job.start_s - video.begins_s, job.end_s - video.begins_s)
        if stretch is None:
            raise ClipError("the recording has no frame at that time")
        return stretch.moved(video.begins_s)
