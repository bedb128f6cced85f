"""What a labelled example is: a stretch of a video in which a person does something."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.errors import ConfigError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SubjectKind = Literal["person", "group"]
SUBJECTS: tuple[SubjectKind, ...] = ("person", "group")
Xyxy = tuple[float, float, float, float]


class DataError(ConfigError):
    """Labels or videos that cannot be trained on; the message names file and line."""


@dataclass(frozen=True, slots=True)
class PersonBox:
    """Where the person is, for the whole of the sample.

    Raises:
        ValueError: if the corners are not in order, or a normalized box leaves the image.
    """

    xyxy: Xyxy  # pixels of the video, or fractions of its width and height
    normalized: bool = False  # fractions, 0 to 1

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.xyxy
        if not (x1 < x2 and y1 < y2):
            raise ValueError(f"a box is x1,y1,x2,y2 with x1 < x2 and y1 < y2, not {self.xyxy}")
        if self.normalized and not (min(self.xyxy) >= 0 and max(self.xyxy) <= 1):
            raise ValueError(f"a normalized box lies between 0 and 1, not {self.xyxy}")


@dataclass(frozen=True, slots=True)
class TrackFile:
    """A person's boxes over time: MOTChallenge text, as `replay --tracks` writes it."""

    path: Path
    track_id: int | None = None  # None: the file has one person only


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled stretch of one video.

    Raises:
        ValueError: if there is no label, or the stretch ends before it starts.
    """

    path: Path  # of the video
    labels: tuple[str, ...]  # one, or several that are true at the same time
    start_s: float | None = None  # seconds of the video; None: its beginning
    end_s: float | None = None  # None: its end
    box: PersonBox | TrackFile | None = None  # None: the people that are detected and tracked
    group: str | None = None  # recordings that belong together and are never split
    subject: SubjectKind | None = None  # who does it; None: see `subjects_of`
    split: Split | None = None  # None: to be drawn
    kind: str | None = None  # of everyday behaviour: hug, sport, dance, crowd
    source: str | None = None  # of a piece of a recording that was put together
    origin: str = ""  # file and line, for messages: "labels.csv:17"

    def __post_init__(self) -> None:
        if not self.labels or not all(self.labels):
            raise ValueError("there is no label")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"a label stands twice in {'|'.join(self.labels)}")
        if self.start_s is not None and self.start_s < 0:
            raise ValueError(f"start {self.start_s:g} is before the video begins")
        if self.end_s is not None and self.end_s <= (self.start_s or 0.0):
            raise ValueError(f"end {self.end_s:g} is not after start {self.start_s or 0.0:g}")


def subjects_of(sample: Sample, group_labels: Collection[str]) -> tuple[SubjectKind, ...]:
    """Return whose clips a sample is cut into.

    A label of a group is shown by groups alone. Every other label is shown by people and, if the
    network has labels of groups and no box says who is meant, by groups too: a network that saw
    groups in fights only would call every group a fight.

    Args:
        sample: its `subject` decides, if it has one.
        group_labels: of the network.

    Raises:
        DataError: if a label of a group is said to be a person's.
    """
    grouped = sorted(set(sample.labels).intersection(group_labels))
    if sample.subject == "person" and grouped:
        raise DataError(
            f"{sample.origin}: {grouped[0]} is a label of groups (data.group_labels), "
            "but the subject is a person"
        )
    if sample.subject is not None:
        return (sample.subject,)
    if grouped:
        return ("group",)
    return SUBJECTS if group_labels and sample.box is None else ("person",)


def label_names(samples: Iterable[Sample]) -> tuple[str, ...]:
    """Collect every label that occurs, sorted."""
    return tuple(sorted({label for sample in samples for label in sample.labels}))
