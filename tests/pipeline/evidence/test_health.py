"""Faults of the evidence are reported once, and their end."""

from __future__ import annotations

import pytest

from pipeline.evidence.health import EvidenceHealth


def test_a_fault_is_logged_once_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    health = EvidenceHealth()
    for _ in range(3):
        health.failed("clip", "disk", "clips cannot be written (No space left on device)")
    assert health.error == "clips cannot be written (No space left on device)"
    health.worked("snapshot", "gate")
    assert health.error is not None
    health.worked("clip", "gate")
    assert health.error is None
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "3 are missing" in caplog.records[1].message
    assert (health.written["clip"], health.missing["clip"]) == (1, 3)


def test_the_fault_of_one_camera_does_not_end_with_a_file_of_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    health = EvidenceHealth()
    for _ in range(2):
        health.failed("clip", "gate", "camera gate: no clip (no key frame)")
        health.worked("clip", "yard")
    assert len(caplog.records) == 1
    assert health.error == "camera gate: no clip (no key frame)"
