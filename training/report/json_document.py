"""The evaluation as one JSON document."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np

from models.boxes import FloatArray
from pipeline.types import Subject
from training.evaluation.calibration import Calibration
from training.evaluation.clip_results import (
    ClipEvaluation,
    ClipScore,
    FoldsEvaluation,
    group_spread,
)
from training.evaluation.labelled_videos import LabelledVideo
from training.evaluation.threshold_search import RuleCounts
from training.evaluation.videos import ActionEvents, EventEvaluation
from training.metrics.best_subject import judge_by_best_subject
from training.metrics.event_metrics import EventCounts
from training.metrics.label_mapping import LabelMapping
from training.register import DataHistory


def to_json(document: dict[str, Any]) -> str:
    """Format indented JSON; nan, which JSON does not have, is an error."""
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def clips_document(evaluation: ClipEvaluation) -> dict[str, Any]:
    """Build the keys about clips."""
    clips, measures = evaluation.clips, evaluation.measures
    confusion = evaluation.confusion
    return {
        **{measure.name: measure.value for measure in measures},
        "intervals": {
            measure.name: None
            if measure.interval is None
            else list(asdict(measure.interval).values())
            for measure in measures
        },
        "labels": list(clips.classes),
        "multi_label": clips.multi_label,
        "confusion": None if confusion is None else confusion[:, :-1].tolist(),
        "without_answer": None if confusion is None else confusion[:, -1].tolist(),
        "per_class": [asdict(result) for result in evaluation.per_class],
        "per_group": [asdict(result) for result in evaluation.per_group],
        "group_spread": asdict(group_spread(evaluation.per_group)),
        "calibration": [asdict(bin) for bin in evaluation.calibration if bin.count],
        "number_of_clips": len(evaluation.scores),
        "clips_without_people": evaluation.untracked,
        "clips_without_a_view": evaluation.silent,
        "label_counting": mapping_document(evaluation.mapping),
        "seed": evaluation.seed,
        "clips": [_clip(score, row, evaluation) for row, score in enumerate(evaluation.scores)],
    }


def folds_document(evaluation: FoldsEvaluation) -> dict[str, Any]:
    """Build the value of the key `folds`."""
    return {
        "folds": [asdict(fold) for fold in evaluation.folds],
        "started_from": evaluation.started_from,
        "warnings": list(evaluation.warnings),
    }


def calibration_document(calibration: Calibration) -> dict[str, Any]:
    """Build the value of the key `temperatures`."""
    return {
        "temperatures": dict(zip(calibration.labels, calibration.temperatures, strict=True)),
        "calibration_error_before": asdict(calibration.before),
        "calibration_error_after": asdict(calibration.after),
        "folds": calibration.folds,
        "false_alarm_rate": calibration.rate,
        "thresholds": [asdict(each) for each in calibration.thresholds],
    }


def history_document(history: DataHistory) -> dict[str, Any]:
    """Describe what the data had been used for before."""
    return {**asdict(history), "held_out": history.held_out, "notes": history.sentences()}


def mapping_document(mapping: LabelMapping) -> dict[str, Any]:
    """Describe how labels were counted that data and model do not have in common."""
    background = mapping.background
    return {
        "background": None if background is None else mapping.classes[background],
        "aliases": dict(mapping.aliases),
        "unknown_labels_counted_as_background": dict(mapping.taken_as_background),
        "predictions_counted_as_background": list(mapping.merged_predictions),
        "notes": mapping.warnings(),
    }


def events_document(evaluation: EventEvaluation) -> dict[str, Any]:
    """Build the value of the key `events`."""
    return {
        "camera_hours": evaluation.camera_hours,
        "iou": evaluation.iou,
        "target_false_alarms_per_hour": evaluation.false_alarms_per_hour,
        "actions": {action.action: _action(action) for action in evaluation.actions},
        "videos": [_video(video) for video in evaluation.videos],
        "label_counting": mapping_document(evaluation.mapping),
        "found": [
            {
                "path": str(judged.video),
                "action": judged.event.action,
                **_subject(judged.event.subject),
                "start": _rounded(judged.event.start_s),
                "end": _rounded(judged.event.end_s),
                "decided": _rounded(judged.event.decided_s),
                "peak_score": _rounded(judged.event.peak_score, 4),
                "verdict": judged.verdict,
            }
            for judged in evaluation.events
        ],
    }


def counts_document(counts: EventCounts) -> dict[str, Any]:
    """Build the numbers of one action at one overlap."""
    return {
        "iou": counts.iou,
        "truths": counts.truths,
        "events": counts.events,
        "matched": counts.matched,
        "repeated": counts.repeated,
        "wrong": counts.wrong,
        "precision": counts.precision,
        "recall": counts.recall,
        "false_alarms": counts.false_alarms,
        "false_alarms_per_hour": counts.false_alarms_per_hour,
        "false_alarms_per_hour_at_most_95": counts.false_alarms_per_hour_at_most,
        "delay_s_p50": counts.delay_s(0.5),
        "delay_s_p95": counts.delay_s(0.95),
    }


def _clip(score: ClipScore, row: int, evaluation: ClipEvaluation) -> dict[str, Any]:
    clips, mapping = evaluation.clips, evaluation.mapping
    sample, predicted = score.sample, int(clips.predicted[row])
    return {
        "path": str(sample.path),
        "start": sample.start_s,
        "end": sample.end_s,
        "group": clips.groups[row],
        "truth": [clips.classes[n] for n in np.flatnonzero(clips.truth[row])],
        "label_in_data": list(sample.labels),
        "predicted": None if predicted < 0 else clips.classes[predicted],
        "right": bool(clips.hits()[row]),
        "scores": _rounded_all(_judged(score, mapping)) if score.scored else None,
        "subjects": [_rounded_all(row) for row in score.subjects],
        "views": score.views,
        "people": score.people,
    }


def _judged(score: ClipScore, mapping: LabelMapping) -> FloatArray:
    """Combine the subjects, in the order of the model's own labels: float32 (M,)."""
    quiet = [n for n, of in enumerate(mapping.class_of_score) if of == mapping.background]
    return judge_by_best_subject(score.subjects, quiet)


