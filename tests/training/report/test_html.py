"""The report: everything in one file, and nothing in it that a label could smuggle in."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.slowfast.zoo import slowfast_compact
from pipeline.stages.track_decider import ActionRule
from tests.conftest import write_video
from tests.training.factories import cached
from tests.training.made_events import path_at, policy_of, track_of, true, video_of
from training.evaluation.clip_results import CachedView, ClipEvaluation, ClipScore, VideoView
from training.evaluation.clips import evaluate_clips
from training.evaluation.labelled_videos import LabelledVideo
from training.evaluation.videos import EventEvaluation, evaluate_events
from training.labels.samples import Sample
from training.metrics.label_mapping import map_labels
from training.report.html import ClipPage, EventPage, MistakeImage, ReportHead, render_report
from training.report.mistakes import (
    CROPS_PER_STRIP,
    SIZE,
    clip_mistakes,
    event_mistakes,
    video_strips,
)

EVIL = '<script>alert("1")</script>'
HEAD = ReportHead(EVIL, EVIL, EVIL, None, EVIL, (EVIL,), (EVIL,))
MODEL = ("walk", EVIL, "nothing")


class Balanced(HTMLParser):
    """Complains about an element that is not closed; collects what the page would load."""

    VOID = frozenset({"meta", "br", "img", "link", "path", "use", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.sources += [v or "" for name, v in attributes if name in ("src", "href", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def clips() -> ClipEvaluation:
    rows = [(EVIL, [0.1, 0.8, 0.1]), ("walk", [0.3, 0.4, 0.3]), ("walk", None)]
    scores = [
        ClipScore(
            Sample(Path(f"{EVIL}{n}.mp4"), (label,)),
            None if values is None else np.array(values, np.float32),
            1,
            1,
            None,
        )
        for n, (label, values) in enumerate(rows)
    ]
    mapping = map_labels([score.sample.labels for score in scores], MODEL, ("nothing",), {})
    return evaluate_clips(scores, mapping, model_multi_label=False, seed=0)


def events(video: Path = Path("a.mp4"), label: str = "fight") -> EventEvaluation:
    fight = [0.1] * 6 + [0.9] * 4 + [0.1] * 3
    scores = video_of(track_of(fight), duration_s=8.0, name=str(video))
    mapping = map_labels([("fight",)], scores.labels, ("nothing",), {})
    watched = LabelledVideo(scores, (true(0.5, 1.5, action=label),))
    policy = policy_of({"fight": ActionRule(0.6, 0.4, 0.5, 0.5)})
    return evaluate_events([watched], mapping, policy, ["fight"], iou=0.5, false_alarms_per_hour=1)


def test_labels_paths_and_options_are_escaped() -> None:
    page = ClipPage(clips(), (MistakeImage(EVIL, EVIL, b"jpeg"),))
    html = render_report(HEAD, page, EventPage(events(), ()))
    assert EVIL not in html
    assert html.count("&lt;script&gt;") > 10
    parser = Balanced()
    parser.feed(html)
    assert (parser.open, parser.scripts) == ([], 0)


def test_it_loads_nothing_from_anywhere() -> None:
    html = render_report(HEAD, ClipPage(clips(), (MistakeImage("a", "b", b"jpeg"),)), None)
    parser = Balanced()
    parser.feed(html)
    assert parser.sources
    assert all(source.startswith(("#", "data:image/jpeg;base64,")) for source in parser.sources)
    assert not re.search(r"url\((?!#)|@import", html)


def test_numbers_of_events_and_rules_are_told() -> None:
    html = render_report(HEAD, None, EventPage(events(), ()))
    assert "Rules for at most 1 false alarms per camera hour" in html
    assert html.count("<svg") == 1
    assert "false alarms / hour" in html  # letters stay letters
    assert "Confusion" not in html


def test_the_same_results_give_the_same_file() -> None:
    page = ClipPage(clips(), ())
    assert render_report(HEAD, page, None) == render_report(HEAD, page, None)


def test_a_strip_shows_the_person_over_the_stretch(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [n / 10 for n in range(40)], shade=lambda n: 5 * n)
    person = path_at(10, 0, 4)
    late, early = video_strips(video, [VideoView(person, 2.0, 3.5), VideoView(person, 0.5, 2.0)])
    for jpeg, first, last in ((late, 100, 175), (early, 25, 100)):
        assert jpeg is not None
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert image.shape == (SIZE, CROPS_PER_STRIP * SIZE)
        assert image[:, :SIZE].mean() == pytest.approx(first, abs=8)
        assert image[:, -SIZE:].mean() == pytest.approx(last, abs=8)


def test_wrong_clips_have_images_the_most_confident_first(tmp_path: Path) -> None:
    spec = slowfast_compact(2).input_spec
    small = cached(tmp_path, "walk", 100)
    scores = []
    for score in (0.6, 0.9):
        values = np.array([1 - score, 0, score], np.float32)
        scores.append(ClipScore(small.sample, values, 1, 1, CachedView(small, 0)))
    scores.append(ClipScore(small.sample, np.array([1, 0, 0], np.float32), 1, 1, None))
    mapping = map_labels([("walk",)] * 3, MODEL, (), {})
    result = evaluate_clips(scores, mapping, model_multi_label=False, seed=0)
    first, second = clip_mistakes(result, replace(spec, crop_size=32))
    assert first.title == "walk, called nothing (90 % confident)"
    assert second.title == "walk, called nothing (60 % confident)"
    for picture in (first, second):
        assert picture.jpeg is not None
        image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert image.mean() == pytest.approx(110, abs=5)


def test_wrong_events_have_pictures(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [n / 10 for n in range(80)], wh=(64, 64))
    [picture] = event_mistakes(events(video))
    assert picture.title == "fight, false alarm (score 0.90)"
    assert picture.where == f"{video}, 5.0 to 6.5 s, person 1"
    assert picture.jpeg is not None
