"""Person crops on disk: decoded, detected and cut once, read by every epoch.

An entry of the cache is one sample: `KEY.jpegs` holds its crops one behind the other, `KEY.json`
holds the place and time of each of them. The JSON is written last: it makes the entry whole.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.slowfast.input_spec import InputSpec
from pipeline.stages.groups import GroupSpec
from training.labels.samples import Sample, SubjectKind, TrackFile, subjects_of

# A cached crop is this much wider than the network's, so that training can shift and scale it as a
# detector's boxes shift and scale; what lies further outside repeats the border. Both have the
# same pixels per body height.
CACHE_WIDTH = 9 / 7
JPEG_QUALITY = 95  # a tenth of the raw size, and no worse than the videos it comes from

Crops = NDArray[np.uint8]  # (T, C, C, 3) BGR
GROUP = "group"  # begins the `who` of a group
FORMAT = 1  # of the cache; another one makes new entries


@dataclass(frozen=True, slots=True)
class CutSpec:
    """How people are cut out of videos for one network."""

    fps: float  # frames per second that are sampled, at most
    crop_size: int  # S of the network, pixels
    crop_margin: float  # of the network, margin on each side as a fraction of the box's longer side
    span_s: float  # from the first to the last frame of the network's clip
    min_track_fraction: (
        float  # of its sample in which a person must be seen, or of a clip if shorter
    )
    group_labels: tuple[str, ...] = ()  # of the network; see `subjects_of`
    group_margin: float = 0.12  # of the network, on each side of a group's hull

    @classmethod
    def of(cls, spec: InputSpec, *, fps: float, min_track_fraction: float) -> CutSpec:
        """Derive what a network needs from its input."""
        span_s = (spec.clip_len - 1) * spec.interval_s
        return cls(
            fps,
            spec.crop_size,
            spec.crop_margin,
            span_s,
            min_track_fraction,
            spec.group_labels,
            spec.group_margin,
        )

    @property
    def cache_size(self) -> int:
        """C, side of a cached crop in pixels: even or odd as S is, so that S sits in its centre."""
        border = math.ceil(self.crop_size * (CACHE_WIDTH - 1) / 2)
        return self.crop_size + 2 * border

    @property
    def cache_margin(self) -> float:
        """Margin of a cached crop on each side, as a fraction of the box's longer side."""
        return self._widened(self.crop_margin)

    @property
    def cache_group_margin(self) -> float:
        """Margin of a cached group's window, as a fraction of the hull's longer side."""
        return self._widened(self.group_margin)

    def _widened(self, margin: float) -> float:
        wide = (1 + 2 * margin) * self.cache_size / self.crop_size
        return (wide - 1) / 2


@dataclass(frozen=True, slots=True, eq=False)
class CachedTrack:
    """One person doing what its sample is labelled with."""

    sample: Sample
    file: Path  # KEY.jpegs
    pts_s: NDArray[np.float64]  # (N,) of the crops, on the clock of the video
    offsets: NDArray[np.int64]  # (N,) bytes in the file
    lengths: NDArray[np.int64]  # (N,) bytes
    whole_frame: bool  # no person was tracked: the crops show the whole frame
    who: str = ""  # the same for all clips of one group of the sample; "" for a person

    @property
    def subject(self) -> SubjectKind:
        """A person, or a group of people."""
        return "group" if self.who.startswith(GROUP) else "person"

    def __len__(self) -> int:
        return len(self.pts_s)


@dataclass(frozen=True, slots=True)
class TrackIndex:
    """Where the crops of one person are in KEY.jpegs."""

    pts_s: list[float]
    offsets: list[int]
    lengths: list[int]
    who: str = ""  # see `CachedTrack.who`

    def add(self, pts_s: float, offset: int, length: int) -> None:
        """Add the place of one crop."""
        self.pts_s.append(pts_s)
        self.offsets.append(offset)
        self.lengths.append(length)

    @property
    def seen_s(self) -> float:
        """Seconds from the first crop to the last."""
        return self.pts_s[-1] - self.pts_s[0] if self.pts_s else 0.0


def entry_of(sample: Sample, spec: CutSpec, cache: Path, people: str) -> Path | None:
    """Return the path KEY.json of a sample's entry; None if its video does not exist.

    A file is known by its path, size and time of change: reading gigabytes to hash them would
    take longer than what the cache saves.

    Args:
        sample: whose people are cut.
        spec: how.
        cache: folder of the entries.
        people: identity of the detector and the tracker.

    Raises:
        DataError: if a label of a group is said to be a person's.
    """
    identity = file_identity(sample.path)
    if identity is None:
        return None
    box = None if sample.box is None else asdict(sample.box)
    track = file_identity(sample.box.path) if isinstance(sample.box, TrackFile) else None
    parts: dict[str, object] = {
        "format": [FORMAT, CACHE_WIDTH, JPEG_QUALITY],
        "video": identity,
        "stretch": [sample.start_s, sample.end_s],
        "box": [box, track],
        "spec": {
            "fps": spec.fps,
            "crop_size": spec.crop_size,
            "crop_margin": spec.crop_margin,
            "span_s": spec.span_s,
            "min_track_share": spec.min_track_fraction,  # the name that made the first entries
        },
        "people": people if box is None else None,
    }
    subjects = subjects_of(sample, spec.group_labels)
    if "group" in subjects:  # the entries of people alone keep their name
        parts["groups"] = [subjects, spec.group_margin, asdict(GroupSpec())]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return cache / f"{key[:32]}.json"


def file_identity(path: Path) -> tuple[str, int, int] | None:
    """Return path, bytes and nanoseconds of the last change; of a folder, its files together."""
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        stats = [file.stat() for file in files]
    except OSError:
        return None
    newest = max((stat.st_mtime_ns for stat in stats), default=0)
    return str(path.resolve()), sum(stat.st_size for stat in stats), newest


def encode_crop(crop: NDArray[np.uint8]) -> bytes:
    """Encode uint8 (C, C, 3) BGR as JPEG."""
    done, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    return data.tobytes()


def read_crops(track: CachedTrack, rows: Sequence[int] | NDArray[np.intp]) -> Crops:
    """Decode the crops of some rows, which may repeat: uint8 (len(rows), C, C, 3) BGR."""
    data = np.memmap(track.file, np.uint8, "r")
    wanted, where = np.unique(np.asarray(rows), return_inverse=True)
    decoded = [_decode(data[track.offsets[row] :][: track.lengths[row]]) for row in wanted]
    return np.stack(decoded)[where]


def _decode(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    crop = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert crop is not None
    return np.asarray(crop, np.uint8)


def write_index(path: Path, tracks: Sequence[TrackIndex], *, whole_frame: bool) -> None:
    """Write KEY.json, in one step."""
    content = {"whole_frame": whole_frame, "tracks": [asdict(track) for track in tracks]}
    unfinished = path.with_suffix(".json.part")
    unfinished.write_text(json.dumps(content))
    unfinished.replace(path)


def read_entry(path: Path, sample: Sample) -> list[CachedTrack] | None:
    """Read the tracks of KEY.json; None if the entry is missing or incomplete."""
    jpegs = path.with_suffix(".jpegs")
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if not jpegs.is_file():
        return None
    return [
        CachedTrack(
            sample,
            jpegs,
            np.array(track["pts_s"], np.float64),
            np.array(track["offsets"], np.int64),
            np.array(track["lengths"], np.int64),
            bool(content["whole_frame"]),
            str(track.get("who", "")),
        )
        for track in content["tracks"]
    ]
