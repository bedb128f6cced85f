"""Everyday video: whatever starts there is a false alarm, unless it is true."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from tests.training.made_events import policy_of, track_of, video_of
from training.evaluation.everyday import EverydayEvaluation, evaluate_everyday, read_everyday
from training.evaluation.video_scores import VideoScores
from training.labels.samples import DataError, Sample

LOUD = video_of(track_of([0.9] * 4 + [0.0] * 10), duration_s=20.0)  # fight from 2 to 3.5 s
QUIET = video_of(track_of([0.3, 0.5, 0.2]), duration_s=20.0)


def evaluated(samples: Sequence[Sample], **videos: VideoScores) -> EverydayEvaluation:
    def run(path: Path) -> VideoScores:
        if path.stem not in videos:
            raise SourceError(f"{path}: no such file")
        return videos[path.stem]

    found, unreadable = evaluate_everyday(
        samples, run, policy_of(), ("fight",), aliases={"brawl": "fight"}, span_s=2.0
    )
    assert len(unreadable) == len({sample.path.stem for sample in samples} - set(videos))
    return found


def sample(name: str, label: str = "nothing", kind: str | None = None, **more: float) -> Sample:
    return Sample(Path(f"{name}.mp4"), (label,), kind=kind, **more)  # type: ignore[arg-type]


def test_what_starts_is_listed_with_kind_place_and_time() -> None:
    result = evaluated([sample("a", kind="hug"), sample("b", kind="shop")], a=LOUD, b=QUIET).result
    ((negative, alarm),) = result.alarmed
    assert (negative.path, negative.kind) == (Path("a.mp4"), "hug")
    assert (alarm.action, alarm.start_s, alarm.end_s) == ("fight", 2.0, 3.5)
    assert result.total.hours == pytest.approx(40 / 3600, rel=0.01)
    assert [kind.kind for kind in result.kinds] == ["hug", "shop"]
    peak = result.kinds[1].peak
    assert peak is not None
    assert (peak.score, peak.at_s) == (pytest.approx(0.5), 2.5)


@pytest.mark.parametrize("given", [("fight", None), ("brawl", None), ("nothing", "fight")])
def test_an_action_that_is_the_label_or_the_kind_is_true_there(
    given: tuple[str, str | None],
) -> None:
    result = evaluated([sample("a", *given)], a=LOUD).result
    assert (result.total.alarms, result.total.negatives) == (0, 0)


def test_only_the_labelled_stretch_counts() -> None:
    result = evaluated([sample("a", start_s=6.0, end_s=12.0)], a=LOUD).result
    assert (result.total.alarms, result.total.hours) == (0, pytest.approx(6 / 3600))


def test_what_is_too_short_for_a_clip_proves_nothing_and_what_is_broken_is_left_out() -> None:
    short = sample("a", start_s=2.0, end_s=3.0)
    found = evaluated([short, sample("gone"), sample("b")], a=LOUD, b=video_of(duration_s=9.0))
    assert found.too_short == (short,)
    assert len(found.result.negatives) == found.without_people == 1


def test_folders_are_kinds(tmp_path: Path) -> None:
    for name in ("hug/a.mp4", "hug/old/b.mp4", "c.mp4", "note.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [(one.path.name, one.kind, one.labels) for one in read_everyday(tmp_path)]
    assert found == [
        ("c.mp4", "everyday", ("everyday",)),
        ("a.mp4", "hug", ("hug",)),
        ("b.mp4", "hug", ("hug",)),
    ]
    (tmp_path / "labels.csv").write_text("path,label,kind\nc.mp4,nothing,crowd\n")
    (only,) = read_everyday(tmp_path)
    assert (only.kind, only.path) == ("crowd", tmp_path / "c.mp4")


def test_a_folder_without_video_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no video in this folder"):
        read_everyday(tmp_path)
