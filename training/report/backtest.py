"""A back-test as tables for people, on standard output."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.backtest.comparison import Comparison
from pipeline.backtest.occurrences import Occurrence, OccurrenceKind
from pipeline.printable import printable
from pipeline.time_text import format_media_time
from training.console import number, percent, seconds

if TYPE_CHECKING:  # scipy, which only labels need
    from training.evaluation.backtest_scores import Judgement
    from training.metrics.resampling import Interval

MOST_TIMES = 12  # in a cell; --output has all
_KINDS: tuple[tuple[OccurrenceKind, str], ...] = (("alarm", "Alarms"), ("action", "Actions"))
_Row = tuple[str, str, str]  # name, camera, hour


def print_occurrences(
    console: Console, occurrences: Sequence[Occurrence], zone: tzinfo | None
) -> None:
    """Print what a configuration reports, per rule or action, camera and hour.

    Args:
        console: standard output.
        occurrences: of one configuration.
        zone: of the times of day; None: local time.
    """
    for kind, title in _KINDS:
        rows = _by_row([one for one in occurrences if one.kind == kind], zone)
        if not rows:
            continue
        table = _table(f"{title}: {sum(map(len, rows.values()))}", kind)
        table.add_column("count", justify="right")
        table.add_column("at")
        for row, mine in rows.items():
            table.add_row(*map(_text, row), str(len(mine)), _text(_times(mine, zone)))
        console.print(table)
    if not occurrences:
        console.print("no alarm and no action")


def print_comparison(console: Console, comparison: Comparison, zone: tzinfo | None) -> None:
    """Print what is added, removed and kept, per rule or action, camera and hour."""
    for kind, title in _KINDS:
        kept = _by_row([one for _, one in comparison.kept if one.kind == kind], zone)
        added = _by_row([one for one in comparison.added if one.kind == kind], zone)
        removed = _by_row([one for one in comparison.removed if one.kind == kind], zone)
        rows = sorted({*kept, *added, *removed})
        if not rows:
            continue
        counts = [sum(map(len, each.values())) for each in (kept, added, removed)]
        table = _table(
            f"{title} against the other configuration: {counts[0]} kept, {counts[1]} added, "
            f"{counts[2]} removed",
            kind,
        )
        for name in ("kept", "added", "removed"):
            table.add_column(name)
        for row in rows:
            cells = [_text(_times(each.get(row, []), zone)) for each in (kept, added, removed)]
            table.add_row(*map(_text, row), *cells)
        console.print(table)
    if not (comparison.kept or comparison.added or comparison.removed):
        console.print("no alarm and no action under either configuration")


def print_judgement(console: Console, judgement: Judgement, title: str) -> None:
    """Print precision, recall and false alarms with exact intervals, and what was not judged."""
    table = Table("", "name", "true", "found", "wrong", title=title)
    for name in ("recall", "precision", "false per hour", "delay"):
        table.add_column(f"{name} (95 %)" if name != "delay" else "median delay")
    for rule in judgement.rules:
        counts = rule.counts
        table.add_row(
            rule.kind,
            _text(counts.action),
            str(counts.truths),
            str(counts.matched),
            str(counts.wrong),
            _with_bounds(counts.recall, rule.recall_interval),
            _with_bounds(counts.precision, rule.precision_interval),
            _rate(counts.false_alarms_per_hour, rule.rate_interval),
            seconds(counts.delay_s(0.5)),
        )
    console.print(table)
    if judgement.rules:
        hours = judgement.rules[0].counts.camera_hours
        console.print(f"on {hours:.2f} labelled camera hours", highlight=False)
    for what, names in (
        ("no label stands for (--alias LABEL=NAME)", judgement.not_judged),
        ("cameras without labels, not judged", judgement.unlabelled),
        ("labels without observations, not counted", [one.origin for one in judgement.unseen]),
    ):
        if names:
            console.print(f"{what}: {', '.join(map(printable, names))}", markup=False)


def _table(title: str, kind: OccurrenceKind) -> Table:
    return Table("rule" if kind == "alarm" else kind, "camera", "hour", title=title)


def _by_row(occurrences: Sequence[Occurrence], zone: tzinfo | None) -> dict[_Row, list[Occurrence]]:
    rows: dict[_Row, list[Occurrence]] = defaultdict(list)
    for one in sorted(occurrences, key=lambda one: (one.start_at or 0.0, one.start_pts_s)):
        rows[one.name, one.camera_id, _hour(one, zone)].append(one)
    return dict(sorted(rows.items()))


def _hour(one: Occurrence, zone: tzinfo | None) -> str:
    if one.start_at is None:
        return f"hour {int(one.start_pts_s // 3600)}"
    return f"{_local(one.start_at, zone):%Y-%m-%d %H:00}"


def _times(occurrences: Sequence[Occurrence], zone: tzinfo | None) -> str:
    shown = [_time(one, zone) for one in occurrences[:MOST_TIMES]]
    more = len(occurrences) - MOST_TIMES
    return ", ".join([*shown, f"{more} more"] if more > 0 else shown)


def _time(one: Occurrence, zone: tzinfo | None) -> str:
    if one.start_at is None:
        at = format_media_time(one.start_pts_s)
    else:
        at = f"{_local(one.start_at, zone):%H:%M:%S}"
    return at if one.score is None else f"{at} ({one.score:.2f})"


def _local(unix_s: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC).astimezone(zone)


def _text(text: str) -> Text:
    """Return a cell in which nothing is markup or moves the cursor."""
    return Text(printable(text))


def _with_bounds(value: float | None, bounds: Interval | None) -> str:
    if value is None or bounds is None:
        return "-"
    return f"{percent(value)} ({percent(bounds.low)} to {percent(bounds.high)})"


def _rate(value: float | None, bounds: Interval | None) -> str:
    if value is None or bounds is None:
        return "-"
    return f"{number(value)} ({number(bounds.low)} to {number(bounds.high)})"
