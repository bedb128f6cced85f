"""False alarms on background clips and everyday video, as tables and for the JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.console import number, percent
from training.evaluation.background_clips import BackgroundEvaluation
from training.evaluation.everyday import EverydayEvaluation
from training.evaluation.negatives import Alarm, AlarmRate, Negative, NegativeResult, Peak
from training.metrics.resampling import Interval

MOST_LABELS = 10  # in a line
MOST_ALARMS = 25  # rows; all of them stand in the JSON


def print_everyday(console: Console, evaluation: EverydayEvaluation) -> None:
    """Print the false alarms on everyday video, and what so much video proves."""
    result = evaluation.result
    print_negatives(console, result, "False alarms on everyday video")
    if evaluation.without_people:
        console.print(
            f"nobody was tracked in {evaluation.without_people} of {len(result.negatives)} "
            "stretches: no alarm could be there",
            highlight=False,
        )
    if evaluation.too_short:
        console.print(
            f"{len(evaluation.too_short)} stretches are too short for any clip and are not counted",
            highlight=False,
        )


def print_background(console: Console, evaluation: BackgroundEvaluation) -> None:
    """Print what each label of the model took, and what would start in background clips."""
    for each in evaluation.answers:
        console.print(
            f"{each.label}, {each.clips} clips; highest of all labels: {_counts(each.highest)}"
            + (f"; nobody scored: {each.unanswered}" if each.unanswered else "")
            + (
                f"; above the background: {_counts(each.above_background)}"
                if each.above_background
                else ""
            ),
            markup=False,
            highlight=False,
        )
    if evaluation.starts is not None:
        print_negatives(console, evaluation.starts, "What would start in background clips")


def background_document(evaluation: BackgroundEvaluation) -> dict[str, Any]:
    """Build the keys `answers` and `background`."""
    starts = evaluation.starts
    return {
        "answers": [asdict(each) for each in evaluation.answers],
        "background": None if starts is None else negatives_document(starts),
    }


def _counts(counts: Mapping[str, int]) -> str:
    """List the labels with most clips first."""
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    shown = [f"{label} {count}" for label, count in ranked[:MOST_LABELS]]
    more = len(ranked) - MOST_LABELS
    return ", ".join(shown + ([f"{more} labels more"] if more > 0 else [])) or "none"


def print_negatives(console: Console, result: NegativeResult, title: str) -> None:
    """Print rates with exact intervals, the kinds that alarm first, and every alarm's place."""
    total = result.total
    minutes = 60 * total.hours
    heading = f"{title}: {len(result.negatives)} stretches, {minutes:.1f} minutes"
    table = Table("action", "alarms", "per hour", "95 % interval", title=heading)
    table.add_column("stretches with one")
    table.add_column("95 % interval")
    for rate in (*(each for each in result.rates if each.alarms), total):
        table.add_row(*_rate_row(rate))
    console.print(table)
    console.print(f"all judged actions: {total.sentence()}", highlight=False)
    quiet = [rate for rate in result.rates if not rate.alarms]
    for sentence in dict.fromkeys(rate.sentence() for rate in quiet if total.alarms):
        names = [str(rate.action) for rate in quiet if rate.sentence() == sentence]
        console.print(f"{', '.join(names)}: {sentence}", markup=False, highlight=False)
    console.print(_kinds(result))
    if total.alarms:
        console.print(_alarms(result))
        more = total.alarms - MOST_ALARMS
        if more > 0:
            console.print(f"and {more} more alarms: --json lists all", highlight=False)
    if result.without_rules:
        console.print(
            f"{result.without_rules} of the alarms, marked *, are of people with too few scores "
            "for the decision rules: their mean score reaches the start threshold",
            highlight=False,
        )


