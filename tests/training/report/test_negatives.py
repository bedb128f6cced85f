"""What a user reads about false alarms."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from training.evaluation.everyday import EverydayEvaluation
from training.evaluation.negatives import Alarm, Negative, NegativeResult, Peak
from training.labels.samples import Sample
from training.report.negatives import everyday_document, print_everyday

ALARM = Alarm("fight", 12.0, 13.5, 0.9, by_rules=False)
PEAK = Peak("fight", 0.9, 13.0)
RESULT = NegativeResult(
    (
        Negative(Path("club.mp4"), "source.mp4 3-9", "dance", 90.0, (ALARM,), (PEAK,)),
        Negative(Path("shop.mp4"), None, "shop", 90.0, (), ()),
    ),
    ("fight", "kick"),
)
EVALUATION = EverydayEvaluation(RESULT, (Sample(Path("tiny.mp4"), ("x",)),), without_people=1)


def test_rates_kinds_and_places_are_printed() -> None:
    out = io.StringIO()
    print_everyday(Console(file=out, width=120), EVALUATION)
    text = " ".join(out.getvalue().split())
    for expected in (
        "2 stretches, 3.0 minutes",
        "1 alarm in 3.0 minutes: 20 an hour, 0.506 to 111 (95 %)",
        "kick: no alarm in 3.0 minutes rules out more than 59.9 an hour (95 %)",
        "12.0 s",
        "0.90*",
        "club.mp4 (source.mp4 3-9)",
        "nobody was tracked in 1 of 2 stretches",
        "1 stretches are too short for any clip",
    ):
        assert expected in text, text


def test_the_document_is_json_and_names_every_alarm() -> None:
    document = json.loads(json.dumps(everyday_document(EVALUATION), allow_nan=False))
    assert document["alarms"][0]["path"] == "club.mp4"
    assert document["alarms"][0]["start_s"] == 12.0
    assert document["actions"]["kick"]["alarms"] == 0
    assert document["total"]["per_hour_interval"][0] > 0.5
    assert document["kinds"][0]["kind"] == "dance"
    assert document["too_short"] == ["tiny.mp4"]
