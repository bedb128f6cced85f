"""Snapshots are read inside the evidence folder, and nowhere else."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pipeline.bridges.snapshot_file import MAX_SNAPSHOT_BYTES, snapshot_of
from tests.pipeline.decided_items import make_alarm_event, make_event, make_evidence_event

JPEG = b"\xff\xd8\xff\xe0 image"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    evidence = tmp_path / "evidence"
    (evidence / "gate").mkdir(parents=True)
    (evidence / "gate" / "1.jpg").write_bytes(JPEG)
    (tmp_path / "secret.jpg").write_bytes(JPEG)
    (evidence / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (evidence / "inner.jpg").symlink_to(evidence / "gate" / "1.jpg")
    (evidence / "text.jpg").write_text("root:x:0")
    os.mkfifo(evidence / "pipe.jpg")
    (evidence / "loop.jpg").symlink_to("loop.jpg")
    with (evidence / "large.jpg").open("wb") as file:
        file.write(JPEG)
        file.truncate(MAX_SNAPSHOT_BYTES + 1)
    return evidence


@pytest.mark.parametrize("path", ["gate/1.jpg", "inner.jpg", "./gate/../gate/1.jpg"])
def test_a_snapshot_inside_is_read(folder: Path, path: str) -> None:
    assert snapshot_of(make_alarm_event(1, snapshot=path), folder) == JPEG
    shown = make_evidence_event(1, media="snapshot", path=path, codec="jpeg")
    assert snapshot_of(shown, folder) == JPEG


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../secret.jpg", "leaves the evidence folder"),
        ("gate/../../secret.jpg", "leaves the evidence folder"),
        ("link.jpg", "leaves the evidence folder"),
        ("gate", "no file"),
        ("absent.jpg", "No such file"),
        ("text.jpg", "no JPEG"),
        ("pipe.jpg", "no file"),
        ("loop.jpg", "ymbolic link|Symlink loop"),
        ("large.jpg", "more than"),
        ("a\0b", "null"),
        ("x" * 5000, "too long"),
        ("\x1b[2J", "No such file"),
    ],
)
def test_what_is_no_snapshot_inside_costs_the_image_alone(
    folder: Path, path: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert snapshot_of(make_alarm_event(1, snapshot=path), folder) is None
    assert re.search(reason, caplog.text)
    assert "\x1b" not in caplog.text


def test_an_absolute_path_is_no_path_of_the_folder(folder: Path) -> None:
    assert (
        snapshot_of(make_alarm_event(1, snapshot=str(folder.parent / "secret.jpg")), folder) is None
    )


def test_other_events_and_no_folder_have_none(folder: Path) -> None:
    assert snapshot_of(make_event(1), folder) is None
    assert snapshot_of(make_evidence_event(1), folder) is None
    assert snapshot_of(make_alarm_event(1, snapshot="gate/1.jpg"), None) is None


def test_a_folder_that_becomes_a_link_after_the_check_leads_nowhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (folder.parent / "1.jpg").write_bytes(JPEG)
    really_open = os.open

    def swap_and_open(path: Path, flags: int) -> int:
        (folder / "gate").rename(folder / "before")
        (folder / "gate").symlink_to(folder.parent)
        return really_open(path, flags)

    monkeypatch.setattr("pipeline.bridges.snapshot_file.os.open", swap_and_open)
    assert snapshot_of(make_alarm_event(1, snapshot="gate/1.jpg"), folder) is None
    assert "leaves the evidence folder" in caplog.text
