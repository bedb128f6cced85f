"""What is shown while people are cut out of videos, where there is no terminal."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from training.console import ProgressPrinter
from training.crops.training_data import show_cut_videos


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
