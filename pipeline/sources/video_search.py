"""Find the video files that paths, folders and patterns name, and report what is left out."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.paths import expand_user, name_of
from pipeline.printable import printable
from pipeline.sources.video_files import VideoFile

# Suffixes that a folder is searched for, those of FFmpeg's video formats (a test compares them). A
# file that is named explicitly may have any suffix.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".f4v", ".3gp", ".3g2", ".mj2", ".ism", ".ismv", ".psp"}
    | {".mkv", ".mk3d", ".webm", ".avi", ".divx", ".flv", ".kux", ".wmv", ".asf", ".dvr-ms"}
    | {".wtv", ".ts", ".mts", ".m2ts", ".m2t", ".trp", ".tp", ".ty", ".ty+", ".mpg", ".mpeg"}
    | {".mpe", ".m1v", ".m2v", ".vob", ".evo", ".mod", ".tod", ".mxf", ".gxf", ".nut", ".ogv"}
    | {".ogm", ".rm", ".rmvb", ".dv", ".dif", ".dav", ".ifv", ".y4m", ".ivf", ".obu", ".amv"}
    | {".viv", ".mjpeg", ".mjpg", ".h261", ".h263", ".h264", ".h26l", ".264", ".avc", ".hevc"}
    | {".h265", ".265", ".vvc", ".h266", ".266", ".evc", ".avs2", ".avs3", ".vc1"}
)
_NAMES_SHOWN = 3  # of what is left out
_SUFFIXES_SHOWN = 5
_STREAM = re.compile(r"(?P<path>.+)\?stream=(?P<number>[0-9]{1,4})", re.S)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class FolderSearch:
    """The videos of one folder, in order of their paths, and what lies beside them."""

    folder: Path
    videos: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)  # that were not entered

    def left_out(self) -> str:
        """Describe what was not taken, in a line for people; empty if there is nothing."""
        suffixes = Counter(path.suffix.lower() or "no ending" for path in self.others)
        by_suffix = [f"{number} {suffix}" for suffix, number in suffixes.most_common()]
        if len(by_suffix) > _SUFFIXES_SHOWN:
            by_suffix[_SUFFIXES_SHOWN:] = [f"{len(by_suffix) - _SUFFIXES_SHOWN} other endings"]
        parts = []
        if self.others:
            counted = "1 file" if len(self.others) == 1 else f"{len(self.others)} files"
            parts.append(f"{counted} ({', '.join(by_suffix)}: {self._named(self.others)})")
        if self.folders:
            counted = "1 folder" if len(self.folders) == 1 else f"{len(self.folders)} folders"
            parts.append(f"{counted} ({self._named(self.folders)}; --recursive reads them)")
        return printable(" and ".join(parts))

    def _named(self, paths: Sequence[Path]) -> str:
        shown = [str(path.relative_to(self.folder)) for path in paths[:_NAMES_SHOWN]]
        return ", ".join(shown + ["..."] * (len(paths) > _NAMES_SHOWN))


def find_videos(
    arguments: Sequence[str], *, recursive: bool = False, taken: Iterable[str] = ()
) -> tuple[VideoFile, ...]:
    """Turn files, folders and patterns into video files with distinct camera ids.

    A camera id is the file's name without the suffix, what no terminal or JSON reader takes
    escaped; of a file in a folder below the one that is searched, the path from there, joined by
    dashes. Equal names get `-2`, `-3` and so on. A path that does not exist is kept: reading it
    raises the error that names it. What a folder holds beside its videos is logged.

    Args:
        arguments: paths of files or folders, or glob patterns; `~` is the home directory. With
            `?stream=N` behind it, the video stream N of each file is read, from 0.
        recursive: search folders to their full depth instead of one level deep.
        taken: camera ids that are in use.

    Raises:
        SourceError: if a folder contains no video or no file matches a pattern.
    """
    videos, used = list[VideoFile](), set(taken)
    for argument in arguments:
        argument, stream = _split_stream(argument)
        for path, name in _expand(argument, recursive):
            names = chain([name], (f"{name}-{n}" for n in count(2)))
            camera_id = next(one for one in names if one not in used)
            used.add(camera_id)
            videos.append(VideoFile(camera_id, path, stream))
    return tuple(videos)


def _split_stream(argument: str) -> tuple[str, int | None]:
    """Split `FILE?stream=N`; a file that has this name is meant as it is."""
    option = _STREAM.fullmatch(argument)
    if option is None or os.path.lexists(expand_user(argument)):
        return argument, None
    return option["path"], int(option["number"])


def _expand(argument: str, recursive: bool) -> list[tuple[Path, str]]:
    """Return the paths that an argument names, each with the name of its camera."""
    argument = expand_user(argument)
    path = Path(argument)
    if not glob.has_magic(argument) or os.path.lexists(argument):
        return _search(path, recursive)
    matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
    if not matches:
        raise SourceError(f"{printable(argument)}: no file matches this pattern")
    return [found for match in matches for found in _search(Path(match), recursive)]


def _search(path: Path, recursive: bool) -> list[tuple[Path, str]]:
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises at a name that is too long
        return [(path, name_of(Path(path.name)))]
    try:
        search = search_folder(path, recursive=recursive)
    except OSError as error:
        shown = printable(str(path))
        raise SourceError(f"{shown}: cannot list this folder ({error.strerror})") from error
    left_out = search.left_out()
    if not search.videos:
        there = f"; there are {left_out}" if left_out else ""
        raise SourceError(f"{printable(str(path))}: no video file in this folder{there}")
    if left_out:
        log.warning("%s: left out %s", printable(str(path)), left_out)
    return [(video, name_of(video.relative_to(path))) for video in search.videos]


def search_folder(folder: Path, *, recursive: bool) -> FolderSearch:
    """List the videos of a folder; symbolic links are followed, each folder is entered once.

    Args:
        folder: where to search.
        recursive: enter the folders below it, except hidden ones.

    Raises:
        OSError: if it cannot be listed; one below it is logged instead.
    """
    search = FolderSearch(folder)
    state = folder.stat()
    entered = {(state.st_dev, state.st_ino)}

    def unlisted(error: OSError) -> None:
        path = Path(error.filename)
        if path == folder:
            raise error
        log.error("%s: cannot list this folder (%s)", printable(str(path)), error.strerror)
        search.videos.append(path)  # fails as a file that cannot be read: the run is not complete

    for parent, below, names in os.walk(folder, followlinks=True, onerror=unlisted):
        for name in sorted(names):
            path = Path(parent, name)
            # macOS keeps what a foreign file system cannot store in a second file, `._name`.
            is_video = path.suffix.lower() in VIDEO_SUFFIXES and not name.startswith("._")
            (search.videos if is_video else search.others).append(path)
        below.sort()
        if not recursive:
            search.folders += [Path(parent, name) for name in below]
            break
        below[:] = [name for name in below if _may_enter(Path(parent, name), search, entered)]
    search.videos.sort()
    return search


def _may_enter(path: Path, search: FolderSearch, entered: set[tuple[int, int]]) -> bool:
    if path.name.startswith("."):
        search.folders.append(path)
        return False
    try:
        state = path.stat()
    except OSError:  # os.walk reports it
        return True
    is_new = (state.st_dev, state.st_ino) not in entered
    entered.add((state.st_dev, state.st_ino))
    return is_new
