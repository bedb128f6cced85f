"""The report: everything in one file, and nothing in it that a label could smuggle in."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from pipeline.stages.subject_decider import ActionRule
from tests.training.made_events import policy_of, track_of, true, video_of
from training.evaluation.clip_results import ClipEvaluation, ClipScore
from training.evaluation.clips import evaluate_clips
from training.evaluation.labelled_videos import LabelledVideo
from training.evaluation.videos import EventEvaluation, evaluate_events
from training.labels.samples import Sample
from training.metrics.label_mapping import map_labels
from training.report.html import ClipPage, EventPage, MistakeImage, ReportHead, render_report

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
            np.zeros((0, 3), np.float32) if values is None else np.array([values], np.float32),
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
    labelled = LabelledVideo(scores, (true(0.5, 1.5, action=label),))
    policy = policy_of({"fight": ActionRule(0.6, 0.4, 0.5, 0.5)})
    return evaluate_events([labelled], mapping, policy, ["fight"], iou=0.5, false_alarms_per_hour=1)


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


def test_numbers_of_events_and_rules_are_reported() -> None:
    html = render_report(HEAD, None, EventPage(events(), ()))
    assert "Rules for at most 1 false alarms per camera hour" in html
    assert html.count("<svg") == 1
    assert "false alarms / hour" in html  # letters stay letters
    assert "Confusion" not in html


def test_the_same_results_give_the_same_file() -> None:
    page = ClipPage(clips(), ())
    assert render_report(HEAD, page, None) == render_report(HEAD, page, None)
