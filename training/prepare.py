"""Cut person clips out of the training videos, exactly as the live pipeline would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from models.person_detector import YoloPersonDetector
from pipeline.clip_sampling import crop_person
from pipeline.decoder import VideoReader
from training.clip_cache import CACHE_MARGIN, CACHE_SIZE, CachedTrack, write_crops, write_index
from training.datasets import (
    PETS_TEST_FROM,
    LabelledVideo,
    Split,
    held_out_groups,
    list_videos,
)
from training.labels import WALK_ABOVE, body_speed, speed_runs
from training.person_tracks import PersonTrack, link_detections, read_mot_tracks, touches_another

MAX_FPS = 15.0  # frames closer together are left out: the clip's grid has 7.5 a second
MIN_SPAN_S = 2.0  # of a stretch of walking or standing
MIN_TRACK_SHARE = 0.6  # of a short video in which a person must be seen
CONFIDENCE = 0.3

Images = list[NDArray[np.uint8]]
Video = tuple[NDArray[np.float64], Images]  # pts_s (N,) and uint8 (H, W, 3) BGR each
WholeRun = tuple[str, PersonTrack]


def read_video(path: Path, max_fps: float = MAX_FPS) -> Video:
    """Decode a short video, timed by its container, thinned to at most `max_fps`."""
    times: list[float] = []
    images: Images = []
    with closing(VideoReader(path)) as reader:
        for picture in reader.pictures():
            if not times or picture.pts_s - times[-1] >= 0.9 / max_fps:
                times.append(picture.pts_s)
                images.append(picture.image)
    return np.array(times), images


def cut_track(cache: Path, name: str, video: Video, track: PersonTrack) -> tuple[str, list[float]]:
    """Crop every box of a person; returns the file in the cache and the crops' times."""
    pts_s, images = video
    crops = [
        crop_person(images[frame], box, size=CACHE_SIZE, margin=CACHE_MARGIN)
        for frame, box in zip(track.frames, track.xyxy, strict=True)
    ]
    return write_crops(cache, name, crops), [float(t) for t in pts_s[track.frames]]


def cut_mot(
    cache: Path, path: Path, gt: Path, split_at: int | None, *, everybody_walks: bool
) -> Iterator[CachedTrack]:
    """Walking and standing from ground-truth paths.

    Args:
        cache: where crops go.
        path: the video.
        gt: its ground truth, MOTChallenge format.
        split_at: first frame of the test part; None: all of it is for training.
        everybody_walks: the whole of each path is walking, however short.
    """
    video = read_video(path, max_fps=1000.0)
    people = read_mot_tracks(gt)
    borders: dict[Split, tuple[int, float]] = {"train": (0, split_at or np.inf)}
    if split_at is not None:
        borders["test"] = (split_at, np.inf)
    for split, (first, end) in borders.items():
        parts = [track[(track.frames >= first) & (track.frames < end)] for track in people]
        yield from cut_paths(cache, path, video, parts, split, everybody_walks=everybody_walks)


def cut_scene(
    cache: Path, path: Path, split: Split, detector: YoloPersonDetector
) -> Iterator[CachedTrack]:
    """Walking and standing from detected paths, in a video of a camera that does not move."""
    video = read_video(path)
    people = link_detections([detector.detect([image])[0] for image in video[1]])
    yield from cut_paths(cache, path, video, people, split)


def cut_paths(
    cache: Path,
    path: Path,
    video: Video,
    people: list[PersonTrack],
    split: Split,
    *,
    everybody_walks: bool = False,
) -> Iterator[CachedTrack]:
    """Cut the stretches of each path in which the person only walks or only stands."""
    for person, track in enumerate(people):
        if len(track) < 2:
            continue
        times = video[0][track.frames]
        runs = speed_runs(body_speed(times, track.xyxy), times, MIN_SPAN_S)
        if everybody_walks:
            runs = [("walk", slice(0, len(track)))]
        for number, (label, rows) in enumerate(runs):
            name = f"{path.stem}-{split}-{person}-{number}"
            file, run_times = cut_track(cache, name, video, track[rows])
            yield CachedTrack(file, tuple(run_times), label, path.stem, path.name, split)


