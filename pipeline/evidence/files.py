"""Where evidence is kept: names, files that appear complete or not at all, leftovers.

FOLDER/<camera>/<day>/<time>-alarm-<rule>-<hash of the alarm's id>.jpg, .mp4
FOLDER/.unfinished/<run>/   what is being written; `.lock` beside it is held by the run
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from pipeline.outputs.sinks import file_name
from pipeline.runtime.file_lock import FileLock
from pipeline.runtime.private_files import make_private_folder, open_private

_UNFINISHED = ".unfinished"
_LOCK = ".lock"
_LONGEST_NAME = 60  # characters of a rule or an action
# What this module names, and nothing else that a user keeps in the folder.
OURS = re.compile(r"-(?P<kind>alarm|action)-[\w.-]+-[0-9a-f]{12}\.(jpg|mp4)$")


def evidence_path(
    camera_id: str, shown_id: str, name: str, suffix: str, *, is_alarm: bool, at: str | float
) -> str:
    """Return the path of a file of evidence, relative to the folder.

    Args:
        camera_id: its camera.
        shown_id: id of the alarm or the action, which makes the path unique.
        name: of the rule or action.
        suffix: with its dot.
        is_alarm: whether it is an alarm.
        at: when it began: ISO 8601 in UTC, or media time in seconds where no wall clock is used.
    """
    digest = hashlib.sha256(shown_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    readable = re.sub(r"[^\w-]+", "_", name, flags=re.ASCII)[:_LONGEST_NAME]
    kind = "alarm" if is_alarm else "action"
    if isinstance(at, float):
        day, time = "", f"{max(at, 0.0):010.3f}"
    else:
        begun = datetime.fromisoformat(at)
        day, time = f"{begun:%Y-%m-%d}/", f"{begun:%H%M%S}"
    # A name like ".." would leave the folder, and hidden folders are not searched for old files.
    folder = file_name(f"_{camera_id}" if camera_id.startswith(".") else camera_id, "")
    return f"{folder}/{day}{time}-{kind}-{readable}-{digest}{suffix}"


class EvidenceFiles:
    """The folder of a run's evidence; leaving the `with` block removes what is unfinished.

    Args:
        folder: where evidence is kept.
        run_id: of this run.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self.folder = folder
        self._unfinished = folder / _UNFINISHED / file_name(run_id, "")
        self._lock: FileLock | None = None

    def __enter__(self) -> Self:
        """Create the folder and remove what killed runs have left behind.

        Raises:
            OSError: if it cannot be created.
        """
        make_private_folder(self._unfinished)
        self._lock = FileLock(self._unfinished / _LOCK)
        self._lock.try_lock()
        for other in self._unfinished.parent.iterdir():
            if other != self._unfinished:
                _remove_leftover(other)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._unfinished, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def unfinished(self, path: str) -> Path:
        """Return where to write a file before it is published.

        Raises:
            OSError: if the folder for it cannot be created.
        """
        make_private_folder(self._unfinished)
        return self._unfinished / file_name(path, "")

    def publish(self, path: str) -> None:
        """Make a written and synced file appear under its path, also after a power cut.

        Raises:
            OSError: if it cannot be moved there.
        """
        target, unfinished = self.folder / path, self.unfinished(path)
        make_private_folder(target.parent)
        try:
            unfinished.replace(target)
        except FileNotFoundError:  # the folder was empty, and deleted just now
            make_private_folder(target.parent)
            unfinished.replace(target)
        folder = target.parent
        while folder != self.folder.parent:
            _sync_folder(folder)
            folder = folder.parent

    def write(self, path: str, content: bytes) -> None:
        """Write a whole file and make it appear under its path.

        Raises:
            OSError: if the disk does not take it; nothing is left of it then.
        """
        unfinished = self.unfinished(path)
        try:
            with open_private(unfinished, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self.publish(path)
        except BaseException:
            self.discard(path)
            raise

    def discard(self, path: str) -> None:
        """Remove what was written of a file, and the file itself."""
        for one in (self._unfinished / file_name(path, ""), self.folder / path):
            with suppress(OSError):
                one.unlink()


def _remove_leftover(folder: Path) -> None:
    """Remove the unfinished files of a run that has ended; those of one that runs stay."""
    try:
        with FileLock(folder / _LOCK) as lock:
            if lock.try_lock():
                shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # no folder of a run, or of another user
        return


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
