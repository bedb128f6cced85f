"""Paths as FFmpeg and events need them: a path is a path, never a URL.

The decoder processes import it and should start fast: the standard library only.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

# Categories of control characters, surrogates, line and paragraph separators, and of format
# characters, which reorder or hide text; emoji and many scripts need the two joiners among them.
_HARMFUL = frozenset({"Cc", "Cs", "Zl", "Zp", "Cf"})
_JOINERS = "\u200c\u200d"
_RAW_BYTE = 0xDC00  # os.fsdecode maps a byte that is no UTF-8 to this plus its value


def ffmpeg_url(path: str | Path) -> str:
    """Return the text by which FFmpeg opens exactly this file.

    FFmpeg reads what stands before the first colon of a name as a protocol (`10:00.mp4`,
    `concat:a|b`), and a leading dash as its standard input.

    Args:
        path: of a file to read or to write; relative to the current directory.
    """
    return f"file:{Path(path).absolute()}"


def expand_user(path: str) -> str:
    """Replace a leading `~` or `~name` by the home directory; of an unknown user: leave it."""
    return os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises at `~draft.mp4`


def is_there(path: Path) -> bool:
    """Return whether something is at a path; what cannot be looked at is not there for us."""
    try:
        return path.exists()
    except OSError:  # a name too long for any file, a folder above that may not be entered
        return False


def name_of(path: Path) -> str:
    r"""Return the name that a file gives its camera, which every JSON reader and terminal takes.

    It is the path without its suffix, joined by dashes, with escapes such as `caf\xe9` and `\n` for
    bytes that are no UTF-8 and for control characters. Spaces and letters of any script stay.

    Args:
        path: of the file, relative to where it was searched.
    """
    text = "-".join((*path.parts[:-1], path.stem))
    return "".join(one if _is_harmless(one) else _escaped(one) for one in text)


def _is_harmless(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _HARMFUL


def _escaped(character: str) -> str:
    code = ord(character)
    if _RAW_BYTE + 0x80 <= code <= _RAW_BYTE + 0xFF:
        return f"\\x{code - _RAW_BYTE:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
