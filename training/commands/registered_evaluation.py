"""What an evaluation reads from the register before it, and adds to it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.checkpoints.checkpoint import CheckpointError, read_defaults
from models.checkpoints.weight_files import content_identity
from pipeline.config.schema import PipelineConfig
from pipeline.recognizer_weights import weights_file
from training.commands.evaluate_request import EvaluateRequest
from training.evaluation.clip_results import ClipEvaluation
from training.evaluation.clips import group_of
from training.evaluation.videos import EventEvaluation
from training.labels.fingerprints import fingerprints_of
from training.labels.samples import Sample
from training.register import DataHistory, Purpose, Register, RegisterEntry, history_of, now_utc
from training.report.write import Results

CLIP_HEADLINES = ("top1", "mean_class_accuracy", "area_under_curve", "calibration_error")


@dataclass(frozen=True, slots=True)
class Look:
    """One part of the data that was looked at."""

    data: Path | None
    samples: Sequence[Sample]
    purpose: Purpose
    numbers: dict[str, float]


class RegisteredEvaluation:
    """The entries of one evaluation.

    Args:
        request: what is evaluated.
        config: names the weights.
        project: where relative paths may lie.

    Raises:
        ConfigError: if the register cannot be written.
    """

    def __init__(self, request: EvaluateRequest, config: PipelineConfig, project: Path) -> None:
        self._request, self._register = request, Register(request.register)
        self._weights = weights_file(config.recognizer.weights, project)
        if any((request.data, request.events, request.everyday)):
            self._register.check()

    def finish(self, results: Results) -> tuple[DataHistory, ...]:
        """Return what the data had been used for before, and add what it was used for now."""
        looks = self._looks(results)
        if not looks:
            return ()
        before = self._register.read()
        histories = tuple(self._history(look, before, results) for look in looks)
        self._register.append([self._entry(look, results) for look in looks])
        return histories

    def _looks(self, results: Results) -> list[Look]:
        request, found = self._request, []
        if results.clips is not None:
            samples = [score.sample for score in results.clips.scores]
            purpose: Purpose = "looked at" if results.folds is None else "cross-validated"
            if request.weights_file is not None:
                purpose = "chose thresholds"
            found.append(Look(request.data, samples, purpose, clip_numbers(results.clips)))
        if results.events is not None:
            chose = request.false_alarms_per_hour is not None
            videos = [Sample(one.scores.path, ("-",)) for one in results.events.videos]
            numbers = event_numbers(results.events)
            purpose = "chose thresholds" if chose else "looked at"
            found.append(Look(request.events, videos, purpose, numbers))
        if results.everyday is not None:
            result = results.everyday.result
            videos = [Sample(one.path, ("-",)) for one in result.negatives]
            found.append(Look(request.everyday, videos, "looked at", {}))
        return found

    def _history(
        self, look: Look, before: Sequence[RegisterEntry], results: Results
    ) -> DataHistory:
        videos = fingerprints_of(look.samples)
        if results.folds is not None:  # each network is new, and has not seen what it is judged by
            return history_of(videos, before)
        try:
            decision, record = read_defaults(self._weights)
        except CheckpointError:  # of another library
            decision = record = None
        thresholds = None
        if decision is not None:
            thresholds = decision.chosen_at, frozenset(decision.chosen_on)
        return history_of(
            videos,
            before,
            weights=self._identity(results),
            trained_on=None
            if record is None or not record.complete
            else frozenset(record.trained_on),
            chosen_on=frozenset() if record is None else frozenset(record.chosen_on),
            thresholds=thresholds,
        )

    def _entry(self, look: Look, results: Results) -> RegisterEntry:
        return RegisterEntry(
            at=now_utc(),
            purpose=look.purpose,
            data=str(look.data),
            split=self._request.split,
            clips=len(look.samples),
            groups=len({group_of(one) for one in look.samples}),
            model=self._name(results),
            weights=self._identity(results),
            numbers=look.numbers,
            command=self._request.command,
            videos=tuple(sorted(fingerprints_of(look.samples))),
        )

    def _name(self, results: Results) -> str:
        if results.folds is not None and self._request.weights_file is None:
            return f"{len(results.folds.folds)} folds from {results.folds.started_from}"
        return str(self._weights)

    def _identity(self, results: Results) -> str:
        if results.folds is not None and self._request.weights_file is None:
            return ""
        return content_identity(self._weights)


def clip_numbers(evaluation: ClipEvaluation) -> dict[str, float]:
    """Return the headline numbers of clips."""
    values = {name: evaluation.value(name) for name in CLIP_HEADLINES}
    return {name: round(value, 4) for name, value in values.items() if value is not None}


def event_numbers(evaluation: EventEvaluation) -> dict[str, float]:
    """Return the headline numbers of events, of every action."""
    found: dict[str, float] = {}
    for action in evaluation.actions:
        counts = action.counts if action.choice is None else action.choice.found.counts
        values = {"recall": counts.recall, "false alarms per hour": counts.false_alarms_per_hour}
        found |= {f"{action.action} {k}": round(v, 4) for k, v in values.items() if v is not None}
    return found
