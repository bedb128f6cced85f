"""The evaluation as tables for people, on standard output."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.console import number, percent, seconds
from training.evaluation.calibration import Calibration
from training.evaluation.clip_results import ClipEvaluation, FoldsEvaluation, group_spread
from training.evaluation.videos import EventEvaluation
from training.register import DataHistory

MOST_COLUMNS = 15  # of a confusion matrix; a larger one stands in the report and the JSON


def print_clips(console: Console, evaluation: ClipEvaluation) -> None:
    """Print measures, classes and confusion."""
    table = Table("measure", "value", "95 % interval", title="Clips")
    for measure in evaluation.measures:
        if measure.value is not None:
            span = measure.interval
            bounds = f"{percent(span.low)} to {percent(span.high)}" if span else "-"
            table.add_row(measure.name.replace("_", " "), percent(measure.value), bounds)
    console.print(table)
    spread = group_spread(evaluation.per_group)
    console.print(
        f"{len(evaluation.scores)} clips in {spread.groups} groups; top-1 of a group from "
        f"{percent(spread.lowest)} to {percent(spread.highest)}, median {percent(spread.median)}; "
        f"{nobody_text(evaluation)}",
        highlight=False,
    )
    console.print(_classes(evaluation))
    confusion = _confusion(evaluation)
    if confusion is not None:
        console.print(confusion)


def print_folds(console: Console, evaluation: FoldsEvaluation) -> None:
    """Print what each fold gave; the measures above are of all of them together."""
    title = f"Folds, trained from {evaluation.started_from}"
    table = Table("fold", "trained on", "judged", "groups", "top1", title=escape(title))
    curves = any(fold.area_under_curve is not None for fold in evaluation.folds)
    if curves:
        table.add_column("area under curve")
    for fold in evaluation.folds:
        cells = [str(fold.number), str(fold.trained_on), str(fold.clips), str(fold.groups)]
        area = [percent(fold.area_under_curve)] if curves else []
        table.add_row(*cells, percent(fold.top1), *area)
    console.print(table)
    for warning in evaluation.warnings:
        console.print(f"Careful: {warning}", highlight=False, markup=False)


def print_calibration(console: Console, calibration: Calibration) -> None:
    """Print temperatures, what they are worth by folds, and the thresholds that were chosen."""
    table = Table("label", "temperature", "start", "end", "false alarms", "at most*", "found")
    table.title = f"Thresholds for at most {percent(calibration.rate)} of clips without the action"
    chosen = {each.label: each for each in calibration.thresholds}
    for label, temperature in zip(calibration.labels, calibration.temperatures, strict=True):
        one, cells = chosen.get(label), ["-"] * 5
        if one is not None:
            counts = f"{one.false_alarms} of {one.without}", percent(one.at_most)
            found = f"{one.found} of {one.with_it}"
            cells = [f"{one.start:g}", f"{one.end:g}", *counts, found]
        table.add_row(escape(label), f"{temperature:.3g}", *cells)
    console.print(table)
    console.print("* what so many clips rule out with 95 % certainty", highlight=False)
    console.print(calibration_text(calibration), highlight=False)


def calibration_text(calibration: Calibration) -> str:
    """Say what the temperatures are worth."""
    before, after = (
        f"{percent(each.value)}"
        + (
            f" ({percent(each.interval.low)} to {percent(each.interval.high)})"
            if each.interval
            else ""
        )
        for each in (calibration.before, calibration.after)
    )
    return (
        f"Expected calibration error {before}, with temperatures of the other folds {after}; "
        f"{calibration.folds} folds over groups."
    )


def print_history(console: Console, history: DataHistory) -> None:
    """Print whether the data was held out, and when it was looked at."""
    text = "; ".join(history.sentences())
    console.print(f"{text[0].upper()}{text[1:]}.", highlight=False, markup=False)


def nobody_text(evaluation: ClipEvaluation) -> str:
    """State in how many clips no person was tracked or could be scored, and what that counts as."""
    untracked, silent = evaluation.untracked, evaluation.silent
    more = f", in {silent - untracked} more nobody could be scored" if silent > untracked else ""
    if not silent and untracked == len(evaluation.scores):
        return "whole frames were scored, and nobody was tracked"
    if not silent:
        return "somebody was tracked and scored in every clip"
    counted = "no answer" if evaluation.mapping.background is None else "background"
    return f"nobody was tracked in {untracked} clips{more}: a miss, counted as {counted}"


def print_events(console: Console, evaluation: EventEvaluation) -> None:
    """Print what the configured rules do and, if there was a search, the rules it found."""
    title = f"Events in {evaluation.camera_hours:.2f} camera hours, IoU {evaluation.iou:g}"
    table = Table("action", "true", "found", "right", "recall", "precision", title=title)
    for name in ("false alarms", "per hour", "at most*", "delay p50", "p95"):
        table.add_column(name)
    for action in evaluation.actions:
        counts = action.counts
        table.add_row(
            escape(action.action),
            str(counts.truths),
            str(counts.events),
            str(counts.matched),
            percent(counts.recall),
            percent(counts.precision),
            str(counts.false_alarms),
            number(counts.false_alarms_per_hour),
            number(counts.false_alarms_per_hour_at_most),
            seconds(counts.delay_s(0.5)),
            seconds(counts.delay_s(0.95)),
        )
    console.print(table)
    console.print("* what so many hours rule out with 95 % certainty", highlight=False)
    if evaluation.false_alarms_per_hour is not None:
        console.print(_rules(evaluation))


def _classes(evaluation: ClipEvaluation) -> Table:
    table = Table("class", "clips", "recall", "precision", "average precision")
    for each in evaluation.per_class:
        if each.clips or each.precision is not None:
            table.add_row(
                escape(each.label),
                str(each.clips),
                percent(each.recall),
                percent(each.precision),
                percent(each.average_precision),
            )
    return table


def _confusion(evaluation: ClipEvaluation) -> Table | None:
    """Build the confusion matrix without empty columns; None if it is too wide."""
    if evaluation.confusion is None:
        return None
    names = [*evaluation.clips.classes, "(nothing)"]
    used = [n for n in range(len(names)) if evaluation.confusion[:, n].any()]
    if len(used) > MOST_COLUMNS:
        return None
    table = Table("truth \\ said", *(escape(names[n]) for n in used))
    for name, row in zip(names, evaluation.confusion.tolist(), strict=False):
        if any(row):
            table.add_row(escape(name), *(str(row[n] or "") for n in used))
    return table


def _rules(evaluation: EventEvaluation) -> Table:
    title = f"Rules for at most {evaluation.false_alarms_per_hour:g} false alarms per camera hour"
    table = Table("action", "start", "end", "minimum duration", title=title)
    for name in ("recall", "precision", "per hour", "at most*", "delay p50"):
        table.add_column(name)
    for action in evaluation.actions:
        assert action.choice is not None
        rule, counts = action.choice.found.rule, action.choice.found.counts
        missed = "" if action.choice.reached else " (not reached)"
        table.add_row(
            escape(action.action) + missed,
            f"{rule.start_threshold:g}",
            f"{rule.end_threshold:g}",
            f"{rule.min_duration_s:g} s",
            percent(counts.recall),
            percent(counts.precision),
            number(counts.false_alarms_per_hour),
            number(counts.false_alarms_per_hour_at_most),
            seconds(counts.delay_s(0.5)),
        )
    return table
