"""What was written and what is missing of the evidence; each fault is reported once."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Literal

Product = Literal["snapshot", "clip", "retention"]

log = logging.getLogger(__name__)


class EvidenceHealth:
    """Counts and the present faults; every method may be called from any thread."""

    def __init__(self) -> None:
        self._written = Counter[str]()
        self._missing = Counter[str]()
        self._faults: dict[tuple[Product, str], str] = {}  # text by product and place
        self._lock = threading.Lock()

    @property
    def written(self) -> Mapping[str, int]:
        """Files that were written and announced or are about to be, since the start."""
        with self._lock:
            return dict(self._written)

    @property
    def missing(self) -> Mapping[str, int]:
        """Files that should have been written and were not, since the start."""
        with self._lock:
            return dict(self._missing)

    @property
    def error(self) -> str | None:
        """The present fault; None while there is none."""
        with self._lock:
            return next(iter(self._faults.values()), None)

    def failed(self, product: Product, place: str, text: str) -> None:
        """Count a file that is missing; log it unless its place has the same fault already.

        Args:
            product: what could not be done.
            place: what is at fault: "disk", or a camera.
            text: for people.
        """
        with self._lock:
            self._missing[product] += 1
            known = self._faults.get((product, place)) == text
            self._faults[product, place] = text
        if not known:
            log.error("evidence: %s; the run continues without it", text)

    def worked(self, product: Product, camera_id: str | None = None) -> None:
        """Count a file, and end the faults of the disk and of its camera.

        Args:
            product: what could be done.
            camera_id: whose evidence it is; None: of none.
        """
        with self._lock:
            self._written[product] += 1
            ended = [
                self._faults.pop((product, place), None) for place in ("disk", camera_id or "disk")
            ]
            missing = self._missing[product]
        if any(ended) and product != "retention":
            log.warning("evidence: %ss are written again; %d are missing", product, missing)
        elif any(ended):
            log.warning("evidence: old files are deleted again")
