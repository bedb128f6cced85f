"""Files of evidence between the thread that writes them and the event that names them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from pipeline.events import UNNUMBERED, EvidenceEvent
from pipeline.evidence.clip_file import WrittenClip
from pipeline.evidence.shown import Shown
from pipeline.evidence.writer import WrittenSnapshot

_POLL_S = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Unannounced:
    """A file that is being written."""

    shown: Shown
    run_id: str
    media: Literal["clip", "snapshot"]
    path: str
    at_s: float  # media time of a snapshot
    result: Future[WrittenClip | None] | Future[WrittenSnapshot | None]

    @property
    def written(self) -> WrittenClip | WrittenSnapshot | None:
        """What is on disk; None while it is not, and where it will not be."""
        if not self.result.done() or self.result.cancelled():
            return None
        return self.result.result()


def wait_for(files: Iterable[Unannounced], wait_s: float | None, hurry: threading.Event) -> None:
    """Wait until files are written, or cannot be.

    Args:
        files: that are being written.
        wait_s: longest wait, seconds; None: as long as it takes.
        hurry: ends the wait.
    """
    deadline = float("inf") if wait_s is None else time.monotonic() + wait_s
    for one in files:
        while not one.result.done():
            left_s = deadline - time.monotonic()
            if left_s <= 0 or hurry.is_set():
                return
            with suppress(TimeoutError, CancelledError):
                one.result.exception(min(left_s, _POLL_S))


def announce(
    one: Unannounced, written: WrittenClip | WrittenSnapshot, camera_id: str
) -> EvidenceEvent:
    """Return the unnumbered event of a file that can be read.

    Args:
        one: what it shows and where it is.
        written: what is on disk.
        camera_id: its camera.
    """
    if isinstance(written, WrittenClip):
        start_s, last_s, duration_s = written.start_s, written.last_s, written.duration_s
        codec = written.codec
    else:
        start_s = last_s = one.at_s
        duration_s, codec = 0.0, "jpeg"
    return EvidenceEvent(
        kind="evidence",
        event_id="",
        camera_id=camera_id,
        run_id=one.run_id,
        seq=UNNUMBERED,
        alarm_id=one.shown.id if one.shown.is_alarm else None,
        instance_id=None if one.shown.is_alarm else one.shown.id,
        media=one.media,
        path=one.path,
        codec=codec,
        start_pts_s=round(start_s, 3),
        end_pts_s=round(last_s, 3),
        time=one.shown.time_of(start_s),
        duration_s=round(duration_s, 3),
        size_bytes=written.size_bytes,
        sha256=written.sha256,
    )
