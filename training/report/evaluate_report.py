"""The report that a run of `evaluate` leaves behind."""

from __future__ import annotations

import logging
from pathlib import Path

from training.evaluation.evaluated_model import EvaluatedModel
from training.report.html import ClipPage, EventPage, ReportHead, render_report
from training.report.mistakes import clip_pictures, event_pictures
from training.report.write import Origin, Results

log = logging.getLogger(__name__)


def write_report(path: Path, results: Results, origin: Origin, model: EvaluatedModel) -> None:
    """Clips and events as one HTML file."""
    clips, events = results.clips, results.events
    mappings = [each.mapping for each in (clips, events) if each is not None]
    notes = [note for mapping in mappings for note in mapping.warnings()]
    head = ReportHead(
        model=model.name,
        command=origin.command,
        data=str(origin.data),
        split=origin.split,
        how=_how(through_pipeline=origin.through_pipeline),
        notes=tuple(dict.fromkeys(notes)),
        failures=results.left_out,
    )
    clip_page = None if clips is None else ClipPage(clips, clip_pictures(clips, model.spec))
    event_page = None if events is None else EventPage(events, event_pictures(events))
    path.write_text(render_report(head, clip_page, event_page), encoding="utf-8")
    log.info("report: %s", path)


def _how(*, through_pipeline: bool) -> str:
    if through_pipeline:
        return (
            "Scores are averaged over what detector, tracker and clip cutting of the live pipeline "
            "make of each file; a file in which they find nobody counts as background."
        )
    return (
        "Scores are averaged over every tracked person every half second; where nobody is tracked, "
        "the whole picture is shown."
    )
