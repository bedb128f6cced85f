"""Labels as mmaction2, PySlowFast and AVA write them: numbers, named by a file beside them."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from models.checkpoints.label_files import find_label_file, read_label_numbers
from pipeline.paths import expand_user
from pipeline.sources.video_search import VIDEO_SUFFIXES
from training.labels.label_tables import collect_samples
from training.labels.samples import DataError, PersonBox, Sample, Split

# An annotation of AVA speaks of the three seconds around its time (Gu et al. 2018, section 3.1).
AVA_HALF_SPAN_S = 1.5

log = logging.getLogger(__name__)


def read_list(
    path: Path, folder: Path, label_file: Path | None, split: Split | None
) -> list[Sample]:
    """Read lines `path number`, or `path number number` for several labels.

    Args:
        path: of the list.
        folder: of relative paths.
        label_file: names the numbers; None: what `find_label_file` finds, else class_N.
        split: of all samples.

    Raises:
        DataError: naming every wrong line, up to ten.
    """
    names = _label_names(path, label_file)

    def sample_of_line(line: str, origin: str) -> Sample:
        words = line.split()
        count = next((n for n, word in enumerate(reversed(words)) if not word.isdigit()), 0)
        if not count:
            raise DataError(f"expected `path number`, got {line[:80]!r}")
        video = line.rsplit(maxsplit=count)[0]
        labels = tuple(_name(names, int(word)) for word in words[-count:])
        return Sample(folder / expand_user(video), labels, split=split, origin=origin)

    text = path.read_text(encoding="utf-8-sig")
    lines = enumerate((line.strip() for line in text.splitlines()), start=1)
    return collect_samples(
        ((f"{path}:{number}", line) for number, line in lines if line), sample_of_line
    )


def read_ava(
    path: Path, folder: Path, label_file: Path | None, split: Split | None, time_offset_s: float
) -> list[Sample]:
    """Read AVA's CSV: video id, middle time, normalized box, action id, person id.

    The rows of one person at one time are one sample with several labels. Its box is where the
    person is in the middle; it is used for all three seconds around that time. Rows without a box
    (without an action) are skipped.

    Args:
        path: of the CSV.
        folder: with the videos, VIDEO_ID and a suffix.
        label_file: names the actions: text, JSON or AVA's own .pbtxt; None: what lies beside.
        split: of all samples.
        time_offset_s: subtracted from the times.

    Raises:
        DataError: naming every wrong line, up to ten.
    """
    names = _label_names(path, label_file)
    videos = _videos_by_id(folder)

    def sample_of_rows(rows: Sequence[Sequence[str]], origin: str) -> Sample:
        video, middle, *box = rows[0][:6]
        if video not in videos:
            raise DataError(f"no video {video} in {folder}; --videos names another folder")
        middle_s = float(middle) - time_offset_s
        x1, y1, x2, y2 = (float(value) for value in box)
        return Sample(
            videos[video],
            tuple(dict.fromkeys(_name(names, int(row[6])) for row in rows)),
            max(0.0, middle_s - AVA_HALF_SPAN_S),
            middle_s + AVA_HALF_SPAN_S,
            PersonBox((x1, y1, x2, y2), normalized=True),
            group=video,
            split=split,
            origin=origin,
        )

    return collect_samples(_people_of_ava(path), sample_of_rows)


def _people_of_ava(path: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Group the rows of one person at one time, with the line of the first."""
    people: dict[tuple[str, ...], tuple[str, list[list[str]]]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        for row in reader:
            if len(row) not in (0, 2, 7, 8):
                raise DataError(
                    f"{path}:{reader.line_num}: expected 7 or 8 columns, got {len(row)}"
                )
            if len(row) < 7 or not all(row[2:7]):
                continue
            person = (*row[:6], row[7] if len(row) > 7 else "")
            people.setdefault(person, (f"{path}:{reader.line_num}", []))[1].append(row)
    yield from people.values()


def _videos_by_id(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
    return {file.stem: file for file in files}


def _label_names(path: Path, label_file: Path | None) -> Mapping[int, str]:
    found = label_file or find_label_file(path)
    if found is None or found == path:
        log.warning(
            "%s: no names for its numbers: they are called class_N. --labels FILE, or a file "
            "%s.labels.txt beside it with one label per line names them",
            path,
            path.stem,
        )
        return {}
    try:
        return read_label_numbers(found)
    except ValueError as error:
        raise DataError(str(error)) from error


def _name(names: Mapping[int, str], number: int) -> str:
    if not names:
        return f"class_{number}"
    if number not in names:
        raise DataError(f"label {number} has no name (known: {min(names)} to {max(names)})")
    return names[number]
