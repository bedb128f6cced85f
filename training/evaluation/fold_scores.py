"""Scores of the clips of a fold on disk, so that a finished fold is never scored again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from training.crops.crop_cache import read_entry
from training.evaluation.clip_results import CachedView, ClipScore, UnreadableClip, VideoView
from training.labels.samples import Sample

Scored = Sequence[ClipScore | UnreadableClip]


def save_scores(path: Path, identity: str, samples: Sequence[Sample], scored: Scored) -> None:
    """Write the scores of samples in one step.

    Args:
        path: of the file.
        identity: text that differs where other scores would come out.
        samples: of the fold.
        scored: one item per sample, in any order.
    """
    number = {sample: n for n, sample in enumerate(samples)}
    clips, rows = [], []
    for item in scored:
        if isinstance(item, UnreadableClip):
            clips.append({"sample": number[item.sample], "reason": item.reason})
            continue
        clips.append(
            {
                "sample": number[item.sample],
                "people": item.people,
                "views": [len(views) for views in item.over_time],
                "shown": _place(item.view),
            }
        )
        rows += list(item.over_time)
    head = np.array(json.dumps({"identity": identity, "clips": clips}))
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, head=head, rows=np.concatenate(rows) if rows else np.zeros(0))
    unfinished.replace(path)


def load_scores(
    path: Path, identity: str, samples: Sequence[Sample]
) -> list[ClipScore | UnreadableClip] | None:
    """Read what `save_scores` wrote; None if there is nothing of this identity."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as data:
        head, rows = json.loads(str(data["head"])), data["rows"]
    if head["identity"] != identity:
        return None
    found: list[ClipScore | UnreadableClip] = []
    first = 0
    for clip in head["clips"]:
        sample = samples[clip["sample"]]
        if "reason" in clip:
            found.append(UnreadableClip(sample, clip["reason"]))
            continue
        ends = first + np.cumsum([0, *clip["views"]])
        over_time = [rows[start:end] for start, end in pairwise(ends.tolist())]
        first = int(ends[-1])
        view = _view(sample, clip["shown"])
        found.append(ClipScore.of(sample, clip["people"], over_time, view))
    return found


def _place(view: VideoView | CachedView | None) -> dict[str, Any] | None:
    """Describe a view of cached crops; those that the pipeline cut are not kept."""
    if not isinstance(view, CachedView):
        return None
    entry = str(view.track.file.with_suffix(".json"))
    return {"entry": entry, "offset": int(view.track.offsets[0]), "number": view.number}


def _view(sample: Sample, place: Mapping[str, Any] | None) -> CachedView | None:
    """Find a view again; None if the cache was emptied since."""
    tracks = [] if place is None else read_entry(Path(place["entry"]), sample) or []
    for track in tracks:
        if place is not None and int(track.offsets[0]) == place["offset"]:
            return CachedView(track, place["number"])
    return None
