"""A pretraining run."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.checkpoints.checkpoint import load_recognizer
from pipeline.errors import ConfigError
from tests.training.factories import write_scene
from tests.training.pretraining.made_teachers import write_frame_teacher
from training.labels.samples import DataError
from training.pretraining.run import PretrainingRequest, pretrain


def made_request(folder: Path, *, clips: int = 3) -> PretrainingRequest:
    rows = ["path,label,box"]
    for number in range(clips):
        write_scene(folder / f"{number}.mp4", level=60 * number, step=number)
        rows.append(f'{number}.mp4,any{number % 2},"10,10,40,60"')
    (folder / "labels.csv").write_text("\n".join(rows))
    return PretrainingRequest(
        data=(folder / "labels.csv",),
        output=folder / "run" / "pretrained.safetensors",
        frame_teachers=(write_frame_teacher(folder / "teacher.xml"),),
        stream_teachers=(),
        config=None,
        settings=(
            "model.architecture=slowfast_compact",
            "input.crop_size=32",
            "loop.batch_size=2",
            f"data.cache={folder}/cache",
        ),
        videos=None,
        steps=1,
        learning_rate=1e-3,
        print_every=1,
    )


def test_a_run_leaves_weights_that_training_starts_from(tmp_path: Path) -> None:
    lines: list[str] = []
    request = made_request(tmp_path)
    pretrain(request, lines.append)
    model = load_recognizer(request.output)
    assert model.input_spec.crop_size == 32
    assert lines[0] == "3 people and groups in 3 samples"
    assert lines[1] == "teacher.xml: features of 0 of 3 clips"
    assert lines[-2].startswith("step 1 of 1: loss ")
    assert str(request.output) in lines[-1]
    again: list[str] = []
    pretrain(request, again.append)
    assert not [line for line in again if "features of" in line]  # kept from the first run


def test_without_a_teacher_there_is_nothing_to_learn(tmp_path: Path) -> None:
    request = PretrainingRequest((), tmp_path / "o", (), (), None, (), None, 1, 1e-3, 1)
    with pytest.raises(ConfigError, match="--frame-teacher or --stream-teacher"):
        pretrain(request, print)


def test_fewer_clips_than_a_batch_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 people .* fewer than loop\.batch_size 2"):
        pretrain(made_request(tmp_path, clips=1), print)
