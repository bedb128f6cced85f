"""Write the labels that the compact recognizer is trained on: who does what, when and where."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from models.detections import Detections
from models.detectors.yolo import YoloPersonDetector
from pipeline.sources.file_decoder import VideoReader
from training.crops.person_tracks import PersonTrack, link_detections, write_mot_tracks
from training.labels.damaged_videos import frames_before_damage
from training.recipe.compact_groups import GroupStretch, groups_of
from training.recipe.compact_sources import DEMO_GROUP, Source, list_sources
from training.recipe.compact_stretches import TOGETHER, Stretch, people_of

MAX_FPS = 15.0  # frames closer together are skipped: a clip's grid has 7.5 a second
CONFIDENCE = 0.3
COLUMNS = ("path", "label", "start", "end", "track", "track_id", "subject", "group", "split")


@dataclass(frozen=True, slots=True, eq=False)
class SourceDetections:
    """People whom the detector finds in a source."""

    frames: NDArray[np.intp]  # int (N,) indices of the frames in the video
    pts_s: NDArray[np.float64]  # (N,) their times
    wh: tuple[int, int]  # pixels of an image, or of the camera's part of a collage
    people: list[Detections]  # N; boxes in pixels of that image or part


def detect_source(source: Source, detector: YoloPersonDetector) -> SourceDetections:
    """Detect people in at most `MAX_FPS` frames a second.

    Raises:
        DecodeError: if no frame of the video can be decoded.
    """
    frames: list[int] = []
    times: list[float] = []
    people: list[Detections] = []
    wh = (0, 0)
    with closing(VideoReader(source.path)) as reader:
        for index, decoded in enumerate(frames_before_damage(reader, source.path)):
            early = bool(times) and decoded.pts_s - times[-1] < 0.9 / MAX_FPS
            if early or not source.start_s <= decoded.pts_s < source.end_s:
                continue
            image = decoded.image
            if source.part is not None:
                x1, y1, x2, y2 = source.part
                image = np.ascontiguousarray(image[y1:y2, x1:x2])
            frames.append(index)
            times.append(decoded.pts_s)
            people += detector.detect([image])
            wh = image.shape[1], image.shape[0]
    return SourceDetections(np.array(frames), np.array(times), wh, people)


def find_stretches(source: Source, detections: SourceDetections) -> list[Stretch]:
    """Find who is trained on, as what and when; where no person is seen, the whole frame."""
    tracks = link_detections(detections.people)
    found: list[Stretch] = people_of(tracks, detections.pts_s, label=source.label, rule=source.rule)
    if found or source.dataset not in ("ut_interaction", "fight_surv"):
        return found
    whole_frame = np.tile(np.array([0, 0, *detections.wh], np.float32), (len(detections.frames), 1))
    whole = PersonTrack(np.arange(len(detections.frames)), whole_frame)
    return [Stretch(source.label, whole, float(detections.pts_s[0]), float(detections.pts_s[-1]))]


def write_source(
    source: Source, detections: SourceDetections, stretches: Sequence[Stretch], output: Path
) -> list[dict[str, object]]:
    """Write the tracks of a source; returns its rows of the label file."""
    name = _track_file(source)
    tracks = [
        _in_video(source, detections, one.track, number)
        for number, one in enumerate(stretches, start=1)
    ]
    write_mot_tracks(output / name, tracks)
    return [
        _row(source, output, one.label)
        | {
            "start": f"{one.start_s:.3f}",
            "end": f"{one.end_s:.3f}",
            "track": name,
            "track_id": number,
            "subject": "person",
        }
        for number, one in enumerate(stretches, start=1)
    ]


def write_groups(
    source: Source, detections: SourceDetections, groups: Sequence[GroupStretch], output: Path
) -> list[dict[str, object]]:
    """Write the tracks of the members, a file per group; returns its rows of the label file."""
    rows: list[dict[str, object]] = []
    for number, group in enumerate(groups, start=1):
        name = f"{_track_file(source).removesuffix('.txt')}-group{number}.txt"
        members = [
            _in_video(source, detections, one, person)
            for person, one in enumerate(group.members, start=1)
        ]
        write_mot_tracks(output / name, members)
        times = {"start": f"{group.start_s:.3f}", "end": f"{group.end_s:.3f}"}
        rows.append(_row(source, output, group.label) | times | {"track": name, "subject": "group"})
    return rows


def _row(source: Source, output: Path, label: str) -> dict[str, object]:
    return {
        "path": os.path.relpath(source.path, output),
        "label": label,
        "group": source.group,
        "split": "test" if source.held_out else "train",
    }


def _track_file(source: Source) -> str:
    part = "" if source.part is None else f"-{source.part[0]}"
    start = "" if source.start_s == 0 else f"-{source.start_s:g}"
    return f"tracks/{source.dataset}-{source.path.parent.name}-{source.path.stem}{part}{start}.txt"


def _in_video(
    source: Source, detections: SourceDetections, track: PersonTrack, person: int = 0
) -> PersonTrack:
    """Return a track in frames and pixels of the video."""
    offset = np.array([0, 0, 0, 0] if source.part is None else source.part[:2] * 2, np.float32)
    return PersonTrack(detections.frames[track.frames], track.xyxy + offset, person)


def write_labels(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write a label file that `run_pipeline.py train` and `evaluate` read."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def main(
    data: Annotated[Path, typer.Option(help="Folder with mot, video, ut_interaction, ...")],
    output: Annotated[Path, typer.Option(help="Where the label files and tracks/ go.")] = Path(
        "runs/compact"
    ),
    weights: Annotated[
        Path | None, typer.Option(help="YOLO weights; default: the YOLO11n of DATA/weights.")
    ] = None,
    groups: Annotated[
        bool, typer.Option(help="Fights and interactions as groups, for data.group_labels.")
    ] = False,
) -> None:
    """Detect all people of the training videos and write what they do.

    held_out.csv has whole groups for testing; in everything.csv all of them are for training.
    demo.csv has the stretch of which the demo shows a part: it is never trained on.

    Example: python -m training.recipe.compact_labels --data ../shared/data
    """
    detector = YoloPersonDetector(
        weights or data / "weights/yolo11n_int8_openvino_model",
        confidence=CONFIDENCE,
        iou=0.7,
        image_size=640,
        device="cpu",
        batch_size=1,
    )
    (output / "tracks").mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    with typer.progressbar(list_sources(data), label="videos", show_pos=True) as bar:
        for source in bar:
            detections = detect_source(source, detector)
            if not len(detections.frames):
                continue
            stretches = find_stretches(source, detections)
            if groups:
                stretches = [one for one in stretches if one.label not in TOGETHER]
                tracks = link_detections(detections.people)
                together = groups_of(tracks, detections.pts_s, source.label)
                rows += write_groups(source, detections, together, output)
            rows += write_source(source, detections, stretches, output)
    demo = [row for row in rows if row["group"] == DEMO_GROUP]
    others = [row for row in rows if row["group"] != DEMO_GROUP]
    write_labels(output / "held_out.csv", others)
    write_labels(output / "everything.csv", [row | {"split": "train"} for row in others])
    write_labels(output / "demo.csv", demo)
    typer.echo(f"{len(rows)} stretches in {output}: held_out.csv, everything.csv, demo.csv")


if __name__ == "__main__":
    typer.run(main)
