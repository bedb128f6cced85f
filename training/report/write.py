"""What a run of `evaluate` leaves behind: JSON, and rules as a configuration."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.checkpoints.checkpoint import CheckpointError, read_defaults, write_decision
from pipeline.config.schema import load_config
from pipeline.default_thresholds import decision_policy
from pipeline.errors import ConfigError
from pipeline.recognizer_weights import weights_file
from training.evaluation.background_clips import BackgroundEvaluation
from training.evaluation.calibration import Calibration, decision_of
from training.evaluation.clip_results import ClipEvaluation, FoldsEvaluation
from training.evaluation.evaluated_model import EvaluatedModel
from training.evaluation.event_scorer import EventScorer
from training.evaluation.everyday import EverydayEvaluation
from training.evaluation.rule_config import decision_of_rules, rules_yaml
from training.evaluation.videos import EventEvaluation
from training.evaluation.view_options import WholeFrameViews
from training.labels.fingerprints import fingerprints_of, video_fingerprint
from training.labels.samples import Split
from training.register import DataHistory, now_utc
from training.report.json_document import (
    calibration_document,
    clips_document,
    events_document,
    folds_document,
    history_document,
    to_json,
)
from training.report.negatives import background_document, everyday_document

if TYPE_CHECKING:  # their packages take seconds to load
    from training.metrics.detection import DetectionScore
    from training.metrics.tracking import TrackingScore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What was evaluated; None where it was not asked for."""

    clips: ClipEvaluation | None
    background: BackgroundEvaluation | None  # of the clips
    events: EventEvaluation | None
    everyday: EverydayEvaluation | None
    tracking: TrackingScore | None
    detection: DetectionScore | None
    left_out: tuple[str, ...]  # what could not be read, and why
    folds: FoldsEvaluation | None = None  # `clips` are those of all folds
    calibration: Calibration | None = None  # of `clips`
    history: tuple[DataHistory, ...] = ()  # of the clips, then of the long videos


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the results come from, for the readers of the files."""

    command: str  # as it was typed
    data: Path | None
    split: Split | None
    through_pipeline: bool
    whole_frame: WholeFrameViews | None = None  # views of whole frames instead of people


def write_json(path: Path, results: Results, origin: Origin, model: EventScorer) -> None:
    """Write every number as one JSON document."""
    document = {
        "command": origin.command,
        **model.parts_document(),
        "left_out": list(results.left_out),
    }
    judged = results.clips, results.events, results.everyday
    if any(each is not None for each in judged):
        document["model"] = model.document() if results.folds is None else None
        document["split"] = origin.split
        document["register"] = [history_document(one) for one in results.history]
    if results.clips is not None:
        document["through_pipeline"] = origin.through_pipeline
        views = origin.whole_frame
        document["whole_frame"] = None if views is None else asdict(views)
        document |= clips_document(results.clips)
        document |= _extras_of_clips(results)
    if results.background is not None:
        document |= background_document(results.background)
    if results.events is not None:
        document["events"] = events_document(results.events)
    if results.everyday is not None:
        document["everyday"] = everyday_document(results.everyday)
    if results.tracking is not None:
        document["tracking"] = results.tracking.to_json()
    if results.detection is not None:
        document["detection"] = results.detection.to_json()
    path.write_text(to_json(document), encoding="utf-8")
    log.info("JSON: %s", path)


def _extras_of_clips(results: Results) -> dict[str, Any]:
    """Build the keys of what not every evaluation of clips has."""
    found = {}
    if results.folds is not None:
        found["folds"] = folds_document(results.folds)
    if results.calibration is not None:
        found["temperatures"] = calibration_document(results.calibration)
    return found


def write_weights(path: Path, results: Results, model: EvaluatedModel) -> None:
    """Write the model with the temperatures and thresholds that were chosen as its defaults.

    Raises:
        ConfigError: if its weights cannot be read.
    """
    source = weights_file(model.config.recognizer.weights, model.project)
    try:
        if results.calibration is not None and results.clips is not None:
            videos = fingerprints_of(score.sample for score in results.clips.scores)
            decision = decision_of(results.calibration, chosen_at=now_utc(), chosen_on=videos)
        elif results.events is not None:
            paths = {video.scores.path for video in results.events.videos}
            videos = frozenset(one for path in paths if (one := video_fingerprint(path)))
            before, _ = read_defaults(source)
            decision = decision_of_rules(
                results.events, before, chosen_at=now_utc(), chosen_on=videos
            )
        else:
            return
        write_decision(source, path, decision)
    except CheckpointError as error:
        raise ConfigError(f"recognizer.weights: {error}") from error
    log.info("weights: %s; the thresholds in it are used where none are configured", path)


def write_rules(path: Path, events: EventEvaluation, model: EventScorer) -> None:
    """Write the rules that were found; the file is read back as `replay --config` would.

    Raises:
        ConfigError: if it could not be used.
    """
    text = rules_yaml(events, model.event_policy, model.name)
    path.write_text(text, encoding="utf-8")
    decision_policy(model.labels, load_config(path).decision)
    log.info("rules: %s; use them with --config %s", path, path)


def write_report(path: Path, results: Results, origin: Origin, model: EvaluatedModel) -> None:
    """Write clips and events as one HTML file."""
    # matplotlib and the templates take seconds to load, and only this needs them.
    from training.report.html import ClipPage, EventPage, ReportHead, render_report
    from training.report.mistakes import clip_mistakes, event_mistakes

    clips, events = results.clips, results.events
    mappings = [each.mapping for each in (clips, events) if each is not None]
    folds = results.folds
    notes = [note for mapping in mappings for note in mapping.warnings()]
    notes += [] if folds is None else folds.warnings
    notes += [sentence for one in results.history for sentence in one.sentences()]
    head = ReportHead(
        model=model.name if folds is None else f"training from {folds.started_from}, in folds",
        command=origin.command,
        data=str(origin.data),
        split=origin.split,
        how=_how(origin, folds),
        notes=tuple(dict.fromkeys(notes)),
        failures=results.left_out,
    )
    clip_page = None
    if clips is not None:
        shown = () if folds is None else folds.folds
        spec = model.spec if folds is None else folds.spec
        clip_page = ClipPage(clips, clip_mistakes(clips, spec), shown, results.calibration)
    event_page = None if events is None else EventPage(events, event_mistakes(events))
    path.write_text(render_report(head, clip_page, event_page), encoding="utf-8")
    log.info("report: %s", path)


def _how(origin: Origin, folds: FoldsEvaluation | None = None) -> str:
    if folds is not None:
        return (
            f"Cross-validation: {len(folds.folds)} networks, each judged on groups that it was not "
            f"trained on. {_how(origin)}"
        )
    views = origin.whole_frame
    if views is not None:
        return (
            f"Probabilities are averaged over {views.clips} clips and {views.crops} crops of "
            f"{views.side} pixels of whole frames; nobody is detected or tracked."
        )
    if origin.through_pipeline:
        return (
            "A clip is judged by its best subject, whose scores are averaged over what detector, "
            "tracker and clip cutting of the live pipeline make of it; a clip in which nobody is "
            "tracked is a miss and counts as background."
        )
    return (
        "A clip is judged by its best subject, whose scores are averaged over every half second; "
        "a clip in which nobody is tracked is a miss and counts as background."
    )
