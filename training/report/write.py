"""What a run of `evaluate` leaves behind: JSON, and rules as a configuration."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.components import decision_policy
from pipeline.config.schema import load_config
from training.evaluation.background_clips import BackgroundEvaluation
from training.evaluation.clip_results import ClipEvaluation
from training.evaluation.evaluated_model import EvaluatedModel
from training.evaluation.everyday import EverydayEvaluation
from training.evaluation.rule_config import rules_yaml
from training.evaluation.videos import EventEvaluation
from training.evaluation.view_options import WholeFrameViews
from training.labels.samples import Split
from training.report.json_document import clips_document, events_document, to_json
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


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the results come from, for the readers of the files."""

    command: str  # as it was typed
    data: Path | None
    split: Split | None
    through_pipeline: bool
    whole_frame: WholeFrameViews | None = None  # views of whole frames instead of people


def write_json(path: Path, results: Results, origin: Origin, model: EvaluatedModel) -> None:
    """Write every number as one JSON document."""
    document = {
        "command": origin.command,
        **model.parts_document(),
        "left_out": list(results.left_out),
    }
    judged = results.clips, results.events, results.everyday
    if any(each is not None for each in judged):
        document["model"] = model.document()
        document["split"] = origin.split
    if results.clips is not None:
        document["through_pipeline"] = origin.through_pipeline
        views = origin.whole_frame
        document["whole_frame"] = None if views is None else asdict(views)
        document |= clips_document(results.clips)
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


def write_rules(path: Path, events: EventEvaluation, model: EvaluatedModel) -> None:
    """Write the rules that were found; the file is read back as `replay --config` would.

    Raises:
        ConfigError: if it could not be used.
    """
    text = rules_yaml(events, model.components.policy, model.name)
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
    notes = [note for mapping in mappings for note in mapping.warnings()]
    head = ReportHead(
        model=model.name,
        command=origin.command,
        data=str(origin.data),
        split=origin.split,
        how=_how(origin),
        notes=tuple(dict.fromkeys(notes)),
        failures=results.left_out,
    )
    clip_page = None if clips is None else ClipPage(clips, clip_mistakes(clips, model.spec))
    event_page = None if events is None else EventPage(events, event_mistakes(events))
    path.write_text(render_report(head, clip_page, event_page), encoding="utf-8")
    log.info("report: %s", path)


def _how(origin: Origin) -> str:
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
