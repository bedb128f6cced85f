"""Read labels in any supported form: a folder per class, tables, lists of other programs."""

from __future__ import annotations

import csv
import logging
import re
from pathlib import Path

from pipeline.sources.video_search import VIDEO_SUFFIXES
from training.labels.label_lists import is_video, read_ava, read_list, recording_of
from training.labels.label_tables import delimiter_of, read_csv, read_json, read_label_text
from training.labels.samples import DataError, Sample, Split

# Folders and files with these names hold that part of the data.
SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
TABLES = ("labels.csv", "labels.json")

log = logging.getLogger(__name__)


def read_samples(
    source: Path,
    *,
    label_file: Path | None = None,
    videos: Path | None = None,
    time_offset_s: float = 0.0,
) -> list[Sample]:
    """Read labels; their form is recognized from the file.

    Args:
        source: a folder with a folder of videos per class (also below train, val and test), or
            one with a labels.csv or labels.json in it; a CSV with the columns of
            `label_tables.FIELDS`; a JSON list of objects with them; a video list of mmaction2 or
            PySlowFast (`path number`); or a CSV of AVA.
        label_file: names the numbers of the last two; None: what lies beside them.
        videos: folder of relative paths; None: that of `source`.
        time_offset_s: subtracted from AVA's times; 900 for AVA's own cuts of minutes 15 to 30.

    Returns:
        Samples in the order of the file; whether the videos exist is not checked.

    Raises:
        DataError: naming file and line, and what is expected there.
    """
    if source.is_dir():
        table = next((source / name for name in TABLES if (source / name).is_file()), None)
        if table is None:
            return _read_folders(source)
        log.info("labels: %s, which lies in the folder", table)
        source = table
    if not source.is_file():
        raise DataError(f"{source}: no such file or folder")
    folder = videos or source.parent
    form = "json" if source.suffix.lower() == ".json" else _form(source)
    if form == "json":
        samples = read_json(source, folder)
    elif form == "table":
        samples = read_csv(source, folder)
    elif form == "ava":
        samples = read_ava(source, folder, label_file, _split_of(source), time_offset_s)
    else:
        samples = read_list(source, folder, label_file, _split_of(source))
    if not samples:
        raise DataError(f"{source}: it has no samples")
    return samples


def _form(path: Path) -> str:
    """Distinguish table (with a header), ava and list by the first line that is not empty."""
    lines = read_label_text(path).splitlines()
    at, line = next(((at, line) for at, line in enumerate(lines, 1) if line.strip()), (1, ""))
    try:
        first = next(csv.reader([line], delimiter=delimiter_of(line)), [])
    except csv.Error as error:
        raise DataError(f"{path}:{at}: {error}") from error
    if "path" in {cell.strip().lower() for cell in first}:
        return "table"
    if len(first) in (2, 7, 8) and _is_number(first[1]) and not is_video(first[0].strip()):
        return "ava"
    if re.search(r"[\s,;]\d+\s*$", line) or is_video(line.strip()):
        return "list"
    raise DataError(
        f"{path}:{at}: expected a header with the columns path and label, or lines `path number`, "
        f"or AVA's lines `video,time,x1,y1,x2,y2,action,person`; found {line[:80]!r}"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _split_of(path: Path) -> Split | None:
    """Read the split from the name of a list: kinetics_train_list.txt, trainlist01.txt."""
    words = re.split(r"[^a-z]+|(?=list)", path.stem.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)


def _read_folders(folder: Path) -> list[Sample]:
    """Read a folder per class, or folders train, val and test with a folder per class in each."""
    inside = _folders(folder)
    if inside and all(each.name.lower() in SPLIT_NAMES for each in inside):
        samples = [
            sample
            for part in inside
            for sample in _read_classes(part, SPLIT_NAMES[part.name.lower()])
        ]
    else:
        samples = _read_classes(folder, None)
    if not samples:
        raise DataError(
            f"{folder}: no videos in it. Expected a folder per class with videos inside "
            f"(walk/a.mp4, fight/b.mp4), or a labels.csv"
        )
    return samples


def _read_classes(folder: Path, split: Split | None) -> list[Sample]:
    return [
        Sample(
            path,
            (each.name,),
            group=recording_of(path),
            split=split,
            origin=str(path.relative_to(folder.parent)),
        )
        for each in _folders(folder)
        for path in sorted(each.rglob("*"))
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
    ]


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
