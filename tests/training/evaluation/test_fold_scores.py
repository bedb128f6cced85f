"""The scores of a finished fold come back as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from models.boxes import FloatArray
from tests.training.factories import cached
from training.crops.crop_cache import TrackIndex, write_index
from training.evaluation.clip_results import CachedView, ClipScore, UnreadableClip
from training.evaluation.fold_scores import load_scores, save_scores


def test_scores_views_and_failures_come_back(tmp_path: Path) -> None:
    track = cached(tmp_path, "walk", 100)
    index = TrackIndex(*(array.tolist() for array in (track.pts_s, track.offsets, track.lengths)))
    write_index(track.file.with_suffix(".json"), [index], whole_frame=False)
    samples = [replace(track.sample, path=Path(f"{n}.mp4")) for n in range(3)]
    rows: list[FloatArray] = [np.array([[0.2, 0.8], [0.4, 0.6]], np.float32)]
    rows.append(np.array([[0.7, 0.3]], np.float32))
    scored = [
        UnreadableClip(samples[2], "no such file"),
        ClipScore.of(samples[1], 2, rows, CachedView(track, 1)),
        ClipScore.of(samples[0], 0, (), None),
    ]
    path = tmp_path / "scores.npz"
    save_scores(path, "one", samples, scored)
    failed, two, nobody = load_scores(path, "one", samples) or []
    assert isinstance(failed, UnreadableClip)
    assert (failed.sample, failed.reason) == (samples[2], "no such file")
    assert isinstance(two, ClipScore)
    assert isinstance(nobody, ClipScore)
    assert two.subjects.tolist() == scored[1].subjects.tolist()  # type: ignore[union-attr]
    assert [len(each) for each in two.over_time] == [2, 1]
    assert isinstance(two.view, CachedView)
    assert (two.view.track.file, two.view.number) == (track.file, 1)
    assert (nobody.scored, nobody.sample) == (False, samples[0])
    assert load_scores(path, "another model", samples) is None
    assert load_scores(tmp_path / "none.npz", "one", samples) is None
    track.file.unlink()  # the cache was emptied: there is nothing to show
    again = (load_scores(path, "one", samples) or [])[1]
    assert isinstance(again, ClipScore)
    assert again.view is None
