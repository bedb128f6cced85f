"""A training run says what it used its data for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from models.checkpoints.checkpoint import save_recognizer
from tests.training.factories import tiny_model
from training.fitting.registered_run import RunOrigin, run_entries
from training.fitting.run_report import RunReport, SplitReport
from training.fitting.validation import Validation
from training.labels.fingerprints import video_fingerprint
from training.labels.samples import Sample


def test_every_split_is_an_entry_with_its_purpose(tmp_path: Path) -> None:
    save_recognizer(tmp_path / "model.safetensors", tiny_model())
    samples = []
    for name, split in (("a", "train"), ("b", "train"), ("c", "val")):
        (tmp_path / f"{name}.mp4").write_text(name)
        sample = Sample(tmp_path / f"{name}.mp4", ("walk",), group="g" if name == "b" else None)
        samples.append(replace(sample, split=split))
    validation = SplitReport("val", Validation(samples=1, loss=0.5, top1=0.75), ())
    report = RunReport(
        model="mine", started_from="start", labels=("walk",), multi_label=False, samples=Counter(),
        whole_frames=0, left_out=(), epochs=1, best_epoch=1, splits=(validation,),
    )  # fmt: skip
    origin = RunOrigin((tmp_path / "labels.csv",), tmp_path / "model.safetensors", "train")
    trained, chose = run_entries(origin, samples, report)
    assert (trained.purpose, trained.clips, trained.groups) == ("trained on", 2, 2)
    assert (chose.purpose, chose.numbers) == ("chose the epoch", {"top1": 0.75})
    assert chose.videos == (video_fingerprint(tmp_path / "c.mp4"),)
    assert trained.weights == chose.weights
