"""Where the files that the program brings along are: in a checkout, or where pip installed it."""

from __future__ import annotations

from pathlib import Path

from pipeline.paths import expand_user, is_there

# The repository, or site-packages; `models/weights` lies under it in both.
PROJECT = Path(__file__).resolve().parents[2]
# A wheel has the folder `configs` in here: site-packages is no place for a name as common.
PACKAGED = PROJECT / "pipeline" / "shipped"


def find_file(path: str | Path, project: Path = PROJECT) -> Path:
    """Return where a file is: in the current directory, else beside the program.

    Args:
        path: absolute, with `~`, or relative to the current directory or to the program, as are
            `models/weights/slowfast_compact.safetensors` and `configs/alarms.yaml`.
        project: folder of the program.

    Returns:
        The path of the file; where there is none, `path` without its `~`.
    """
    given = Path(expand_user(str(path)))
    if not is_there(given):
        for folder in (project, project / PACKAGED.relative_to(PROJECT)):
            if is_there(folder / given):
                return folder / given
    return given
