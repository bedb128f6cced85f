"""The evaluation as one HTML file that needs nothing else: tables, plots and images."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.console import number, percent, seconds
from training.evaluation.calibration import Calibration
from training.evaluation.clip_results import ClipEvaluation, FoldResult, GroupSpread, group_spread
from training.evaluation.videos import EventEvaluation
from training.report.plots import reliability_svg, threshold_svg
from training.report.tables import calibration_text, nobody_text

SHOWN_GROUPS = 30
MOST_CLASSES = 60  # of a confusion matrix that is shown; the JSON has any
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True, eq=False)
class MistakeImage:
    """An image of one mistake."""

    title: str
    where: str
    jpeg: bytes | None  # None: the video shows nothing there


@dataclass(frozen=True, slots=True)
class ReportHead:
    """What was evaluated, in words."""

    model: str
    command: str
    data: str
    split: str | None
    how: str  # how clips were made into scores; a sentence
    notes: tuple[str, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ClipPage:
    """What the report shows of clips."""

    result: ClipEvaluation
    mistakes: tuple[MistakeImage, ...]  # of clips that are wrong
    folds: tuple[FoldResult, ...] = ()
    calibration: Calibration | None = None

    @property
    def calibration_text(self) -> str:
        """What temperatures are worth, as sentences."""
        return "" if self.calibration is None else calibration_text(self.calibration)

    @property
    def nobody(self) -> str:
        """In how many clips no person was tracked, as a sentence."""
        text = nobody_text(self.result)
        return f"{text[0].upper()}{text[1:]}."

    @property
    def wrong(self) -> int:
        """Number of clips that are wrong."""
        return int((~self.result.clips.hits()).sum())

    @property
    def confusion_rows(self) -> list[tuple[str, list[tuple[int, float]]]]:
        """Classes that occur, with count and fraction of the row in each cell.

        No rows where there is no matrix, or one that is too large to read.
        """
        if self.result.confusion is None or len(self.result.clips.classes) > MOST_CLASSES:
            return []
        counts = self.result.confusion if self.has_silent_column else self.result.confusion[:, :-1]
        rows = []
        for label, row in zip(self.result.clips.classes, counts.tolist(), strict=True):
            if any(row):
                rows.append((label, [(count, count / sum(row)) for count in row]))
        return rows

    @property
    def has_silent_column(self) -> bool:
        """True if some clips have no answer."""
        return self.result.confusion is not None and bool(self.result.confusion[:, -1].any())

    @property
    def reliability(self) -> str:
        """Reliability diagram as SVG."""
        return reliability_svg(self.result.calibration)

    @property
    def spread(self) -> GroupSpread:
        """How far groups differ in top-1."""
        return group_spread(self.result.per_group)


@dataclass(frozen=True, slots=True, eq=False)
class EventPage:
    """What the report shows of long videos."""

    result: EventEvaluation
    mistakes: tuple[MistakeImage, ...]  # of events that are wrong

    @property
    def curves(self) -> list[tuple[str, str]]:
        """Threshold curves: action and SVG."""
        target = self.result.false_alarms_per_hour
        return [(each.action, threshold_svg(each, target)) for each in self.result.actions]


def render_report(head: ReportHead, clips: ClipPage | None, events: EventPage | None) -> str:
    """Render one HTML document; every text in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "number": number,
        "seconds": seconds,
        "words": lambda name: name.replace("_", " "),
        "base64": lambda data: base64.b64encode(data).decode(),
    }
    template = environment.get_template("evaluation.html.j2")
    return template.render(head=head, clips=clips, events=events, shown_groups=SHOWN_GROUPS)
