"""From videos to crops."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.clip_sampling import crop_person
from tests.training.factories import path_of
from training.clip_cache import CACHE_MARGIN, CACHE_SIZE, read_crops
from training.datasets import LabelledVideo
from training.person_tracks import PersonTrack
from training.prepare import cut_mot, cut_paths, people_of, read_video

Images = list[np.ndarray]


def made_images(count: int) -> Images:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (200, 640, 3), dtype=np.uint8) for _ in range(count)]


def write_video(path: Path, count: int, fps: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height = 640, 200
        for image in made_images(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())


@pytest.mark.parametrize(("fps", "kept"), [(10, 20), (30, 20), (60, 10)])
def test_a_fast_video_is_thinned_and_a_slow_one_kept(tmp_path: Path, fps: int, kept: int) -> None:
    write_video(tmp_path / "a.mp4", 40 if fps > 10 else 20, fps)
    pts_s, images = read_video(tmp_path / "a.mp4", max_fps=15.0)
    assert len(pts_s) == len(images) == kept
    np.testing.assert_allclose(np.diff(pts_s), 0.1 if fps == 10 else 1 / 15, atol=1e-3)


def test_crops_are_cut_by_the_pipeline_s_own_function(tmp_path: Path) -> None:
    images, track = made_images(40), path_of(0.8)
    video = (np.arange(40) / 10, images)
    (cut,) = cut_paths(tmp_path, Path("street.mp4"), video, [track], "train")
    assert (cut.label, cut.dataset, cut.video) == ("walk", "street", "street.mp4")
    crops = read_crops(tmp_path, cut)
    expected = crop_person(images[7], track.xyxy[7], size=CACHE_SIZE, margin=CACHE_MARGIN)
    np.testing.assert_array_equal(crops[7], expected)


def test_frames_from_the_border_on_are_test_frames_only(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 60, 10)
    rows = [f"{n + 1},1,{5 * n},50,40,100,1,-1" for n in range(60)]
    (tmp_path / "gt.txt").write_text("\n".join(rows))
    tracks = list(
        cut_mot(
            tmp_path / "cache", tmp_path / "a.mp4", tmp_path / "gt.txt", 30, everybody_walks=False
        )
    )
    assert [track.split for track in tracks] == ["train", "test"]
    assert max(tracks[0].pts_s) < 3.0 - 1e-6 < min(tracks[1].pts_s) + 1e-6


def labelled(label: str) -> LabelledVideo:
    return LabelledVideo("fight_surv", Path("a.mp4"), label, "fight_surv:1")


def test_bystanders_of_a_fight_are_not_learned() -> None:
    fighters = [path_of(0.3), path_of(0.3, start_x=50)]
    tracks = [*fighters, path_of(0.0, start_x=3000)]
    chosen = people_of(labelled("fight"), np.arange(40) / 10, tracks)
    assert [(label, id(track)) for label, track in chosen] == [
        ("fight", id(track)) for track in fighters
    ]


def test_walkers_of_an_everyday_scene_walk() -> None:
    tracks = [path_of(0.9), path_of(0.1)]
    chosen = people_of(labelled("nothing"), np.arange(40) / 10, tracks)
    assert [label for label, _ in chosen] == ["walk", "nothing"]


def test_people_seen_too_briefly_are_left_out() -> None:
    brief = PersonTrack(np.arange(5), path_of(0.0).xyxy[:5])
    assert people_of(labelled("nothing"), np.arange(40) / 10, [brief]) == []
