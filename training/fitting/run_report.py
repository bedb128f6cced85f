"""The report of a finished run: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.inference.action_recognizer import ActionRecognizer
from training.crops.clip_choice import ViewChoice
from training.crops.preparation import Prepared
from training.crops.training_data import LabelledData, tracks_of
from training.fitting.run_state import RunState
from training.fitting.validation import (
    Counts,
    SampleScore,
    Validation,
    confusion,
    measure,
    score_samples,
)
from training.labels.samples import Split

HELD_OUT: tuple[Split, ...] = ("val", "test")
SHOWN_WRONG = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class SplitReport:
    """How the model does on one split."""

    split: Split
    validation: Validation
    found: Sequence[SampleScore]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunReport:
    """Everything that is reported."""

    model: str
    started_from: str
    labels: tuple[str, ...]
    multi_label: bool
    samples: Counter[tuple[str, str]]  # by split and label
    whole_frames: int  # samples in which no person was tracked
    left_out: tuple[str, ...]  # samples that could not be used, with the reason
    epochs: int  # that were trained
    best_epoch: int  # counted from 1; its weights are kept
    splits: tuple[SplitReport, ...]

    def write(self, folder: Path) -> None:
        """Write report.md and report.json."""
        (folder / "report.md").write_text(self.to_markdown(), encoding="utf-8")
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")

    def to_markdown(self) -> str:
        """Format the report for people."""
        parts = [
            f"# {self.model}",
            f"Trained from {self.started_from}; {self.epochs} epochs, the weights are those of "
            f"epoch {self.best_epoch}.",
            self._sample_table(),
            *(self._split_text(one) for one in self.splits),
        ]
        if not self.splits:
            parts.append("Nothing was held out, so its accuracy is unknown.")
        if self.whole_frames:
            parts.append(f"In {self.whole_frames} samples no person was tracked: the whole frame.")
        if self.left_out:
            parts.append("## Left out\n\n" + "\n".join(f"* {text}" for text in self.left_out))
        return "\n\n".join(parts) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "model": self.model,
            "started_from": self.started_from,
            "labels": self.labels,
            "multi_label": self.multi_label,
            "samples": [
                {"split": split, "label": label, "count": count}
                for (split, label), count in sorted(self.samples.items())
            ],
            "whole_frames": self.whole_frames,
            "left_out": self.left_out,
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "splits": {one.split: self._split_json(one) for one in self.splits},
        }

    def _sample_table(self) -> str:
        splits = [
            name for name in ("train", "val", "test") if any(s == name for s, _ in self.samples)
        ]
        rows = [[label, *(str(self.samples[s, label]) for s in splits)] for label in self.labels]
        return "## Samples\n\n" + table(["label", *splits], rows)

    def _split_text(self, one: SplitReport) -> str:
        chosen = ""
        if one.split == "val":
            chosen = " The epoch was chosen by these samples, so the numbers flatter a little."
        text = f"## {one.split}\n\n{one.validation.samples} samples: {one.validation.describe()}."
        parts = [text + chosen]
        if not self.multi_label:
            parts.append(confusion_table(self.labels, confusion(one.found, self.labels)))
            wrong = [each for each in one.found if self._said(each) != each.sample.labels[0]]
            if wrong:
                rows = [
                    [str(each.sample.path), each.sample.labels[0], self._said(each)]
                    for each in wrong[:SHOWN_WRONG]
                ]
                parts.append("Wrong:\n\n" + table(["clip", "truth", "said"], rows))
        return "\n\n".join(parts)

    def _said(self, one: SampleScore) -> str:
        return self.labels[int(one.scores.argmax())]

    def _split_json(self, one: SplitReport) -> dict[str, Any]:
        clips = [
            {
                "path": str(each.sample.path),
                "truth": each.sample.labels,
                "scores": [round(float(score), 4) for score in each.scores],
            }
            for each in one.found
        ]
        return {**asdict(one.validation), "clips": clips}


def report_run(
    recognizer: ActionRecognizer,
    data: LabelledData,
    prepared: Prepared,
    state: RunState,
    *,
    started_from: str,
    choice: ViewChoice | None = None,
) -> RunReport:
    """Measure a trained model on the samples that were held out.

    Args:
        recognizer: the model as it was written.
        data: what it was trained and is tested on.
        prepared: the people of `data`.
        state: of the complete run.
        started_from: where the first weights came from.
        choice: of the views that are scored; None: every half second.
    """
    used = dict.fromkeys(track.sample for track in prepared.tracks)
    splits = []
    for split in HELD_OUT:
        tracks = tracks_of(prepared, split)
        if tracks:
            found = score_samples(recognizer, tracks, choice)
            splits.append(report_split(split, found, data.labels, multi_label=data.multi_label))
            log.info("%s: %s", split, splits[-1].validation.describe())
    return RunReport(
        model=recognizer.spec.name,
        started_from=started_from,
        labels=data.labels,
        multi_label=data.multi_label,
        samples=Counter((str(one.split), label) for one in used for label in one.labels),
        whole_frames=len({track.sample for track in prepared.tracks if track.whole_frame}),
        left_out=tuple(str(failure) for failure in prepared.failures),
        epochs=state.epoch,
        best_epoch=state.best_epoch + 1,
        splits=tuple(splits),
    )


def report_split(
    split: Split, found: Sequence[SampleScore], labels: Sequence[str], *, multi_label: bool
) -> SplitReport:
    """Measure one split."""
    return SplitReport(split, measure(found, labels, multi_label=multi_label), found)


def confusion_table(labels: Sequence[str], counts: Counts) -> str:
    """Format rows of truth and columns of predictions; rows without samples are skipped."""
    rows = [
        [label, *(str(count) if count else "" for count in row), f"{right / row.sum():.0%}"]
        for label, row, right in zip(labels, counts, counts.diagonal(), strict=True)
        if row.sum()
    ]
    return table(["truth \\ said", *labels, "right"], rows)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table in Markdown."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])
