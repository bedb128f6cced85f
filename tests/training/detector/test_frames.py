"""Which frames the detector is trained on: never those that the score is computed on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import write_video
from training.detector.frames import (
    LONGER_SIDE,
    FrameCache,
    FrameSource,
    held_out_clips,
    held_out_images,
    list_sources,
    shrink,
    take_frames,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of the real data with tiny files."""
    folder = tmp_path_factory.mktemp("data")
    videos = [
        "fight_surv/fight/a.mp4",  # group 7, held out
        "fight_surv/noFight/b.mp4",  # group 8
        "ut_interaction/hug/c.avi",
        "daily_living/adl/d.mp4",
        "video/one_by_one.mp4",
        "video/pets09_s2l1.avi",
        "video/people.mp4",  # held out
    ]
    for name in videos:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / name, [n / 10 for n in range(9)], wh=(64, 48))
    rows = "path,label,group\nfight/a.mp4,fight,7\nnoFight/b.mp4,noFight,8\n"
    (folder / "fight_surv/labels.csv").write_text(rows)
    (folder / "coco_train128/images").mkdir(parents=True)
    for number in range(4):
        image = np.full((30, 1280, 3), number, np.uint8)
        assert cv2.imwrite(str(folder / f"coco_train128/images/{number}.jpg"), image)
    return folder


def test_what_is_held_out_is_never_a_source(data: Path) -> None:
    sources = {source.path for source in list_sources(data)}
    held_out = {*held_out_clips(data), *held_out_images(data), data / "video/people.mp4"}
    assert {path.name for path in held_out} == {"a.mp4", "1.jpg", "3.jpg", "people.mp4"}
    assert not sources & held_out
    names = {path.name for path in sources}
    assert {"b.mp4", "c.avi", "d.mp4", "one_by_one.mp4", "0.jpg", "2.jpg"} < names


def test_the_end_of_the_video_with_ground_truth_is_held_out(data: Path) -> None:
    (pets,) = [s for s in list_sources(data) if s.part == "pets09_s2l1"]
    assert pets.last_frame == 560
    video = data / "video/people.mp4"
    short = FrameSource("pets", video, count=3, draw_prob=1.0, last_frame=5)
    levels = [round(image.mean()) for image in take_frames(short)]
    assert levels == pytest.approx([40, 80, 120], abs=6)  # frames 0, 2 and 4 of nine


def test_a_missing_data_set_is_named(tmp_path: Path, data: Path) -> None:
    (tmp_path / "fight_surv").mkdir()
    (tmp_path / "fight_surv/labels.csv").write_text("path,label,group\n")
    with pytest.raises(FileNotFoundError, match=r"fight_surv has no \*/\*\.mp4"):
        list_sources(tmp_path)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.jpg is not a readable image"):
        list(take_frames(FrameSource("x", tmp_path / "a.jpg", 1, 1.0)))


def test_large_images_shrink_and_small_ones_stay() -> None:
    assert shrink(np.zeros((1080, 1920, 3), np.uint8)).shape == (360, LONGER_SIDE, 3)
    assert shrink(np.zeros((48, 64, 3), np.uint8)).shape == (48, 64, 3)


def test_draws_are_shared_between_data_sets_and_not_between_files(tmp_path: Path) -> None:
    for name, level in (("one", 10), ("two", 200), ("three", 220)):
        image = np.full((8, 8, 3), level, np.uint8)
        assert cv2.imwrite(str(tmp_path / f"{name}.jpg"), image)
    sources = [
        FrameSource("dark", tmp_path / "one.jpg", 1, draw_prob=0.5),
        FrameSource("bright", tmp_path / "two.jpg", 1, draw_prob=0.5),
        FrameSource("bright", tmp_path / "three.jpg", 1, draw_prob=0.5),
    ]
    assert list(FrameCache.fill(tmp_path / "cache", sources)) == [1, 2, 3]
    cache = FrameCache(tmp_path / "cache")
    assert len(cache) == 3
    rng = np.random.default_rng(0)
    dark = sum(cache.draw(rng).mean() < 100 for _ in range(200))
    assert 70 < dark < 130
