"""Errors of a disk that may pass by themselves."""

from __future__ import annotations

import errno

PASSING = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
}


def may_pass(error: BaseException | None) -> bool:
    """Return whether an error is that of a disk that is full or failing, which may pass."""
    return isinstance(error, OSError) and error.errno in PASSING
