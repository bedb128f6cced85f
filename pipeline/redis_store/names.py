"""What the keys and fields of a stream are called.

All keys of one stream are in one slot of a cluster: `{...}` is what is hashed.
"""

from __future__ import annotations

from dataclasses import dataclass

FIELD = "event"  # the field of a stream entry: the event as JSON
# A second field, of dead letters that were put back: the group that gets the event again. Every
# other reader had it when it was new.
ONLY_FIELD = "only"


@dataclass(frozen=True, slots=True)
class StreamKeys:
    """The keys that belong to one stream."""

    stream: str

    @property
    def newest(self) -> str:
        """Hash: run_id/camera_id -> sequence number of its newest event on the stream."""
        return f"{{{self.stream}}}:newest"

    @property
    def newest_ages(self) -> str:
        """Sorted set: the same names by the Unix time of their last change."""
        return f"{{{self.stream}}}:newest:ages"

    @property
    def newest_digests(self) -> str:
        """Hash: the same names -> `SEQ:DIGEST` of the text of their newest event."""
        return f"{{{self.stream}}}:newest:digests"

    def camera(self, camera_id: str) -> str:
        """Hash: state of a camera. Expires when no run updates it."""
        return f"{{{self.stream}}}:camera:{camera_id}"

    def seen(self, group: str) -> str:
        """Hash: run_id/camera_id -> sequence number of the newest event that the group has read."""
        return f"{{{self.stream}}}:seen:{group}"

    def seen_ages(self, group: str) -> str:
        """Sorted set, as `newest_ages`."""
        return f"{{{self.stream}}}:seen:{group}:ages"

    def gaps(self, group: str) -> str:
        """Hash: `run_id/camera_id first` -> last number of a gap that is not reported yet."""
        return f"{{{self.stream}}}:gaps:{group}"

    def dead_letters(self, group: str) -> str:
        """Stream: events that the group failed to handle too often."""
        return f"{{{self.stream}}}:dead:{group}"


def counts_numbers(stream: str, run_id: str) -> str:
    """Return the key of a hash: camera_id -> number of its newest row on a stream of counts."""
    return f"{{{stream}}}:newest:{run_id}"
