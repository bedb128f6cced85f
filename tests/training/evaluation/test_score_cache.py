"""Scores of videos on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.types import Subject
from testbed.fakes import fake_components
from tests.conftest import write_video
from tests.training.made_events import path_at, track_of, video_of
from training.evaluation.score_cache import ScoreCache
from training.evaluation.video_scores import SubjectScores, VideoScores, score_video

STRIDE_S = 0.5


def flashing(path: Path, seconds: float = 8.0) -> Path:
    """Two seconds bright, two seconds dark, and so on."""
    times = [n / 20 for n in range(round(seconds * 20))]
    return write_video(path, times, shade=lambda n: 230 if n // 40 % 2 == 0 else 20)


def assert_same(one: VideoScores, other: VideoScores) -> None:
    assert (one.path, one.labels, one.wh, one.people) == (
        other.path, other.labels, other.wh, other.people,
    )  # fmt: skip
    assert (one.frame_pts_s == other.frame_pts_s).all()
    assert len(one.subjects) == len(other.subjects)
    for mine, theirs in zip(one.subjects, other.subjects, strict=True):
        assert mine.subject == theirs.subject
        assert (mine.path.pts_s == theirs.path.pts_s).all()
        assert (mine.path.xyxy == theirs.path.xyxy).all()
        assert (mine.scores == theirs.scores).all()
        for one_path, other_path in zip(mine.members, theirs.members, strict=True):
            assert (one_path.pts_s == other_path.pts_s).all()
            assert (one_path.xyxy == other_path.xyxy).all()


def test_scores_come_back_from_the_cache_as_they_were(tmp_path: Path) -> None:
    video = flashing(tmp_path / "a.mp4")
    scores = score_video(video, fake_components(), stride_s=STRIDE_S)
    cache = ScoreCache(tmp_path / "cache", "these components")
    assert cache.load(video) is None
    cache.save(scores)
    known = cache.load(video)
    assert known is not None
    assert_same(known, scores)
    assert ScoreCache(tmp_path / "cache", "other components").load(video) is None


def test_groups_come_back_with_the_places_of_their_members(tmp_path: Path) -> None:
    video = flashing(tmp_path / "a.mp4", seconds=1.0)
    person, hull = track_of([0.5] * 4), path_at(0.0)
    paths = path_at(0.0), path_at(30.0, 2.0, 3.0)
    group = SubjectScores(Subject("group", 1, (1, 4)), hull, person.scores[:1], paths)
    scores = replace(video_of(person, group), path=video)
    cache = ScoreCache(tmp_path / "cache", "these components")
    cache.save(scores)
    known = cache.load(video)
    assert known is not None
    assert_same(known, scores)


def test_a_video_that_changed_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    video = flashing(tmp_path / "a.mp4")
    cache = ScoreCache(tmp_path / "cache", "these components")
    cache.save(score_video(video, fake_components(), stride_s=STRIDE_S))
    flashing(video, seconds=4.0)
    assert cache.load(video) is None
