"""The folder of the evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.evidence.files import OURS, EvidenceFiles, evidence_path


def test_a_path_tells_camera_day_time_and_rule_and_is_unique() -> None:
    at = "2026-11-26T00:12:33.400Z"
    path = evidence_path(
        "gate", "run/gate/alarm-x/1", "fight at night", ".jpg", is_alarm=True, at=at
    )
    assert path.startswith("gate/2026-11-26/001233-alarm-fight_at_night-")
    assert OURS.search(path)
    other = evidence_path(
        "gate", "run/gate/alarm-x/2", "fight at night", ".jpg", is_alarm=True, at=at
    )
    assert other != path


@pytest.mark.parametrize(
    "camera_id", ["../../etc", "a/b", "x" * 300, "caf\u00e9\n", "..", ".", ".unfinished"]
)
@pytest.mark.parametrize("name", ["../up", "", "a\x1b[31mb", "r" * 300])
def test_no_name_leaves_the_folder(tmp_path: Path, camera_id: str, name: str) -> None:
    path = evidence_path(camera_id, "id", name, ".mp4", is_alarm=False, at=12.5)
    assert (tmp_path / path).resolve().is_relative_to(tmp_path)
    assert path.count("/") == 1
    assert not path.startswith(".")  # hidden folders are not of cameras
    with EvidenceFiles(tmp_path, "run") as files:
        files.write(path, b"x")
    assert (tmp_path / path).read_bytes() == b"x"


def test_a_file_appears_complete_and_for_its_owner_alone(tmp_path: Path) -> None:
    with EvidenceFiles(tmp_path / "evidence", "run") as files:
        files.write("gate/1.jpg", b"content")
        found = tmp_path / "evidence" / "gate" / "1.jpg"
        assert found.read_bytes() == b"content"
        assert found.stat().st_mode & 0o777 == 0o600
        assert found.parent.stat().st_mode & 0o777 == 0o700
        files.discard("gate/1.jpg")
        assert not found.exists()


def test_what_a_killed_run_left_is_removed_and_what_another_run_writes_stays(
    tmp_path: Path,
) -> None:
    killed = tmp_path / ".unfinished" / "killed"
    killed.mkdir(parents=True)
    (killed / ".lock").touch()
    (killed / "half.mp4").write_bytes(b"half")
    with EvidenceFiles(tmp_path, "one") as one:
        one.unfinished("gate/1.mp4").write_bytes(b"half")
        assert not killed.exists()
        with EvidenceFiles(tmp_path, "two"):
            one.publish("gate/1.mp4")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["1.mp4"]


def test_a_disk_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with EvidenceFiles(tmp_path, "run") as files:
        monkeypatch.setattr("pipeline.evidence.files.os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            files.write("gate/1.jpg", b"content")
        assert not list(tmp_path.rglob("*.jpg"))


def test_a_folder_that_is_deleted_because_it_was_empty_costs_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def after_retention(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        target.parent.rmdir()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", after_retention)
    with EvidenceFiles(tmp_path, "run") as files:
        files.write("gate/1.jpg", b"content")
    assert (tmp_path / "gate" / "1.jpg").read_bytes() == b"content"
