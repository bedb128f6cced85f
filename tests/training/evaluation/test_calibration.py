"""Temperatures fitted by folds, and thresholds for a rate of false alarms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.inference.temperature import apply_temperatures
from training.evaluation.calibration import (
    calibrate,
    choose_thresholds,
    decision_of,
    fit_temperatures,
    highest_rate,
)
from training.evaluation.clip_results import ClipScore
from training.evaluation.clips import scored_clips
from training.labels.samples import DataError, Sample
from training.metrics.clip_metrics import ScoredClips
from training.metrics.label_mapping import LabelMapping, map_labels

LABELS = ("fight", "hug", "nothing")


def made(count: int, sharpness: float, *, groups: int = 40, views: int = 2) -> list[ClipScore]:
    """Clips of one person whose scores would mean frequencies at the temperature `sharpness`."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, (count, len(LABELS)))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = []
    for n, row in enumerate(honest):
        label = LABELS[rng.choice(len(LABELS), p=row)]
        shown = apply_temperatures(
            row[None].astype(np.float32), [1 / sharpness] * 3, multi_label=False
        )
        sample = Sample(Path(f"{n}.mp4"), (label,), group=str(n % groups))
        scores.append(ClipScore.of(sample, 1, [np.repeat(shown, views, axis=0)], None))
    return scores


def mapping_of(scores: list[ClipScore]) -> LabelMapping:
    return map_labels([score.sample.labels for score in scores], LABELS, ("nothing",), {})


def test_the_temperature_is_found_again_and_scores_mean_frequencies_afterwards() -> None:
    scores = made(600, 2.5)
    result = calibrate(scores, mapping_of(scores), LABELS, multi_label=False, rate=0.05, seed=0)
    assert result.temperatures == pytest.approx([2.5] * 3, rel=0.25)
    assert result.before.value is not None
    assert result.after.value is not None
    assert result.after.value < 0.5 * result.before.value
    assert result.after.interval is not None
    assert {each.label for each in result.thresholds} == {"fight", "hug"}
    for each in result.thresholds:
        assert each.false_alarms <= 0.05 * each.without < each.at_most * each.without
        assert each.end < each.start
    decision = decision_of(result, chosen_at="2026-11-25", chosen_on=frozenset("ba"))
    assert decision.chosen_on == ("a", "b")
    assert decision.labels["nothing"].start_threshold is None
    assert decision.labels["fight"].start_threshold == result.thresholds[0].start
    assert "at most 5 % of clips without it" in decision.labels["fight"].chosen_for


def test_a_label_with_few_clips_stays_near_the_common_temperature() -> None:
    few, many = (
        fit_temperatures(scores, mapping_of(scores), multi_label=False)
        for scores in (made(15, 2.0), made(600, 2.0))
    )
    assert few.max() / few.min() < 1.5
    assert many == pytest.approx([2.0] * 3, rel=0.25)


def test_the_best_subject_is_taken_after_the_temperature() -> None:
    scores = made(60, 1.0)
    onlooker = np.array([[0.0, 0.0, 1.0]], np.float32)
    crowded = [ClipScore.of(one.sample, 2, [*one.over_time, onlooker], None) for one in scores]
    alone = fit_temperatures(scores, mapping_of(scores), multi_label=False)
    assert fit_temperatures(crowded, mapping_of(crowded), multi_label=False) == pytest.approx(
        alone, rel=0.05
    )


def test_independent_labels_are_fitted_too() -> None:
    rng = np.random.default_rng(0)
    scores = []
    for n in range(200):
        said = rng.uniform(0.02, 0.98, 3).astype(np.float32)
        true = [label for label, p in zip(LABELS, said, strict=True) if rng.random() < p]
        sample = Sample(Path(f"{n}.mp4"), tuple(true or ["nothing"]), group=str(n % 20))
        scores.append(ClipScore.of(sample, 1, [said[None]], None))
    mapping = map_labels([score.sample.labels for score in scores], LABELS, (), {})
    fitted = fit_temperatures(scores, mapping, multi_label=True)
    assert fitted == pytest.approx([1.0] * 3, rel=0.5)


def test_one_group_cannot_be_calibrated_on() -> None:
    scores = made(20, 1.0, groups=1)
    with pytest.raises(DataError, match="needs two groups"):
        calibrate(scores, mapping_of(scores), LABELS, multi_label=False, rate=0.1, seed=0)


def clips_of(without: list[float], with_it: list[float]) -> tuple[ScoredClips, LabelMapping]:
    scores = []
    for label, values in (("nothing", without), ("fight", with_it)):
        for n, value in enumerate(values):
            row = np.array([[value, 0, 1 - value]], np.float32)
            scores.append(ClipScore.of(Sample(Path(f"{label}{n}.mp4"), (label,)), 1, [row], None))
    nobody = ClipScore.of(Sample(Path("nobody.mp4"), ("fight",)), 0, (), None)
    mapping = mapping_of([*scores, nobody])
    return scored_clips([*scores, nobody], mapping, model_multi_label=False), mapping


def test_the_threshold_is_the_lowest_that_keeps_the_rate() -> None:
    clips, mapping = clips_of([0.05 * n for n in range(20)], [0.5, 0.9, 0.93, 0.97])
    [chosen] = choose_thresholds(clips, mapping, LABELS, 0.1)  # two of twenty may reach it
    assert (chosen.label, chosen.start, chosen.end) == ("fight", 0.851, 0.567)
    assert (chosen.false_alarms, chosen.without) == (2, 20)
    assert (chosen.found, chosen.with_it) == (3, 5)  # nobody tracked is not found
    [strict] = choose_thresholds(clips, mapping, LABELS, 0.0)
    assert (strict.start, strict.false_alarms) == (0.95, 0)  # it has 0.95 as float32: below


def test_too_few_clips_or_certain_false_alarms_choose_nothing() -> None:
    few, mapping = clips_of([0.1] * 20, [0.9] * 3)
    assert choose_thresholds(few, mapping, LABELS, 0.1) == ()
    certain, mapping = clips_of([1.0] * 20, [0.9] * 6)
    assert choose_thresholds(certain, mapping, LABELS, 0.1) == ()


def test_nothing_in_n_rules_out_three_in_n() -> None:
    assert highest_rate(0, 100) == pytest.approx(0.0295, abs=1e-3)  # the rule of three
    assert highest_rate(5, 5) == 1.0
