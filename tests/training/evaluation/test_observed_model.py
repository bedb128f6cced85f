from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.schema import load_config
from pipeline.errors import ConfigError, SourceError
from pipeline.observations.recorded_run import NumberedItem
from pipeline.observations.retention import ObservationLimits
from pipeline.observations.writer import ObservationWriter
from pipeline.types import Prediction, RecognizedFrame, StreamEnd, Subject
from tests.pipeline.observations.made_items import made_items, make_recognized, make_run
from training.evaluation.observed_model import ObservedModel
from training.evaluation.threshold_search import RuleTrial, search_rule
from training.evaluation.videos import LabelledVideo
from training.metrics.event_matching import TrueEvent

LIMITS = ObservationLimits(30.0, 1e9, 10**9)
BOX = np.array([1, 2, 30, 40], np.float32)


def keep(folder: Path, recording: str = "a", model: str = "net") -> Path:
    """One person who fights from second 10 to 20, with 0.7 there and 0.4 elsewhere."""
    run = make_run(recording=recording, model=model, group_actions=())
    writer = ObservationWriter(folder, run, LIMITS, tolerant=False)
    for index in range(300):
        fights = 100 <= index < 200
        scores = np.array([0.1, 0.7 if fights else 0.4, 0.1], np.float32)
        scored = (Prediction(Subject.person(1), BOX, scores),) if index % 5 == 0 else ()
        writer.add(NumberedItem(index, make_recognized(index, predictions=scored)))
    writer.add(NumberedItem(300, StreamEnd("gate")))
    writer.close()
    return folder


def test_thresholds_are_searched_on_observations_as_on_video(tmp_path: Path) -> None:
    model = ObservedModel([str(keep(tmp_path))], load_config())
    scores = model.score_video(Path("videos/gate.mp4"), None)
    assert (scores.wh, scores.people, len(scores.frame_pts_s)) == ((64, 48), 1, 300)
    [person] = scores.subjects
    assert person.scores.shape == (60, 3)
    video = LabelledVideo(scores, (TrueEvent("fight", 10.0, 20.0, None),))
    policy = model.event_policy
    trial = RuleTrial([video], "fight", policy, 0.5)
    choice = search_rule(trial, policy.rules["fight"], false_alarms_per_hour=0.0)
    counts = choice.found.counts
    assert (choice.reached, counts.matched, counts.false_alarms) == (True, 1, 0)
    assert 0.4 < choice.found.rule.start_threshold <= 0.7


def test_a_camera_without_observations_or_with_several_runs_is_named(tmp_path: Path) -> None:
    keep(tmp_path, "a")
    keep(tmp_path, "b")
    model = ObservedModel([str(tmp_path)], load_config())
    with pytest.raises(SourceError, match=r"camera gate: of 2 runs"):
        model.score_video(Path("gate.mp4"), None)
    with pytest.raises(SourceError, match=r"camera yard: none"):
        model.score_video(Path("yard.mp4"), None)


def test_observations_of_different_recognizers_are_refused(tmp_path: Path) -> None:
    keep(tmp_path, "a", "one")
    keep(tmp_path, "b", "two")
    with pytest.raises(ConfigError, match=r"different recognizers \(one, two\)"):
        ObservedModel([str(tmp_path)], load_config())


def test_fused_scores_are_refused(tmp_path: Path) -> None:
    writer = ObservationWriter(tmp_path, make_run(), LIMITS, tolerant=False)
    for one in made_items(1, 30):
        assert isinstance(one.item, RecognizedFrame)
        frame = replace(one.item.tracked.frame, camera_id="door")
        tracked = replace(one.item.tracked, frame=frame)
        writer.add(NumberedItem(one.number, replace(one.item, tracked=tracked)))
    writer.close()
    model = ObservedModel([str(tmp_path)], load_config())
    with pytest.raises(SourceError, match="several recognizers"):
        model.score_video(Path("door.mp4"), None)
