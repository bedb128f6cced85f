"""From videos to cached people."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.sources.file_decoder import VideoReader
from pipeline.stages.clip_sampling import crop_person
from tests.training.factories import SMALL, FixedDetector, MadePeople, write_scene
from training.crops.crop_cache import read_crops
from training.crops.preparation import prepare_tracks
from training.labels.samples import PersonBox, Sample, TrackFile

LEFT, RIGHT = (10, 10, 40, 60), (50, 10, 80, 60)


def people(*boxes: tuple[float, ...]) -> MadePeople:
    return MadePeople(FixedDetector(*boxes))


def sample(path: Path, **changes: object) -> Sample:
    return Sample(path, ("walk",), origin="labels.csv:2", **changes)  # type: ignore[arg-type]


def test_every_tracked_person_is_cut_as_the_pipeline_cuts(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4")
    prepared = prepare_tracks([sample(video)], SMALL, tmp_path / "cache", people(LEFT, RIGHT))
    first, second = prepared.tracks
    assert not prepared.failures
    assert len(first) == len(second) == 30
    np.testing.assert_allclose(first.pts_s, np.arange(30) / 10, atol=1e-6)
    images = [frame.image for frame in VideoReader(video).frames()]
    expected = crop_person(
        images[7],
        np.array(RIGHT, np.float32),
        size=SMALL.cache_size,
        margin=SMALL.cache_margin,
    )
    difference = np.abs(read_crops(second, [7])[0].astype(int) - expected)
    assert difference.mean() < 2  # JPEG


def test_a_second_run_decodes_and_detects_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = [write_scene(tmp_path / f"{name}.mp4") for name in "ab"]
    samples = [sample(video) for video in videos]
    first = prepare_tracks(samples, SMALL, tmp_path / "cache", people(LEFT))
    assert first.cut == 2

    def decodes(*arguments: object, **options: object) -> None:
        raise AssertionError("a cached video was decoded")

    monkeypatch.setattr("training.crops.video_cut.read_frames", decodes)
    finder = people(LEFT)
    second = prepare_tracks(samples, SMALL, tmp_path / "cache", finder)
    assert (second.cut, finder.detector.calls) == (0, 0)
    assert [len(track) for track in second.tracks] == [len(track) for track in first.tracks]


def test_only_a_changed_file_is_cut_again(tmp_path: Path) -> None:
    videos = [write_scene(tmp_path / f"{name}.mp4") for name in "ab"]
    samples = [sample(video) for video in videos]
    prepare_tracks(samples, SMALL, tmp_path / "cache", people(LEFT))
    write_scene(videos[1], level=60, seconds=4.0)
    os.utime(videos[1], ns=(0, 1))
    second = prepare_tracks(samples, SMALL, tmp_path / "cache", people(LEFT))
    assert second.cut == 1
    assert [len(track) for track in second.tracks] == [30, 40]


@pytest.mark.parametrize(
    "change", [{"crop_margin": 0.5}, {"crop_size": 48}, {"fps": 5.0}, {"span_s": 1.0}]
)
def test_another_geometry_is_cut_again(tmp_path: Path, change: dict[str, float]) -> None:
    samples = [sample(write_scene(tmp_path / "a.mp4"))]
    prepare_tracks(samples, SMALL, tmp_path / "cache", people(LEFT))
    other = prepare_tracks(samples, replace(SMALL, **change), tmp_path / "cache", people(LEFT))
    assert other.cut == 1


def test_another_detector_finds_other_people(tmp_path: Path) -> None:
    samples = [sample(write_scene(tmp_path / "a.mp4"))]
    prepare_tracks(samples, SMALL, tmp_path / "cache", people(LEFT))
    other = MadePeople(FixedDetector(RIGHT), identity="another")
    assert prepare_tracks(samples, SMALL, tmp_path / "cache", other).cut == 1


def test_samples_of_one_video_are_cut_in_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_scene(tmp_path / "a.mp4", seconds=10.0)
    samples = [sample(video, start_s=0.0, end_s=3.0), sample(video, start_s=5.0, end_s=8.0)]
    finder = people(LEFT)
    prepared = prepare_tracks(samples, SMALL, tmp_path / "cache", finder)
    first, second = prepared.tracks
    assert (first.pts_s[0], first.pts_s[-1]) == pytest.approx((0.0, 3.0), abs=1e-3)
    assert (second.pts_s[0], second.pts_s[-1]) == pytest.approx((5.0, 8.0), abs=1e-3)
    assert finder.detector.calls == 31 + 31  # no frame between the stretches is processed


def test_a_short_action_is_shown_with_what_happens_around_it(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4", seconds=6.0)
    (track,) = prepare_tracks(
        [sample(video, start_s=2.8, end_s=3.2)], SMALL, tmp_path / "cache", people(LEFT)
    ).tracks
    assert (track.pts_s[0], track.pts_s[-1]) == pytest.approx((2.0, 4.0), abs=1e-3)


def test_where_no_person_is_tracked_the_whole_frame_is_used(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4")
    prepared = prepare_tracks([sample(video)], SMALL, tmp_path / "cache", people())
    (track,) = prepared.tracks
    assert track.whole_frame
    assert len(track) == 30


def test_a_given_box_is_used_without_a_search_for_people(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4")
    finder = people(LEFT)
    boxes = [PersonBox(RIGHT), PersonBox((50 / 96, 10 / 64, 80 / 96, 60 / 64), normalized=True)]
    tracks = prepare_tracks(
        [sample(video, box=box) for box in boxes], SMALL, tmp_path / "cache", finder
    ).tracks
    assert finder.detector.calls == 0
    in_pixels, in_shares = (read_crops(track, [3])[0] for track in tracks)
    np.testing.assert_array_equal(in_pixels, in_shares)


def test_a_track_file_gives_the_box_of_the_person_in_each_frame(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4")
    rows = [f"{n + 1},{who},10,10,30,50,0.9,-1,-1,-1" for n in range(5, 25) for who in (1, 2)]
    rows.append("26,2,200,10,30,50,0.9,-1,-1,-1")  # outside the frame
    (tmp_path / "tracks.txt").write_text("\n".join(rows))
    one = sample(video, box=TrackFile(tmp_path / "tracks.txt", 2))
    prepared = prepare_tracks([one], SMALL, tmp_path / "cache", people())
    (track,) = prepared.tracks
    np.testing.assert_allclose(track.pts_s, np.arange(5, 25) / 10, atol=1e-6)
    unclear = replace(one, box=TrackFile(tmp_path / "tracks.txt"))
    (failure,) = prepare_tracks([unclear], SMALL, tmp_path / "cache", people()).failures
    assert "a track_id is needed; it has 1, 2" in failure.reason


def test_damaged_missing_and_short_videos_are_named_and_skipped(tmp_path: Path) -> None:
    good = write_scene(tmp_path / "good.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"no video at all")
    samples = [
        sample(tmp_path / "bad.mp4"),
        sample(tmp_path / "none.mp4"),
        sample(good),
        sample(good, start_s=60.0),
        sample(good, box=PersonBox((500, 500, 600, 600))),
    ]
    prepared = prepare_tracks(samples, SMALL, tmp_path / "cache", people(LEFT))
    assert len(prepared.tracks) == 1
    reasons = [str(failure) for failure in prepared.failures]
    assert "bad.mp4: not a readable video" in reasons[0]
    assert reasons[0].startswith("labels.csv:2: ")
    assert "none.mp4: no such file" in reasons[1]
    assert "too short" in reasons[2]
    assert "outside the frame of 96x64" in reasons[3]
    assert not list((tmp_path / "cache").glob("*.part"))


def test_a_person_seen_too_briefly_is_skipped(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4")
    finder = people(LEFT, RIGHT)
    steady = finder.detector.detect

    def mostly_one(images: list[np.ndarray]) -> list[object]:
        (found,) = steady(images)
        few = finder.detector.calls > 8
        return [type(found)(found.xyxy[:1], found.confidence[:1]) if few else found]

    finder.detector.detect = mostly_one  # type: ignore[method-assign, assignment]
    prepared = prepare_tracks([sample(video)], SMALL, tmp_path / "cache", finder)
    assert [len(track) for track in prepared.tracks] == [30]


def test_a_fast_video_is_thinned(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4", fps=60, seconds=2.0)
    (track,) = prepare_tracks([sample(video)], SMALL, tmp_path / "cache", people(LEFT)).tracks
    np.testing.assert_allclose(np.diff(track.pts_s), 1 / 15, atol=1e-3)
