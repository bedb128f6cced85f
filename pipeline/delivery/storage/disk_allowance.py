"""Keep an outbox within its allowance on disk."""

from __future__ import annotations

import logging

from pipeline.delivery.storage.outbox_file import OutboxFile

_CHECK_EVERY = 200  # events between two checks of the size
_WARN_AT = 0.8  # of the allowance
_DROP = 0.05  # of the events, at a time

log = logging.getLogger(__name__)


class DiskAllowance:
    """Drops what exceeds the allowance, delivered events first, then the oldest updates.

    Args:
        max_bytes: that the events may take.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._until_check, self._warned = 0, False

    def enforce(self, file: OutboxFile, added: int, delivered_id: int, waiting: int) -> int:
        """Check the size once per so many events, and make room.

        Args:
            file: the outbox.
            added: events since the last call.
            delivered_id: Redis has the rows up to this one.
            waiting: events that Redis lacks.

        Returns:
            How many undelivered events were dropped.

        Raises:
            OutboxError: if the disk does not take it, or the file is damaged.
        """
        self._until_check -= added
        if self._until_check > 0:
            return 0
        self._until_check = _CHECK_EVERY
        used, dropped = file.used_bytes(), 0
        if used > self._max_bytes:
            dropped = self._make_room(file, delivered_id)
        if used > _WARN_AT * self._max_bytes and not self._warned:
            log.warning(
                "%s: %d events wait for Redis and take %.0f of %.0f MB; beyond that the oldest "
                "updates are dropped first",
                file.path,
                waiting,
                used / 1e6,
                self._max_bytes / 1e6,
            )
        self._warned = used > _WARN_AT * self._max_bytes
        return dropped

    def _make_room(self, file: OutboxFile, delivered_id: int) -> int:
        count = max(1, int(_DROP * file.count()))
        if file.delete_oldest("id <= ?", delivered_id, count):  # Redis has them
            return 0
        what, gone = "updates", file.delete_oldest("id > ? AND is_update", delivered_id, count)
        if not gone:
            what = "events of any kind"
            gone = file.delete_oldest("id > ?", delivered_id, count)
        log.error(
            "%s: the allowance of %.0f MB is used up; the %d oldest %s are dropped and will be "
            "missing on the stream",
            file.path,
            self._max_bytes / 1e6,
            gone,
            what,
        )
        return gone
