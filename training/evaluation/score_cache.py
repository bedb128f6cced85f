"""Scores of videos on disk, so that other rules can be tried without watching them again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from training.crops.crop_cache import file_identity
from training.crops.person_tracks import PersonPath
from training.evaluation.video_scores import TrackScores, VideoScores

FORMAT = 1  # another one makes new files


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
            tracks = tuple(
                TrackScores(
                    track_id,
                    PersonPath(data[f"pts_s_{track_id}"], data[f"xyxy_{track_id}"]),
                    data[f"scores_{track_id}"],
                )
                for track_id in head["track_ids"]
            )
            labels, (width, height) = tuple(head["labels"]), head["wh"]
            return VideoScores(
                video, labels, (width, height), data["frame_pts_s"], head["people"], tracks
            )

    def save(self, scores: VideoScores) -> None:
        """Keep the scores of a video that was scored to its end."""
        head = {
            "labels": scores.labels,
            "wh": scores.wh,
            "people": scores.people,
            "track_ids": [track.track_id for track in scores.tracks],
        }
        arrays: dict[str, Any] = {
            "head": np.array(json.dumps(head)),
            "frame_pts_s": scores.frame_pts_s,
        }
        for track in scores.tracks:
            arrays[f"pts_s_{track.track_id}"] = track.path.pts_s
            arrays[f"xyxy_{track.track_id}"] = track.path.xyxy
            arrays[f"scores_{track.track_id}"] = track.scores
        file = self._file(scores.path)
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".part")
        with unfinished.open("wb") as out:
            np.savez_compressed(out, **arrays)
        unfinished.replace(file)

    def _file(self, video: Path) -> Path:
        known = json.dumps([FORMAT, file_identity(video), self._identity])
        return self._folder / f"{hashlib.sha256(known.encode()).hexdigest()[:32]}.npz"
