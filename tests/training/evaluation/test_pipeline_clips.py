"""Which of a video's clips belong to a labelled stretch of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SourceError
from tests.training.made_events import track_of, video_of
from training.evaluation.clip_results import ClipScore, UnreadableClip, VideoView
from training.evaluation.pipeline_clips import score_clips, views_of
from training.evaluation.video_scores import VideoScores
from training.labels.samples import DataError, PersonBox, Sample, TrackFile

VIDEO = Path("a.mp4")
SPAN_S = 2.0
# One clip every half second from 2 s on: its score equals its end time.
LEFT = track_of([0.01 * n for n in range(20)], track_id=1, x=0)
RIGHT = track_of([0.5 + 0.01 * n for n in range(20)], track_id=2, x=300)


def scores_of(sample: Sample, *tracks: object) -> list[float]:
    video = video_of(*(tracks or (LEFT, RIGHT)), duration_s=12.0)  # type: ignore[arg-type]
    people, views = views_of(video, sample, SPAN_S)
    assert sum(len(person.scores) for person in people) == len(views)
    assert all(len(person.path.pts_s) == len(person.scores) for person in people)
    return [round(float(value), 2) for person in people for value in person.scores[:, 0]]


def test_without_a_stretch_every_clip_of_every_person_counts() -> None:
    assert len(scores_of(Sample(VIDEO, ("fight",)))) == 40


def test_clips_count_whose_middle_lies_in_the_stretch() -> None:
    # Clips that end at 4.0, 4.5 and 5.0 s have their middles at 3.0, 3.5 and 4.0 s.
    assert scores_of(Sample(VIDEO, ("fight",), 3.0, 4.0), LEFT) == [0.04, 0.05, 0.06]


def test_a_box_chooses_its_person() -> None:
    in_pixels = PersonBox((280.0, 0.0, 340.0, 60.0))
    normalized = PersonBox((280 / 640, 0.0, 340 / 640, 60 / 480), normalized=True)
    for box in (in_pixels, normalized):
        found = scores_of(Sample(VIDEO, ("fight",), 3.0, 4.0, box))
        assert found == [0.54, 0.55, 0.56]


def test_a_track_chooses_its_person(tmp_path: Path) -> None:
    track = tmp_path / "gt.txt"
    rows = [f"{n + 1},7,300,10,20,40,1,-1,-1,-1" for n in range(120)]
    track.write_text("\n".join([*rows, "1,8,0,10,20,40,1,-1,-1,-1"]))
    sample = Sample(VIDEO, ("fight",), 3.0, 4.0, TrackFile(track, 7), origin="labels.csv:2")
    assert scores_of(sample) == [0.54, 0.55, 0.56]
    track.write_text("500,7,300,10,20,40,1,-1,-1,-1")
    with pytest.raises(DataError, match=r"labels\.csv:2: .*has frame 500, a\.mp4 has only 120"):
        scores_of(sample)


def test_people_are_averaged_over_time_and_the_best_one_is_shown() -> None:
    [score] = list(score_clips([Sample(VIDEO, ("fight",))], run, SPAN_S, background=[2]))
    assert isinstance(score, ClipScore)
    wanted = [LEFT.scores[:, 0].mean(), RIGHT.scores[:, 0].mean()]
    assert score.subjects[:, 0] == pytest.approx(wanted)
    assert (score.views, score.people) == (40, 2)
    assert isinstance(score.view, VideoView)  # a fight of the right one, who says so more and more
    assert (score.view.person, score.view.end_s) == (RIGHT.path, 11.5)


def test_a_video_is_run_once_whatever_the_order_of_its_samples() -> None:
    runs: list[str] = []

    def counted(path: Path) -> VideoScores:
        runs.append(path.name)
        return run(path)

    names = ["b.mp4", "a.mp4", "b.mp4"]
    samples = [Sample(Path(name), ("fight",), n, n + 5.0) for n, name in enumerate(names)]
    assert len(list(score_clips(samples, counted, SPAN_S))) == 3
    assert runs == ["a.mp4", "b.mp4"]


def test_a_clip_without_people_is_distinguished_from_no_clip() -> None:
    def fails(path: Path) -> VideoScores:
        raise SourceError(f"{path}: no such file")

    sample = Sample(VIDEO, ("fight",), origin="labels.csv:2")
    [empty] = list(score_clips([sample], lambda path: video_of(), SPAN_S))
    assert isinstance(empty, ClipScore)
    assert (empty.scored, empty.people, empty.views) == (False, 0, 0)
    [missing] = list(score_clips([sample], fails, SPAN_S))
    assert isinstance(missing, UnreadableClip)
    assert str(missing) == "labels.csv:2: a.mp4: no such file"


def run(path: Path) -> VideoScores:
    return video_of(LEFT, RIGHT, duration_s=12.0, name=path.name)
