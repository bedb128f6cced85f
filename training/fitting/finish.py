"""The end of a run: the model file, what it is worth, and nothing else left."""

from __future__ import annotations

import logging
from collections import Counter

from models.checkpoints.checkpoint import load_recognizer, save_recognizer
from models.inference.action_recognizer import ActionRecognizer
from training.config import NetworkConfig
from training.crops.preparation import Prepared
from training.crops.training_data import LabelledData, tracks_of
from training.fitting.epochs import best_model
from training.fitting.run_report import RunReport, SplitReport, report_split
from training.fitting.run_state import BEST, MODEL, STATE, RunState
from training.fitting.validation import score_samples
from training.fitting.worker import TrainingJob
from training.labels.samples import Split

HELD_OUT: tuple[Split, ...] = ("val", "test")

log = logging.getLogger(__name__)


def origin_of(section: NetworkConfig) -> str:
    """What the weights come from, for people."""
    return section.weights if section.architecture is None else f"scratch ({section.architecture})"


def finish(job: TrainingJob, data: LabelledData, prepared: Prepared, device: str) -> None:
    """Write the model, measure the file as it was written, report, and tidy up.

    Args:
        job: whose run is over.
        data: what was learned from.
        prepared: its people.
        device: for the measuring.
    """
    output = job.output
    state, _ = RunState.load(output)
    unfinished = output / f"unfinished.{MODEL}"
    save_recognizer(unfinished, best_model(job.model, output), half=job.config.model.half)
    recognizer = ActionRecognizer(load_recognizer(unfinished), device=device)
    report = RunReport(
        model=job.model.input_spec.name,
        started_from=origin_of(job.config.model),
        labels=data.labels,
        multi_label=data.multi_label,
        samples=_counts(prepared),
        whole_frames=len({track.sample for track in prepared.tracks if track.whole_frame}),
        left_out=tuple(str(failure) for failure in prepared.failures),
        epochs=state.epoch,
        best_epoch=state.best_epoch + 1,
        splits=_measure(recognizer, data, prepared),
    )
    report.write(output)
    unfinished.replace(output / MODEL)
    for name in (STATE, BEST):  # with the model there is nothing to go on with
        (output / name).unlink()


def _measure(
    recognizer: ActionRecognizer, data: LabelledData, prepared: Prepared
) -> tuple[SplitReport, ...]:
    reports = []
    for split in HELD_OUT:
        tracks = tracks_of(prepared, split)
        if tracks:
            found = score_samples(recognizer, tracks)
            reports.append(report_split(split, found, data.labels, multi_label=data.multi_label))
            log.info("%s: %s", split, reports[-1].validation.describe())
    return tuple(reports)


def _counts(prepared: Prepared) -> Counter[tuple[str, str]]:
    """Usable samples by split and label."""
    used = dict.fromkeys(track.sample for track in prepared.tracks)
    return Counter((str(one.split), label) for one in used for label in one.labels)
