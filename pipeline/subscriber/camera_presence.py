"""Read which cameras a run keeps alive: no event says that a run was killed."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.redaction import mask_url
from pipeline.redis_store.connection import connect, reporting
from pipeline.redis_store.names import StreamKeys


class PresenceReader:
    """Asks for the heartbeats of cameras; for one thread, and as a context.

    Args:
        url: of the server, as of `Subscriber`.
        stream: key of the stream of the events.
    """

    def __init__(self, url: str, stream: str) -> None:
        self._name, self._keys = mask_url(url), StreamKeys(stream)
        self._client = connect(url, socket_timeout_s=5.0, retries=2)

    def alive(self, camera_ids: Sequence[str]) -> dict[str, bool]:
        """Return whether each camera has a heartbeat; that of a killed run is gone after 10 s.

        Raises:
            EventStoreError: if the server refuses or does not answer.
        """
        with reporting(self._name, self._client):
            return {one: bool(self._client.exists(self._keys.camera(one))) for one in camera_ids}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
