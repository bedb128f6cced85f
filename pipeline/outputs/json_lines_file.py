"""A file of JSON lines whose lines are whole, also after a full disk, a kill or a power cut."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from stat import S_ISREG

from pipeline.events import EventError, decode_event
from pipeline.outputs.output_lock import lock_output
from pipeline.printable import printable
from pipeline.runtime.private_files import open_private

_BLOCK = 65_536

log = logging.getLogger(__name__)


class JsonLinesFile:
    """Append whole lines to a file, which is locked against other runs.

    Args:
        path: the file; its folder is created.
        keep: append to what is there; a last line that is not whole is moved to `NAME.torn`.

    Raises:
        PipelineError: if another run writes it.
        OSError: if it cannot be created.
    """

    def __init__(self, path: Path, *, keep: bool) -> None:
        self._path = path
        self._lock = lock_output(path)
        try:
            with open_private(path, "ab" if keep else "wb") as file:
                self._fd = os.dup(file.fileno())
        except BaseException:
            if self._lock is not None:
                self._lock.close()
            raise
        self._is_torn = keep and self._is_regular() and not self._end_with_a_line()

    def write(self, lines: bytes) -> None:
        """Write whole lines, all or none.

        Raises:
            OSError: if the disk does not take them.
        """
        begin = os.fstat(self._fd).st_size
        data = b"\n" + lines if self._is_torn else lines
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self._take_back(begin)
            raise
        self._is_torn = False

    def close(self) -> None:
        """Close the file and release the lock."""
        if self._fd >= 0:
            os.close(self._fd)
            if self._lock is not None:
                self._lock.close()
        self._fd = -1

    def _is_regular(self) -> bool:
        return S_ISREG(os.fstat(self._fd).st_mode)

    def _take_back(self, begin: int) -> None:
        """Remove the part of a line that a failed write has left, or have the next one end it."""
        if not self._is_regular() or os.fstat(self._fd).st_size == begin:
            return
        try:
            os.ftruncate(self._fd, begin)
        except OSError:
            self._is_torn = True

    def _end_with_a_line(self) -> bool:
        """Repair the end of the file; False if that is not possible now."""
        try:
            tail = self._last_line()
            if not tail:
                return True
            if _is_event(tail):
                os.write(self._fd, b"\n")
                return True
            torn = self._path.with_name(f"{self._path.name}.torn")
            with open_private(torn, "ab") as file:
                file.write(tail + b"\n")
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - len(tail))
        except OSError as error:
            log.warning("%s: its last line is torn: %s", printable(str(self._path)), error.strerror)
            return False
        log.warning(
            "%s ended in the middle of a line, as after a kill or a power cut; its last %d bytes "
            "are moved to %s",
            printable(str(self._path)),
            len(tail),
            printable(torn.name),
        )
        return True

    def _last_line(self) -> bytes:
        """Return what follows on the last end of a line."""
        with self._path.open("rb") as file:
            position = file.seek(0, os.SEEK_END)
            tail = b""
            while position > 0 and b"\n" not in tail:
                step = min(_BLOCK, position)
                position -= step
                file.seek(position)
                tail = file.read(step) + tail
        return tail[tail.rfind(b"\n") + 1 :]


def _is_event(text: bytes) -> bool:
    try:
        decode_event(text)
    except EventError:
        return False
    return True
