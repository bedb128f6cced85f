"""Evidence through kills of the pipeline; `benchmarks.evidence` does it a thousand times."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.evidence import STAGES, run_with_kills


@pytest.mark.slow
def test_no_event_names_a_file_that_does_not_open_and_no_alarm_is_lost(tmp_path: Path) -> None:
    findings = run_with_kills(tmp_path, alarms=8, cameras=1, seed=1, program=STAGES, report=False)
    assert findings.kills >= 1
    assert findings.snapshots
    assert findings.clips
    assert (findings.lost, findings.doubled, findings.unreadable) == ([], [], [])
