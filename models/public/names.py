"""Find a public checkpoint by its name."""

from __future__ import annotations

from difflib import get_close_matches

from models.public.entry import PublicCheckpoint
from models.public.facebook import PYSLOWFAST, PYTORCHVIDEO
from models.public.mmaction2 import MMACTION2

PUBLIC_CHECKPOINTS = {one.name: one for one in (*MMACTION2, *PYSLOWFAST, *PYTORCHVIDEO)}
_LIBRARIES = {name.partition("/")[0] for name in PUBLIC_CHECKPOINTS}


def find_public(name: str) -> PublicCheckpoint:
    """Return the checkpoint of a name.

    Raises:
        KeyError: if there is none; its one argument is a message with the nearest name.
    """
    try:
        return PUBLIC_CHECKPOINTS[name]
    except KeyError:
        near = _nearest(name)
        meant = f"; did you mean {near}?" if near else "; `recognizers list` shows them"
        raise KeyError(f"no public checkpoint is called {name}{meant}") from None


def looks_public(name: str) -> bool:
    """Return whether a text is meant as such a name: it has, or nearly has, the form of one."""
    library, slash, rest = name.partition("/")
    return bool(slash and rest and library.lower() in _LIBRARIES) or _nearest(name) is not None


def _nearest(name: str) -> str | None:
    by_lower = {one.lower(): one for one in PUBLIC_CHECKPOINTS}
    by_last = {one.rpartition("/")[2]: by_lower[one] for one in reversed(by_lower)}
    wanted = name.lower()
    if wanted in by_last:  # without its library
        return by_last[wanted]
    near = get_close_matches(wanted, by_lower, n=1, cutoff=0.8)
    return by_lower[near[0]] if near else None
