"""The compact detector's training, with a made-up teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.detector import loop as detector_training
from training.detector.export import load_student, shift_person, to_openvino
from training.detector.loop import DetectorPlan, DetectorTrainer
from training.detector.student import new_student, student_outputs
from training.detector.teacher import BLOCKS, STRIDES, DetectorOutputs, Teacher

SIZE = 64
CHANNELS = {2: 64, 4: 128, 6: 128, 8: 256, 10: 256, 13: 128, 16: 64, 19: 128, 22: 256}
STRIDE = {2: 4, 4: 8, 6: 16, 8: 32, 10: 32, 13: 16, 16: 8, 19: 16, 22: 32}


class MadeUpTeacher:
    """Output that depends on the image alone."""

    def __init__(self, folder: Path, size: int) -> None:
        self._size = size

    def __call__(self, images: NDArray[np.float32]) -> DetectorOutputs:
        made = torch.Generator().manual_seed(int(images.sum()) % 10_000)

        def some(*shape: int) -> torch.Tensor:
            return torch.randn(len(images), *shape, generator=made)

        features = {
            layer: some(CHANNELS[layer], self._size // STRIDE[layer], self._size // STRIDE[layer])
            for layer in BLOCKS
        }
        locations = sum((self._size // stride) ** 2 for stride in STRIDES)
        halved = {layer: feature.bfloat16() for layer, feature in features.items()}
        return DetectorOutputs(halved, some(64, locations), some(1, locations) - 2)


def trainer(monkeypatch: pytest.MonkeyPatch, steps: int = 4) -> DetectorTrainer:
    monkeypatch.setattr(detector_training, "Teacher", MadeUpTeacher)
    plan = DetectorPlan(steps, batch_size=2, view_size=SIZE, shown_at=SIZE)

    def draw(rng: np.random.Generator) -> NDArray[np.uint8]:
        return rng.integers(0, 256, (80, 100, 3), np.uint8)

    return DetectorTrainer(plan, Path("nowhere"), draw)


def test_an_interrupted_run_resumes_without_a_difference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = trainer(monkeypatch)
    list(whole.run())
    broken_off = trainer(monkeypatch)
    for _ in broken_off.run():
        if broken_off.step == 2:
            break
    torch.save(broken_off.state(), tmp_path / "last.pt")
    resumed = trainer(monkeypatch)
    resumed.restore(torch.load(tmp_path / "last.pt", weights_only=True))
    assert len(list(resumed.run())) == 2
    for name, weight in whole.averaged.state_dict().items():
        assert torch.equal(weight, resumed.averaged.state_dict()[name]), name


def test_a_loss_that_is_no_number_stops_the_run_with_its_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoiled = trainer(monkeypatch)
    with torch.no_grad():
        next(spoiled._model.parameters()).fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="step 0"):
        next(spoiled.run())


def test_the_plan_warms_up_falls_to_almost_nothing_and_ends_at_the_size_of_use() -> None:
    plan = DetectorPlan(1000)
    rates = [plan.rate_factor(step) for step in range(1001)]
    assert rates[0] < 0.01
    assert max(rates) > 0.9
    assert rates[-1] == pytest.approx(0.01)
    assert (plan.size(949), plan.size(950)) == (320, 416)
    assert plan.teacher_prob(0) == 1
    assert plan.teacher_prob(350) == 0 == plan.teacher_prob(999)
    assert plan.features_weight(0) > plan.features_weight(1000) > 0


def test_the_student_answers_as_its_own_forward_pass_does() -> None:
    model = new_student(seed=0).eval()
    images = torch.rand(2, 3, SIZE, SIZE)
    with torch.inference_mode():
        got = student_outputs(model, images)
        logits: dict[str, Any] = model(images)[1]
    assert torch.equal(got.boxes, logits["boxes"])
    assert torch.equal(got.person, logits["scores"])
    shapes = {layer: tuple(feature.shape[1:]) for layer, feature in got.features.items()}
    sides = {layer: SIZE // stride for layer, stride in STRIDE.items()}
    assert shapes == {layer: (CHANNELS[layer], sides[layer], sides[layer]) for layer in BLOCKS}


def test_what_the_teacher_gives_replaces_the_students_own_for_the_layers_behind() -> None:
    model = new_student(seed=0).eval()
    images = torch.rand(2, 3, SIZE, SIZE)
    taught = MadeUpTeacher(Path(), SIZE)(images.numpy()).features
    no_person = {layer: torch.zeros(2, 1, 1, 1, dtype=torch.bool) for layer in BLOCKS}
    second = no_person | {10: torch.tensor([False, True]).view(2, 1, 1, 1)}
    with torch.inference_mode():
        alone = student_outputs(model, images)
        same, given = (
            student_outputs(model, images, taught, which) for which in (no_person, second)
        )
    assert torch.equal(alone.boxes, same.boxes)
    assert torch.equal(alone.features[10], given.features[10])  # its own is what is compared
    assert torch.equal(alone.boxes[0], given.boxes[0])
    assert not torch.equal(alone.features[13][1], given.features[13][1])
    assert not torch.equal(alone.boxes[1], given.boxes[1])


def test_the_exported_network_outputs_what_the_trained_one_outputs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained = trainer(monkeypatch, steps=1)
    list(trained.run())
    torch.save(trained.state(), tmp_path / "last.pt")
    image = torch.rand(1, 3, SIZE, SIZE)
    with torch.inference_mode():
        wanted = trained.averaged.eval()(image)[0].numpy()
    exported = to_openvino(load_student(tmp_path / "last.pt"), SIZE)
    openvino = pytest.importorskip("openvino")
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    got = openvino.Core().compile_model(exported, "CPU", precise)([image.numpy()])[0]
    assert got.shape == (1, 5, 8 * 8 + 4 * 4 + 2 * 2)
    np.testing.assert_allclose(got[:, :4], wanted[:, :4], atol=0.05)  # pixels
    np.testing.assert_allclose(got[:, 4], wanted[:, 4], atol=1e-3)


@pytest.mark.slow
def test_the_teacher_outputs_at_every_size_what_its_whole_network_outputs_at_640(
    shared_data: Path,
) -> None:
    folder = shared_data / "data/weights/yolo11n_int8_openvino_model"
    image = np.random.default_rng(0).random((1, 3, 640, 640), np.float32)
    openvino = pytest.importorskip("openvino")
    whole = openvino.Core().compile_model(next(folder.glob("*.xml")), "CPU")([image])[0]
    large = Teacher(folder, 640)(image)
    # Threads and fused steps differ, and INT8 rounds either way.
    np.testing.assert_allclose(large.person[0, 0].sigmoid(), whole[0, 4], atol=0.02)
    small = Teacher(folder, 96)(image[:, :, :96, :96])
    assert small.person.shape == (1, 1, 12 * 12 + 6 * 6 + 3 * 3)
    assert small.features[10].shape == (1, 256, 3, 3)


def test_a_folder_without_a_model_is_no_teacher(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no OpenVINO model"):
        Teacher(tmp_path, 320)


def test_a_shift_raises_every_confidence_and_moves_no_box() -> None:
    model, images = new_student(seed=0).eval(), torch.rand(1, 3, SIZE, SIZE)
    with torch.inference_mode():
        before = student_outputs(model, images)
        shift_person(model, 0.5)
        after = student_outputs(model, images)
    torch.testing.assert_close(after.person, before.person + 0.5)
    torch.testing.assert_close(after.boxes, before.boxes)
