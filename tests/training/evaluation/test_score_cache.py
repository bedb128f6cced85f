"""Scores of videos on disk."""

from __future__ import annotations

from pathlib import Path

from testbed.fakes import fake_components
from tests.conftest import write_video
from training.evaluation.score_cache import ScoreCache
from training.evaluation.video_scores import VideoScores, score_video

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
    assert len(one.tracks) == len(other.tracks)
    for mine, theirs in zip(one.tracks, other.tracks, strict=True):
        assert mine.track_id == theirs.track_id
        assert (mine.path.pts_s == theirs.path.pts_s).all()
        assert (mine.path.xyxy == theirs.path.xyxy).all()
        assert (mine.scores == theirs.scores).all()


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


def test_a_video_that_changed_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    video = flashing(tmp_path / "a.mp4")
    cache = ScoreCache(tmp_path / "cache", "these components")
    cache.save(score_video(video, fake_components(), stride_s=STRIDE_S))
    flashing(video, seconds=4.0)
    assert cache.load(video) is None
