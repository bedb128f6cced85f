"""The plots of the report as SVG texts."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.clip_results import CalibrationBin
from training.evaluation.threshold_search import RuleCounts
from training.evaluation.videos import ActionEvents

BLUE, ORANGE, GREY, RED = "#2563eb", "#d97706", "#9ca3af", "#b91c1c"
# Letters stay letters, and the same numbers give the same file.
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "behaviour-stream",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def reliability_svg(bins: Sequence[CalibrationBin]) -> str:
    """Plot accuracy over confidence; below, the number of answers."""

    def draw(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        used = [each for each in bins if each.count]
        confidence, accuracy = [each.confidence for each in used], [each.accuracy for each in used]
        upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
        upper.plot(confidence, accuracy, color=BLUE, marker="o", markersize=4)
        upper.set(ylabel="fraction that is right", xlim=(0, 1), ylim=(0, 1.02))
        width = bins[0].high - bins[0].low if bins else 1.0
        middles = [(each.low + each.high) / 2 for each in used]
        lower.bar(middles, [each.count for each in used], width * 0.9, color=BLUE)
        lower.set(xlabel="confidence", ylabel="answers")

    return _svg(draw, (4.2, 4.2))


def threshold_svg(action: ActionEvents, target: float | None) -> str:
    """Plot recall, precision and false alarms per hour over the start threshold."""

    def draw(figure: Figure) -> None:
        starts = [point.rule.start_threshold for point in action.curve]
        if not action.counts.truths:
            _draw_alarms(figure.subplots(), action, target)
            return
        upper, lower = figure.subplots(2, 1, sharex=True)
        _line(upper, starts, [point.counts.recall for point in action.curve], BLUE, "recall")
        precisions = [point.counts.precision for point in action.curve]
        _line(upper, starts, precisions, ORANGE, "precision")
        upper.set(ylim=(-0.03, 1.05), xlim=(0, 1))
        upper.axvline(action.rule.start_threshold, color=GREY, linestyle=":", linewidth=1)
        upper.legend(frameon=False, loc="best")
        _draw_alarms(lower, action, target)

    return _svg(draw, (4.6, 3.6 if action.counts.truths else 2.2))


def _draw_alarms(axes: Axes, action: ActionEvents, target: float | None) -> None:
    starts = [point.rule.start_threshold for point in action.curve]
    axes.plot(starts, [_rate(point) for point in action.curve], color=RED, marker=".")
    axes.set(ylabel="false alarms / hour", xlabel="start threshold", xlim=(0, 1))
    axes.set_yscale("symlog", linthresh=1.0)  # a straight line down to none
    axes.set_ylim(bottom=0)
    axes.axvline(action.rule.start_threshold, color=GREY, linestyle=":", linewidth=1)
    if target is not None:
        axes.axhline(target, color=GREY, linestyle="--", linewidth=1)


def _line(
    axes: Axes, starts: Sequence[float], values: Sequence[float | None], color: str, label: str
) -> None:
    known = [(x, y) for x, y in zip(starts, values, strict=True) if y is not None]
    if known:
        axes.plot(*zip(*known, strict=True), color=color, marker=".", label=label)


def _rate(point: RuleCounts) -> float:
    return point.counts.false_alarms_per_hour or 0.0


def _svg(draw: Callable[[Figure], None], inches: tuple[float, float]) -> str:
    text = io.StringIO()
    with rc_context(STYLE):
        figure = Figure(figsize=inches, layout="constrained")
        draw(figure)
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]  # without the XML declaration, which HTML does not want
