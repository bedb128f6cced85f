"""Labels as mmaction2, PySlowFast and AVA write them: numbers, named by a file beside them."""

from __future__ import annotations

import csv
import io
import logging
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from models.checkpoints.label_files import find_label_file, read_label_numbers
from pipeline.paths import expand_user
from pipeline.sources.video_search import VIDEO_SUFFIXES
from training.labels.label_tables import collect_samples, lines_of, read_label_text
from training.labels.samples import DataError, PersonBox, Sample, Split

# An annotation of AVA speaks of the three seconds around its time (Gu et al. 2018, section 3.1).
AVA_HALF_SPAN_S = 1.5

# Beside the lists of UCF101, and of mmaction2's tools.
USUAL_LABEL_FILES = ("classInd.txt", "label_map.txt")

_LINE = re.compile(r"(?P<video>.*?[^\s,;])(?P<numbers>(?:[\s,;]+\d{1,18})+)[\s,;]*")
_UCF_NAME = re.compile(r"v_(\w+?)_(g\d+)_c\d+")
_HMDB_SPLIT = re.compile(r"_test_split\d\.txt$")

log = logging.getLogger(__name__)


def read_list(
    path: Path, folder: Path, label_file: Path | None, split: Split | None
) -> list[Sample]:
    """Read lines `path number`, `path number number` for several labels, or UCF101's `path`.

    Where the numbers have no names and videos lie in a folder per number, the folders name them.
    UCF101's names of files give the groups. A label that contradicts the folder of its video is
    an error: its list counts from another number than its names.

    Args:
        path: of the list.
        folder: of relative paths.
        label_file: names the numbers; None: what `find_label_file` finds, UCF101's `classInd.txt`
            or mmaction2's `label_map.txt`, else class_N.
        split: of all samples.

    Raises:
        DataError: naming every wrong line, up to ten.
    """
    lines = [
        (f"{path}:{at}", line.strip())
        for at, line in enumerate(read_label_text(path).splitlines(), 1)
        if line.strip()
    ]
    if _HMDB_SPLIT.search(path.name):
        raise DataError(
            f"{path}: a split file of HMDB51, whose numbers are parts (1 train, 2 test) and not "
            "labels; give the folder with a folder per class, or a labels.csv with a column split"
        )
    found = _label_file(path, label_file)
    names = {} if found is None else _numbered_names(found)
    by_folder = {} if found else _names_by_folder(line for _, line in lines)
    if found is None and not by_folder and any(_split(line)[1] for _, line in lines):
        _warn_of_numbers(path)
    if found is not None:
        _warn_of_an_unused_first(path, found, names, lines)
    known_folders = {_bare(name): name for name in names.values()}

    def sample_of_line(line: str, origin: str) -> Sample:
        video, numbers = _video_and_numbers(line)
        inside = PurePath(video).parent.name
        if numbers:
            labels = tuple(_name(names or by_folder, number) for number in numbers)
            of_folder = known_folders.get(_bare(inside))
            if of_folder is not None and of_folder not in labels:
                raise DataError(
                    f"label {numbers[0]} is {labels[0]}, but the video lies in {inside}: the "
                    f"numbers of the list and those of {found} do not begin alike (0 or 1)"
                )
        else:
            labels = (_label_of_folder(inside, names, known_folders),)
        place = folder / expand_user(video)
        return Sample(place, labels, group=recording_of(place), split=split, origin=origin)

    return collect_samples(lines, sample_of_line)


def recording_of(video: Path) -> str | None:
    """Return the group in a file name of UCF101, `v_NAME_g08_c01.avi`; None for another name.

    The clips of a group are cuts of one recording.
    """
    match = _UCF_NAME.fullmatch(video.stem)
    return None if match is None else f"{match[1]}_{match[2]}"


def _video_and_numbers(line: str) -> tuple[str, list[int]]:
    """Split a line and check it; without numbers, the folder of the video is its label."""
    video, numbers = _split(line)
    if not numbers and not (is_video(line) and PurePath(line).parent.name):
        raise DataError(f"expected `path number`, got {line[:80]!r}")
    if len(numbers) > 1 and not is_video(video):
        raise DataError(
            f"a line of extracted frames (`folder frames label`), got {line[:80]!r}; this program "
            "reads videos: give a list of videos (`path label`), which mmaction2's "
            "build_file_list.py writes with --format videos"
        )
    return video, numbers


