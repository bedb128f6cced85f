"""The register of evaluations: which data was looked at when, what for, and what came out.

A file of JSON lines that is only ever appended to. What chose anything is not held out any more;
the register is how that is still known months later.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from pipeline.errors import ConfigError
from pipeline.runtime.file_lock import FileLock
from pipeline.runtime.private_files import make_private_folder, open_private

DEFAULT_REGISTER = Path("runs/evaluations.jsonl")
LOCK_TIMEOUT_S = 60.0  # a line takes milliseconds to write
Purpose = Literal[
    "trained on", "chose the epoch", "chose thresholds", "cross-validated", "looked at"
]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterEntry:
    """One use of some data."""

    at: str  # UTC, ISO 8601
    purpose: Purpose
    data: str  # as the user named it
    split: str | None
    clips: int
    groups: int
    model: str  # its name
    weights: str  # identity of their numbers; "" where there are several, as in a cross-validation
    numbers: Mapping[str, float] = field(default_factory=dict)  # headlines
    command: str = ""
    videos: tuple[str, ...] = ()  # fingerprints, sorted: the identity of the data

    def to_json(self) -> str:
        """Encode as one line."""
        return json.dumps(asdict(self), ensure_ascii=False)


class Register:
    """The register in a file, for any number of processes.

    Args:
        path: of the file; made, with its folder, for its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Fail before the long part of a command, not after it.

        Raises:
            ConfigError: if the file cannot be written.
        """
        try:
            with open_private(self.path, "ab"):
                pass
        except OSError as error:
            raise ConfigError(
                f"--register {self.path}: cannot be written ({error.strerror}); name another file"
            ) from error

    def append(self, entries: Iterable[RegisterEntry]) -> None:
        """Append entries and wait until they are on disk.

        A failure is logged and nothing more: hours of work must not be lost for a line.
        """
        lines = "".join(f"{entry.to_json()}\n" for entry in entries)
        try:
            make_private_folder(self.path.parent)
            with FileLock(self.path.with_suffix(".lock")) as lock:
                if not lock.lock(timeout_s=LOCK_TIMEOUT_S):
                    raise TimeoutError(f"another process holds {self.path.with_suffix('.lock')}")
                with open_private(self.path, "ab") as file:
                    file.write(f"{self._ended()}{lines}".encode())
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            log.error("%s: not registered (%s):\n%s", self.path, error, lines)

    def read(self) -> list[RegisterEntry]:
        """Read the entries, the oldest first; lines that are damaged are skipped and named.

        Raises:
            ConfigError: if there is a file that cannot be read.
        """
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read ({error.strerror})") from error
        found = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            entry = _entry(line)
            if entry is None:
                log.warning("%s:%d: not a line of the register, skipped", self.path, number)
            else:
                found.append(entry)
        return found

    def _ended(self) -> str:
        """Return what ends a line that a power cut left without its end."""
        with self.path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return ""
            file.seek(-1, os.SEEK_END)
            return "" if file.read(1) == b"\n" else "\n"


def _entry(line: str) -> RegisterEntry | None:
    """Decode a line; fields of later versions are ignored."""
    try:
        values = json.loads(line)
        known = {one.name for one in fields(RegisterEntry)} & values.keys()
        entry = RegisterEntry(**{name: values[name] for name in known})
        entry = replace(entry, videos=tuple(map(str, entry.videos)))
    except (ValueError, TypeError, AttributeError):
        return None
    if entry.purpose not in get_args(Purpose) or not isinstance(entry.numbers, dict):
        return None
    return entry


def now_utc() -> str:
    """Return the time as entries have it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataHistory:
    """What the data of an evaluation had been used for before."""

    videos: int
    trained: int | None  # videos that the model was trained on; None: it keeps no record
    chose_epoch: int  # videos that chose its epoch
    chose_thresholds: str | None  # when some of them chose its thresholds
    looks: int  # entries of the register with some of these videos
    last_look: str | None
    last_model: str | None

    @property
    def held_out(self) -> bool | None:
        """True if nothing of the model depends on the data; None if that is not known."""
        if self.trained or self.chose_epoch or self.chose_thresholds is not None:
            return False
        return None if self.trained is None else True

    def sentences(self) -> list[str]:
        """Say it in plain words."""
        found = []
        if self.trained:
            found.append(
                f"{self.trained} of its {self.videos} videos trained this model: not held out"
            )
        if self.chose_epoch:
            found.append(
                f"{self.chose_epoch} of its {self.videos} videos chose the epoch of this model: "
                "not held out"
            )
        if self.chose_thresholds is not None:
            found.append(
                f"this data chose the thresholds of this model on {self.chose_thresholds[:10]}: "
                "not held out"
            )
        if self.trained is None:
            found.append("the weights do not record all that they were trained on")
        if not self.looks:
            found.append("this data is looked at for the first time")
        else:
            times = "once" if self.looks == 1 else f"{self.looks} times"
            found.append(
                f"this data was looked at {times} before, the last time on "
                f"{(self.last_look or '')[:10]} with {self.last_model}"
            )
        return found


def history_of(
    videos: frozenset[str],
    entries: Sequence[RegisterEntry],
    *,
    weights: str = "",
    trained_on: frozenset[str] | None = frozenset(),
    chosen_on: frozenset[str] = frozenset(),
    thresholds: tuple[str, frozenset[str]] | None = None,
) -> DataHistory:
    """Collect what is known about data before an evaluation.

    Args:
        videos: fingerprints of its videos.
        entries: of the register.
        weights: identity of the model's; "" for none.
        trained_on: what the weights record; None: they keep no record.
        chosen_on: what they record about the choice of their epoch.
        thresholds: when the thresholds in the weights were chosen, and on which videos.
    """
    before = [entry for entry in entries if not videos.isdisjoint(entry.videos)]
    mine = [entry for entry in before if weights and entry.weights == weights]
    chose = [entry.at for entry in mine if entry.purpose == "chose thresholds"]
    if thresholds is not None and not videos.isdisjoint(thresholds[1]):
        chose.append(thresholds[0])
    seen = {name: _union(mine, name) for name in ("trained on", "chose the epoch")}
    trained = None if trained_on is None else trained_on | seen["trained on"]
    if trained is None and seen["trained on"]:
        trained = seen["trained on"]
    return DataHistory(
        videos=len(videos),
        trained=None if trained is None else len(videos & trained),
        chose_epoch=len(videos & (chosen_on | seen["chose the epoch"])),
        chose_thresholds=max(chose, default=None),
        looks=len(before),
        last_look=before[-1].at if before else None,
        last_model=before[-1].model if before else None,
    )


def _union(entries: Iterable[RegisterEntry], purpose: str) -> frozenset[str]:
    return frozenset(
        video for entry in entries if entry.purpose == purpose for video in entry.videos
    )
