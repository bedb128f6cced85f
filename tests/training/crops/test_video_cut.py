"""Decoding a video once for all of its samples."""

from __future__ import annotations

from pathlib import Path

from tests.training.factories import SMALL, FixedDetector, MadePeople, write_scene
from training.crops.crop_cache import read_entry
from training.crops.video_cut import cut_video
from training.labels.samples import PersonBox, Sample

BOX = (10.0, 10.0, 40.0, 60.0)


def test_only_frames_that_a_sample_without_a_box_covers_are_searched(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4", seconds=6.0)
    detected = Sample(video, ("walk",), start_s=3.0, end_s=5.0)
    given = Sample(video, ("hug",), box=PersonBox(BOX))
    people = MadePeople(FixedDetector(BOX))
    jobs = [(detected, tmp_path / "detected.json"), (given, tmp_path / "given.json")]
    assert cut_video(video, jobs, SMALL, people) == {}
    assert people.detector.calls == 21  # 10 fps, both ends
    assert len(read_entry(tmp_path / "given.json", given) or []) == 1
    [track] = read_entry(tmp_path / "detected.json", detected) or []
    assert len(track) == 21


def test_one_bad_sample_does_not_spoil_the_others(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4")
    good = Sample(video, ("walk",), box=PersonBox(BOX))
    bad = Sample(video, ("walk",), box=PersonBox((500, 500, 600, 600)))
    jobs = [(good, tmp_path / "good.json"), (bad, tmp_path / "bad.json")]
    reasons = cut_video(video, jobs, SMALL, MadePeople())
    assert list(reasons) == [bad]
    assert "outside the frame of 96x64" in reasons[bad]
    assert read_entry(tmp_path / "good.json", good)


def test_a_damaged_video_gives_the_reason_for_every_sample(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    samples = [Sample(tmp_path / "a.mp4", (label,)) for label in ("walk", "hug")]
    jobs = [(one, tmp_path / f"{one.labels[0]}.json") for one in samples]
    reasons = cut_video(tmp_path / "a.mp4", jobs, SMALL, MadePeople())
    assert set(reasons) == set(samples)
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4"}
