"""Flip bits in a copy of an outbox and look what is made of it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from pipeline.delivery.outbox import Outbox
from pipeline.delivery.outbox_file import StoredEvent, files_of
from pipeline.delivery.outbox_folder import open_outboxes
from tests.pipeline.decided_items import make_camera_event, make_event

MB = 2**20


def write_outbox(path: Path, copies: Path, events: int) -> dict[tuple[str, int], str]:
    """Write an outbox and copy its files as a killed process leaves them.

    Returns:
        The texts that were stored, by origin and number.
    """
    with Outbox(path, target="here") as outbox:
        outbox.append([make_camera_event(1), make_camera_event(1, camera_id="yard")])
        for seq in range(2, events):
            kind = ("start", "update", "end")[seq % 3]
            camera = ("gate", "yard")[seq % 2]
            instance = f"{camera}-{seq // 6}"
            event = make_event((seq + 2) // 2, kind, camera_id=camera, instance_id=instance)
            outbox.append([event])
        rows = outbox.after(0, 10 * events)
        copies.mkdir()
        for file in files_of(path):
            if file.exists():
                shutil.copyfile(file, copies / file.name)
    return {(row.origin, row.seq): row.text for row in rows}


def flip_bit(files: list[Path], rng: random.Random) -> str:
    """Flip one bit at a random place of the files; returns where."""
    sizes = [file.stat().st_size for file in files]
    (file,) = rng.choices(files, sizes)
    offset, bit = rng.randrange(file.stat().st_size), rng.randrange(8)
    with file.open("r+b") as opened:
        opened.seek(offset)
        (byte,) = opened.read(1)
        opened.seek(offset)
        opened.write(bytes([byte ^ 1 << bit]))
    return f"{file.name} byte {offset} bit {bit}"


def read_all(folder: Path, batch: int = 50) -> list[StoredEvent]:
    """Adopt what is in a folder and read it as the publisher does; fails if that does not end."""
    found: list[StoredEvent] = []
    with open_outboxes(folder, None, "here", max_bytes=MB, any_target=True) as (left, _):
        for box in left:
            for _ in range(1000):
                rows = box.after(box.delivered_id, batch)
                if not rows:
                    break
                found += rows
                box.delivered_id = rows[-1].id
            else:
                raise AssertionError("reading it does not end")
            box.interrupt()
            found += box.after(box.delivered_id, 1000)
    return found
