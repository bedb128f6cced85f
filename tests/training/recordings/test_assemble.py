"""Recordings put together: no track and no clip spans a seam, and the table is the truth."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.boxes import FloatArray
from testbed.fakes import fake_components
from tests.conftest import write_video
from training.evaluation.sample_frames import frames_of
from training.evaluation.video_scores import score_video
from training.labels.label_files import read_samples
from training.labels.samples import Sample
from training.recordings.assemble import is_written, write_recording, write_table
from training.recordings.pieces import RecordingPlan, measure_pieces, plan_recordings

DARK, BRIGHT = 20, 220


class DarkestAndBrightest:
    """Scores a clip by its darkest and its brightest frame."""

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        levels = [[float(crop.mean()) / 255 for crop in clip] for clip in clips]
        return np.array([[min(each), max(each)] for each in levels], np.float32)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RecordingPlan:
    """Dark and bright pieces of several frame rates, one of them a stretch of its file."""
    folder = tmp_path_factory.mktemp("clips")
    samples = []
    for n, (level, fps) in enumerate([(DARK, 20), (BRIGHT, 25), (DARK, 5), (BRIGHT, 30)]):
        times = [k / fps for k in range(3 * fps)]
        video = write_video(folder / f"{n}.mp4", times, shade=lambda _, level=level: level)  # type: ignore[misc]
        samples.append(Sample(video, ("fight" if level == BRIGHT else "nothing",), kind="made"))
    samples[1] = replace(samples[1], start_s=1.0, end_s=2.6)
    pieces, unused = measure_pieces(samples, 1.5, lambda done, total: None)
    assert not unused
    (plan,) = plan_recordings(pieces, 0.5, seed=0)
    return plan


@pytest.fixture(scope="module")
def folder(plan: RecordingPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    write_recording(plan, folder, lambda done, total: None)
    write_table([plan], folder)
    return folder


def test_no_clip_and_no_track_spans_a_seam(plan: RecordingPlan, folder: Path) -> None:
    # A detector that sees a person everywhere and a tracker that would follow it for ever.
    components = replace(fake_components(), recognizer=DarkestAndBrightest())
    scores = score_video(folder / f"{plan.name}.mp4", components, stride_s=0.2)
    rows = read_samples(folder / "intervals.csv")
    span_s = components.clip_spec.span_s
    early_s = components.clip_spec.interval_s / 2  # its grid may begin so long before its frames
    assert early_s < plan.seam_s / 10
    clips_in = dict.fromkeys(range(len(rows)), 0)
    for track in scores.subjects:
        for end_s, (darkest, brightest) in zip(track.path.pts_s, track.scores, strict=True):
            assert brightest - darkest < 0.1  # pieces beside each other may be of one level
            (row,) = [
                n
                for n, one in enumerate(rows)
                if (one.start_s or 0) - early_s <= end_s - span_s and end_s <= (one.end_s or 0)
            ]
            clips_in[row] += 1
            assert (brightest > 0.5) == (rows[row].labels == ("fight",))
    assert min(clips_in.values()) >= 3, clips_in


def test_hours_are_those_of_the_pieces_without_the_seams(plan: RecordingPlan, folder: Path) -> None:
    scores = score_video(folder / f"{plan.name}.mp4", fake_components(), stride_s=0.5)
    of_pieces = sum(piece.seconds for piece in plan.pieces)
    assert scores.watched_s == pytest.approx(of_pieces, abs=0.3)
    assert scores.duration_s > of_pieces + 2 * plan.seam_s


def test_the_table_names_source_and_time_of_each_piece(plan: RecordingPlan, folder: Path) -> None:
    rows = read_samples(folder / "intervals.csv")
    assert [one.source for one in rows] == [piece.source for piece in plan.pieces]
    assert all(one.path == folder / f"{plan.name}.mp4" for one in rows)
    assert {one.kind for one in rows} == {"made"}
    stretch = next(one for one in rows if str(one.source).endswith("1.mp4 1.0-2.6"))
    assert stretch.start_s is not None
    assert stretch.end_s is not None
    assert stretch.end_s - stretch.start_s == pytest.approx(1.6, abs=0.01)
    for before, after in pairwise(rows):
        assert (after.start_s or 0) - (before.end_s or 0) == pytest.approx(plan.seam_s, abs=2e-3)


def test_a_stopped_recording_leaves_nothing_that_looks_finished(
    plan: RecordingPlan, tmp_path: Path
) -> None:
    def stop(done: int, total: int) -> None:
        assert total == sum(piece.frames for piece in plan.pieces)
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_recording(plan, tmp_path, stop)
    assert not is_written(plan, tmp_path)
    assert not list(tmp_path.glob("*.mp4"))
    write_table([plan], tmp_path)
    with (tmp_path / "intervals.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 1  # the header


def test_pieces_are_the_frames_of_their_stretches(plan: RecordingPlan) -> None:
    for piece in plan.pieces:
        assert sum(1 for _ in frames_of(piece.sample)) == piece.frames
