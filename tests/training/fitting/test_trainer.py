"""Steps of the optimiser on a few made clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from models.slowfast.recognizer3d import Recognizer3D
from pipeline.errors import ConfigError
from tests.training.factories import CROP, float32_fabric, tiny_model
from training.fitting.clip_dataset import Batch
from training.fitting.optimization import LearningRateSchedule, OptimizerSpec
from training.fitting.trainer import Trainer, TrainerSpec

SPEC = TrainerSpec(schedule=LearningRateSchedule(steps=100, warm_up_fraction=0.0))


def made_clips(count: int = 2) -> Tensor:
    """Dark and bright ones in turn, with noise."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 40, (count, 16, CROP, CROP, 3), generator=generator)
    return (noise + 200 * (torch.arange(count) % 2)[:, None, None, None, None]).to(torch.uint8)


def batch(count: int = 2) -> Batch:
    return made_clips(count), torch.arange(count) % 2


def trained(model: Recognizer3D, spec: TrainerSpec = SPEC) -> Trainer:
    model.cls_head.dropout.p = 0.0
    return Trainer(float32_fabric(), model, spec)


def weights(model: Recognizer3D) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_steps_lower_the_loss_on_two_clips() -> None:
    trainer = trained(tiny_model())
    results = [trainer.step([batch()]) for _ in range(12)]
    assert results[-1].loss < 0.8 * results[0].loss
    assert results[-1].top1 == 1.0


def test_steps_lower_the_loss_for_several_labels_per_clip() -> None:
    trainer = trained(tiny_model("a", "b", "c", multi_label=True))
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    results = [trainer.step([(made_clips(), labels)]) for _ in range(12)]
    assert results[-1].loss < 0.8 * results[0].loss
    assert results[-1].top1 is None


def test_accumulated_batches_are_one_large_batch() -> None:
    """With the statistics of batch norms kept, which a smaller batch changes."""
    spec = replace(SPEC, norm_eval=True, optimizer=OptimizerSpec(name="sgd", learning_rate=0.1))
    crops, labels = batch(4)
    large, parts = trained(tiny_model(), spec), trained(tiny_model(), spec)
    start = weights(large.model)
    for _ in range(2):
        whole = large.step([(crops, labels)])
        halves = parts.step([(crops[:2], labels[:2]), (crops[2:], labels[2:])])
        assert whole.loss == pytest.approx(halves.loss, rel=1e-4)
    for name, value in weights(parts.model).items():
        torch.testing.assert_close(value, large.model.state_dict()[name], rtol=1e-3, atol=1e-5)
    assert not torch.equal(start["cls_head.fc_cls.weight"], large.model.cls_head.fc_cls.weight)


def test_frozen_stages_keep_their_weights_and_the_rest_is_trained() -> None:
    trainer = trained(tiny_model(), replace(SPEC, frozen_stages=2))
    before = weights(trainer.model)
    trainer.step([batch()])
    after = trainer.model.state_dict()
    for path in ("slow", "fast"):
        for part in ("stem.conv.weight", "stem.bn.running_mean", "res3.0.conv1.conv.weight"):
            name = f"backbone.{path}.{part}"
            assert torch.equal(before[name], after[name])
        name = f"backbone.{path}.res4.0.conv1.conv.weight"
        assert not torch.equal(before[name], after[name])


def test_a_loss_that_is_no_number_stops_before_any_weight_changes() -> None:
    trainer = trained(tiny_model())
    torch.nn.init.constant_(trainer.model.cls_head.fc_cls.bias, float("nan"))
    before = weights(trainer.model)
    with pytest.raises(FloatingPointError, match="step 0: the loss is not a number"):
        trainer.step([batch()])
    name = "backbone.slow.stem.conv.weight"
    assert torch.equal(before[name], trainer.model.state_dict()[name])


def test_a_restored_trainer_continues_bit_for_bit() -> None:
    straight = Trainer(float32_fabric(), tiny_model(), SPEC)  # with dropout
    for _ in range(2):
        straight.step([batch()])
    buffer = BytesIO()
    torch.save(straight.state(), buffer)
    buffer.seek(0)
    resumed = Trainer(float32_fabric(), tiny_model(), SPEC)
    resumed.restore(torch.load(buffer, weights_only=True))
    for _ in range(2):
        assert straight.step([batch()]) == resumed.step([batch()])
    for mine, theirs in (
        (resumed.model, straight.model),
        (resumed.averaged(), straight.averaged()),
    ):
        expected = theirs.state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in mine.state_dict().items())


def test_a_state_of_another_version_is_refused_before_anything_changes() -> None:
    trainer = Trainer(float32_fabric(), tiny_model(), SPEC)
    before = weights(trainer.model)
    old = trainer.state()
    old["model"] = {name.replace("res2", "layer1"): v for name, v in old["model"].items()}
    with pytest.raises(ConfigError, match="another version of the program"):
        trainer.restore(old)
    assert all(torch.equal(value, before[name]) for name, value in weights(trainer.model).items())


def test_mixed_precision_reaches_the_convolutions_and_not_the_loss() -> None:
    model = tiny_model()
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    trainer = Trainer(fabric, model, SPEC)
    seen: dict[str, torch.dtype] = {}

    def note(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _module, _given, result: seen.update({name: result.dtype})

    model.backbone.slow.stem.conv.register_forward_hook(note("convolution"))
    model.cls_head.fc_cls.register_forward_hook(note("classifier"))
    loss = trainer.step([batch()]).loss
    assert seen == {"convolution": torch.bfloat16, "classifier": torch.bfloat16}
    assert loss != torch.tensor(loss).bfloat16().item()  # bfloat16 would have rounded it
    assert all(weight.dtype == torch.float32 for weight in model.parameters())


def test_the_schedule_sets_the_learning_rate_of_every_part() -> None:
    spec = TrainerSpec(
        schedule=LearningRateSchedule(
            steps=4, name="step", warm_up_fraction=0, step_at=(0.5,), step_factor=0.1
        ),
        optimizer=OptimizerSpec(learning_rate=0.01, backbone_lr_ratio=0.1),
    )
    trainer = trained(tiny_model(), spec)
    rates = []
    for _ in range(4):
        trainer.step([batch()])
        rates.append(trainer.learning_rate)
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.001])
