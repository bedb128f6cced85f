"""The outbox sink stores events before it takes the next item."""

from __future__ import annotations

from pathlib import Path

from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.outbox_sink import OutboxSink
from pipeline.delivery.storage.outbox import Outbox
from pipeline.events import decode_event
from tests.pipeline.decided_items import make_end, make_event, make_item


def test_events_are_on_disk_before_the_next_item_is_taken(tmp_path: Path) -> None:
    woken: list[int] = []

    class FakePublisher:
        def check(self) -> None:
            pass

        def wake(self) -> None:
            woken.append(outbox.waiting)

    with Outbox(tmp_path / "a.outbox") as outbox:
        with OutboxSink(outbox, FakePublisher(), CameraHeartbeat("run")) as sink:  # type: ignore[arg-type]
            sink.write(make_item(events=[make_event(1), make_event(2)]))
            assert outbox.waiting == 2
            sink.write(make_item(1))
            sink.write(make_end(events=[make_event(3, "end")]))
        assert [decode_event(row.text).seq for row in outbox.after(0, 9)] == [1, 2, 3]
    assert woken == [2, 3]