def _split(line: str) -> tuple[str, list[int]]:
    """Split a line into its path and the numbers at its end, if there are any."""
    match = _LINE.fullmatch(line)
    if match is None:
        return line, []
    return match["video"], [int(number) for number in re.findall(r"\d+", match["numbers"])]


def is_video(path: str) -> bool:
    """Return whether a path has the ending of a video."""
    return PurePath(path).suffix.lower() in VIDEO_SUFFIXES


def _label_of_folder(inside: str, names: Mapping[int, str], known: Mapping[str, str]) -> str:
    if names and _bare(inside) not in known:
        raise DataError(f"the folder {inside} is none of the labels: {', '.join(known.values())}")
    return known.get(_bare(inside), inside)


def _names_by_folder(lines: Iterable[str]) -> dict[int, str]:
    """Name numbers by the folders of their videos, if each of them has one of its own."""
    folders = defaultdict[int, set[str]](set)
    for line in lines:
        video, numbers = _split(line)
        if len(numbers) != 1 or not is_video(video):
            return {}
        folders[numbers[0]].add(PurePath(video).parent.name)
    named = {number: next(iter(found)) for number, found in folders.items() if len(found) == 1}
    several = len(named) == len(folders) == len(set(named.values())) > 1
    return named if several and all(named.values()) else {}


def _bare(name: str) -> str:
    """Return what `Apply Eye Makeup`, `ApplyEyeMakeup` and `apply_eye_makeup` have in common."""
    return re.sub(r"[\W_]+", "", name).casefold()


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
        if not math.isfinite(middle_s):
            raise DataError(f"time: expected seconds, got {middle!r}")
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
    with io.StringIO(read_label_text(path), newline="") as file:
        for origin, row in lines_of(path, csv.reader(file)):
            if len(row) not in (2, 7, 8):
                raise DataError(f"{origin}: expected 7 or 8 columns, got {len(row)}")
            if len(row) < 7 or not all(row[2:7]):
                continue
            person = (*row[:6], row[7] if len(row) > 7 else "")
            people.setdefault(person, (origin, []))[1].append(row)
    yield from people.values()


def _videos_by_id(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
    return {file.stem: file for file in files}


def _label_names(path: Path, label_file: Path | None) -> Mapping[int, str]:
    found = _label_file(path, label_file)
    if found is None:
        _warn_of_numbers(path)
        return {}
    return _numbered_names(found)


def _label_file(path: Path, label_file: Path | None) -> Path | None:
    usual = (path.with_name(name) for name in USUAL_LABEL_FILES)
    beside = find_label_file(path) or next((one for one in usual if one.is_file()), None)
    found = label_file or beside
    return None if found == path else found


def _warn_of_numbers(path: Path) -> None:
    log.warning(
        "%s: no names for its numbers: they are called class_N. --labels FILE, or a file "
        "%s.labels.txt beside it with one label per line names them",
        path,
        path.stem,
    )


def _warn_of_an_unused_first(
    path: Path, found: Path, names: Mapping[int, str], lines: Sequence[tuple[str, str]]
) -> None:
    """Warn of a list that may count from 1 where the names count from 0."""
    used = {number for _, line in lines for number in _split(line)[1]}
    if 0 in names and used and 0 not in used:
        log.warning(
            "%s: no line has the number 0, which is %s by %s; if the list counts from 1, write "
            "the names as `1: name`",
            path,
            names[0],
            found,
        )


def _numbered_names(path: Path) -> dict[int, str]:
    try:
        return read_label_numbers(path)
    except ValueError as error:
        raise DataError(str(error)) from error


def _name(names: Mapping[int, str], number: int) -> str:
    if not names:
        return f"class_{number}"
    if number not in names:
        raise DataError(
            f"label {number} has no name (known: {min(names)} to {max(names)}); a file of names "
            "shows where it begins with lines `0: name` or `1: name`"
        )
    return names[number]