def negatives_document(result: NegativeResult) -> dict[str, Any]:
    """Build the JSON object about false alarms."""
    return {
        "stretches": len(result.negatives),
        "total": _rate_document(result.total),
        "actions": {str(rate.action): _rate_document(rate) for rate in result.rates},
        "kinds": [
            {
                "kind": each.kind,
                **_rate_document(each.rate),
                "highest": None if each.peak is None else _peak(each.peak),
                "highest_in": None if each.peak_in is None else str(each.peak_in.path),
            }
            for each in result.kinds
        ],
        "alarms": [
            {**_place(negative), **asdict(alarm), "score": round(alarm.score, 4)}
            for negative, alarm in result.alarmed
        ],
        "videos": [
            {
                **_place(one),
                "seconds": round(one.seconds, 3),
                "alarms": len(one.alarms),
                "true_actions": sorted(one.true_actions),
                "highest": [_peak(peak) for peak in one.peaks],
            }
            for one in result.negatives
        ],
    }


def everyday_document(evaluation: EverydayEvaluation) -> dict[str, Any]:
    """Build the value of the key `everyday`."""
    return {
        **negatives_document(evaluation.result),
        "too_short": [str(sample.path) for sample in evaluation.too_short],
        "without_people": evaluation.without_people,
    }


def _rate_row(rate: AlarmRate) -> list[str]:
    span = rate.per_hour_interval
    of_stretches = rate.alarmed_interval
    return [
        "any of these" if rate.action is None else escape(rate.action),
        str(rate.alarms),
        number(rate.per_hour),
        "-" if span is None else f"{number(span.low)} to {number(span.high)}",
        f"{rate.alarmed} ({percent(rate.alarmed_fraction)})",
        "-"
        if of_stretches is None
        else f"{percent(of_stretches.low)} to {percent(of_stretches.high)}",
    ]


def _kinds(result: NegativeResult) -> Table:
    table = Table("kind", "stretches", "minutes", "alarms", "per hour", title="By kind")
    for name in ("highest score", "of", "in", "at"):
        table.add_column(name, overflow="fold")
    for each in result.kinds:
        peak, where = each.peak, each.peak_in
        highest = ["-", "-", "-", "-"]
        if peak is not None and where is not None:
            highest = [
                f"{peak.score:.2f}",
                escape(peak.action),
                escape(where.path.name),
                f"{peak.at_s:.1f} s",
            ]
        table.add_row(
            escape(each.kind),
            str(each.rate.negatives),
            f"{60 * each.rate.hours:.1f}",
            str(each.rate.alarms),
            number(each.rate.per_hour),
            *highest,
        )
    return table


def _alarms(result: NegativeResult) -> Table:
    table = Table("kind", "action", "from", "to", "score", title="Alarms, to be looked at")
    table.add_column("video", overflow="fold")
    for negative, alarm in result.alarmed[:MOST_ALARMS]:
        source = "" if negative.source is None else f" ({negative.source})"
        table.add_row(
            escape(negative.kind),
            escape(alarm.action),
            f"{alarm.start_s:.1f} s",
            f"{alarm.end_s:.1f} s",
            f"{alarm.score:.2f}{_mark(alarm)}",
            escape(f"{negative.path}{source}"),
        )
    return table


def _mark(alarm: Alarm) -> str:
    return "" if alarm.by_rules else "*"


def _rate_document(rate: AlarmRate) -> dict[str, Any]:
    return {
        "stretches": rate.negatives,
        "hours": rate.hours,
        "alarms": rate.alarms,
        "per_hour": rate.per_hour,
        "per_hour_interval": _bounds(rate.per_hour_interval),
        "stretches_with_alarm": rate.alarmed,
        "fraction_with_alarm": rate.alarmed_fraction,
        "fraction_interval": _bounds(rate.alarmed_interval),
        "sentence": rate.sentence(),
    }


def _bounds(span: Interval | None) -> list[float] | None:
    return None if span is None else [span.low, span.high]


def _place(negative: Negative) -> dict[str, Any]:
    return {"path": str(negative.path), "source": negative.source, "kind": negative.kind}


def _peak(peak: Peak) -> dict[str, Any]:
    return {"action": peak.action, "score": round(peak.score, 4), "at": round(peak.at_s, 3)}