def people_of(
    video: LabelledVideo, pts_s: NDArray[np.float64], tracks: list[PersonTrack]
) -> list[WholeRun]:
    """Which tracks of a labelled video are learned, and as what.

    In fights only people close to somebody: bystanders do not fight. In everyday scenes people
    who clearly walk are walkers, so that "nothing" is not a name for a kind of camera.
    """
    needed = MIN_TRACK_SHARE * min(len(pts_s), MIN_SPAN_S * MAX_FPS)
    long_enough = [track for track in tracks if len(track) >= max(needed, 3)]
    chosen = []
    for track in long_enough:
        label = video.label
        if label == "fight":
            others = [other for other in tracks if other is not track]
            if not touches_another(track, others):
                continue
        elif label == "nothing":
            speed = float(np.median(body_speed(pts_s[track.frames], track.xyxy)))
            label = "walk" if speed >= WALK_ABOVE else "nothing"
        chosen.append((label, track))
    return chosen


def cut_labelled(
    cache: Path, video: LabelledVideo, split: Split, detector: YoloPersonDetector
) -> Iterator[CachedTrack]:
    """People of a labelled video; where nobody is tracked, the whole frame is the box."""
    pts_s, images = read_video(video.path)
    tracks = link_detections([detector.detect([image])[0] for image in images])
    people = people_of(video, pts_s, tracks)
    if not people:
        height, width = images[0].shape[:2]
        frame_box = np.tile(np.array([0, 0, width, height], np.float32), (len(images), 1))
        people = [(video.label, PersonTrack(np.arange(len(images)), frame_box))]
    for person, (label, track) in enumerate(people):
        name = f"{video.dataset}-{video.path.parent.name}-{video.path.stem}-{person}"
        file, times = cut_track(cache, name, (pts_s, images), track)
        yield CachedTrack(file, tuple(times), label, video.dataset, video.path.name, split)


def main(
    data: Annotated[Path, typer.Option(help="Folder with mot, video, ut_interaction, ...")],
    cache: Annotated[Path, typer.Option(help="Where crops go; about 2 GB.")] = Path("runs/cache"),
    weights: Annotated[
        Path | None, typer.Option(help="YOLO weights; default: the YOLO11n of DATA/weights.")
    ] = None,
    share: Annotated[float, typer.Option(help="Share of the videos held out, by group.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Of the draw of held-out groups.")] = 0,
) -> None:
    """Decode, detect and cut every training video once.

    Example: python -m training.prepare --data ../shared/data
    """
    detector = YoloPersonDetector(
        weights or data / "weights/yolo11n_int8_openvino_model",
        confidence=CONFIDENCE,
        iou=0.7,
        image_size=640,
        device="cpu",
        batch_size=1,
    )
    videos = list_videos(data)
    held_out = held_out_groups([video.group for video in videos], share, seed)
    pets, tud = data / "mot/PETS09-S2L1", data / "mot/TUD-Campus"
    pets_video = data / "video/pets09_s2l1.avi"
    parts: list[Iterator[CachedTrack]] = [
        cut_mot(cache, pets_video, pets / "gt/gt.txt", PETS_TEST_FROM, everybody_walks=False),
        cut_mot(cache, tud / "TUD-Campus.mp4", tud / "gt/gt.txt", None, everybody_walks=True),
        cut_scene(cache, data / "video/one_by_one.mp4", "train", detector),
        cut_scene(cache, data / "video/people.mp4", "test", detector),
    ]
    parts += [
        cut_labelled(cache, video, "test" if video.group in held_out else "train", detector)
        for video in videos
    ]
    with typer.progressbar(chain.from_iterable(parts), label="people", show_pos=True) as bar:
        tracks = list(bar)
    write_index(cache, tracks)
    typer.echo(f"{len(tracks)} people in {cache}")


if __name__ == "__main__":
    typer.run(main)
