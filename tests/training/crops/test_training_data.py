"""Training data: what is shown while people are cut, and what is wrong with the videos."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console

from tests.training.factories import SMALL, FixedDetector, MadePeople, write_scene
from training.console import ProgressPrinter
from training.crops.preparation import prepare_tracks
from training.crops.training_data import check_videos, show_cut_videos
from training.labels.samples import Sample

LABELS = ("hug", "walk")


def test_a_cached_preparation_shows_nothing() -> None:
    out = StringIO()
    with ProgressPrinter(Console(file=out)) as printer:
        show_cut_videos(printer, 0, 0)
    assert out.getvalue() == ""


def test_cutting_videos_shows_the_beginning_and_the_end() -> None:
    out = StringIO()
    with ProgressPrinter(Console(file=out)) as printer:
        for done in range(4):
            show_cut_videos(printer, done, 3)
    assert out.getvalue().splitlines() == [
        "people cut out of 0 of 3 videos",
        "people cut out of 3 of 3 videos",
    ]


def test_videos_that_cannot_be_used_are_named_with_the_reason(tmp_path: Path) -> None:
    write_scene(tmp_path / "a.mp4")
    write_scene(tmp_path / "b.mp4", seconds=0.5)
    samples = [
        Sample(tmp_path / "a.mp4", ("hug",), split="train", origin="l.csv:2"),
        Sample(tmp_path / "b.mp4", ("walk",), split="train", origin="l.csv:3"),
        Sample(tmp_path / "none.mp4", ("walk",), split="train", origin="l.csv:4"),
    ]
    prepared = prepare_tracks(samples, SMALL, tmp_path / "cache", MadePeople())
    texts = [str(one) for one in check_videos(prepared, samples, LABELS, span_s=2.0)]
    assert "1 of 3 samples cannot be used" in texts[0]
    assert "l.csv:4" in texts[0]
    assert "in 2 of 3 samples no person is tracked" in texts[1]
    assert "less than half a clip of 2.0 s" in texts[2]
    assert "b.mp4" in texts[2]


def test_losing_most_videos_or_a_whole_class_is_an_error(tmp_path: Path) -> None:
    write_scene(tmp_path / "a.mp4")
    samples = [Sample(tmp_path / "a.mp4", ("hug",), split="train")]
    samples += [Sample(tmp_path / f"{n}.mp4", ("walk",), split="train") for n in range(2)]
    people = MadePeople(FixedDetector((10, 10, 40, 60)))
    prepared = prepare_tracks(samples, SMALL, tmp_path / "cache", people)
    found = check_videos(prepared, samples, LABELS, span_s=2.0)
    assert [one.level for one in found] == ["error", "error"]
    assert "no training clip has: walk" in str(found[1])