def _rounded_all(scores: FloatArray) -> list[float]:
    return [_rounded(value, 5) for value in scores.tolist()]


def _action(action: ActionEvents) -> dict[str, Any]:
    choice = action.choice
    return {
        "rule": asdict(action.rule),
        **counts_document(action.counts),
        "at_iou": [counts_document(counts) for counts in action.at_ious],
        "curve": [_rule_counts(point) for point in action.curve],
        "searched": None
        if choice is None
        else {**_rule_counts(choice.found), "reached": choice.reached},
    }


def _rule_counts(point: RuleCounts) -> dict[str, Any]:
    return {"rule": asdict(point.rule), **counts_document(point.counts)}


def _subject(subject: Subject) -> dict[str, Any]:
    """Name a subject as an event does."""
    return {
        "track_id": subject.id if subject.kind == "person" else None,
        "group_id": subject.id if subject.kind == "group" else None,
        "members": list(subject.members),
    }


def _video(video: LabelledVideo) -> dict[str, Any]:
    scores = video.scores
    return {
        "path": str(scores.path),
        "duration_s": _rounded(scores.duration_s),
        "people": scores.people,
        "people_with_clips": sum(one.subject.kind == "person" for one in scores.subjects),
        "groups_with_clips": sum(one.subject.kind == "group" for one in scores.subjects),
        "truths": [
            {"action": truth.action, "start": truth.start_s, "end": _rounded(truth.end_s)}
            for truth in video.truths
        ],
    }


def _rounded(value: float, digits: int = 3) -> float:
    assert math.isfinite(value)
    return round(value, digits)
