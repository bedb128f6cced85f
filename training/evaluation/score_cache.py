"""Scores of videos on disk, so that other rules can be tried without watching them again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.types import Subject
from training.crops.crop_cache import file_identity
from training.crops.person_tracks import PersonPath
from training.evaluation.video_scores import SubjectScores, VideoScores

FORMAT = 2  # another one makes new files


class ScoreCache:
    """One file per video, detector, tracker and recognizer.

    Args:
        folder: of the files; safe to delete when nothing runs.
        identity: text that differs where the pipeline would give other scores.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        self._identity = identity

    def load(self, video: Path) -> VideoScores | None:
        """Load the scores of a video; None if there are none or the file has changed since."""
        file = self._file(video)
        if not file.is_file():
            return None
        with np.load(file, allow_pickle=False) as data:
            head = json.loads(str(data["head"]))
            subjects = tuple(
                SubjectScores(
                    Subject(kind, number, tuple(members)),
                    PersonPath(data[f"pts_s_{n}"], data[f"xyxy_{n}"]),
                    data[f"scores_{n}"],
                    tuple(
                        PersonPath(data[f"pts_s_{n}_{one}"], data[f"xyxy_{n}_{one}"])
                        for one in members
                    ),
                )
                for n, (kind, number, members) in enumerate(head["subjects"])
            )
            labels, (width, height) = tuple(head["labels"]), head["wh"]
            return VideoScores(
                video, labels, (width, height), data["frame_pts_s"], head["people"], subjects
            )

    def save(self, scores: VideoScores) -> None:
        """Keep the scores of a video that was scored to its end."""
        head = {
            "labels": scores.labels,
            "wh": scores.wh,
            "people": scores.people,
            "subjects": [
                (one.subject.kind, one.subject.id, one.subject.members) for one in scores.subjects
            ],
        }
        arrays: dict[str, Any] = {
            "head": np.array(json.dumps(head)),
            "frame_pts_s": scores.frame_pts_s,
        }
        for n, one in enumerate(scores.subjects):
            arrays[f"pts_s_{n}"] = one.path.pts_s
            arrays[f"xyxy_{n}"] = one.path.xyxy
            arrays[f"scores_{n}"] = one.scores
            for track_id, path in zip(one.subject.members, one.members, strict=True):
                arrays[f"pts_s_{n}_{track_id}"] = path.pts_s
                arrays[f"xyxy_{n}_{track_id}"] = path.xyxy
        file = self._file(scores.path)
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".part")
        with unfinished.open("wb") as out:
            np.savez_compressed(out, **arrays)
        unfinished.replace(file)

    def _file(self, video: Path) -> Path:
        known = json.dumps([FORMAT, file_identity(video), self._identity])
        return self._folder / f"{hashlib.sha256(known.encode()).hexdigest()[:32]}.npz"
