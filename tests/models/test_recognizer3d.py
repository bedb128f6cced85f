"""The recognizer's entry points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from models.architectures import slowfast_compact, slowfast_r50_4x16
from models.heads import SlowFastHead
from models.recognizer3d import Recognizer3D
from tests.models.slowfast_fixtures import MAX_ERROR, fixture_folder, load_recipe


@pytest.fixture(scope="module")
def compact() -> Recognizer3D:
    torch.manual_seed(0)
    return slowfast_compact(4).eval()


def small_clip(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0))


def test_forward_takes_every_alpha_th_frame_for_the_slow_pathway(compact: Recognizer3D) -> None:
    clip = small_clip(2)
    with torch.inference_mode():
        assert torch.equal(compact(clip), compact.forward_pathways(clip[:, :, ::4], clip))


def test_views_of_a_video_are_averaged_and_videos_are_not(compact: Recognizer3D) -> None:
    clips = small_clip(2, 3)
    with torch.inference_mode():
        scores = compact.forward_test(clips)
        expected = compact(clips[1]).softmax(dim=1).mean(dim=0)
    assert scores.shape == (2, 4)
    torch.testing.assert_close(scores[1], expected)


@pytest.mark.parametrize("average_clips", ["score", "prob"])
def test_clip_averages_are_those_of_mmaction2(
    average_clips: Literal["score", "prob"], shared_data: Path
) -> None:
    folder = fixture_folder(shared_data)
    recipe = load_recipe(folder)
    recognizer = slowfast_r50_4x16(101).eval()
    recipe.fill(recognizer)
    clips = torch.from_numpy(recipe.video("open:clips", (4, 3, 16, 48, 48)))
    clips = clips.view(2, 2, 3, 16, 48, 48)
    expected = np.load(folder / "recognizer_clips.npz")[average_clips]
    with torch.inference_mode():
        scores = recognizer.forward_test(clips, average_clips=average_clips).numpy()
    assert np.abs(scores - expected).max() / expected.std() < MAX_ERROR


def test_training_lowers_the_loss_of_the_clips_it_sees() -> None:
    torch.manual_seed(0)
    recognizer = slowfast_compact(2).train()
    recognizer.cls_head.dropout.p = 0.0
    clips, labels = small_clip(2), torch.tensor([0, 1])
    optimizer = torch.optim.SGD(recognizer.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        loss = recognizer.forward_train(clips, labels)["loss_cls"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_forward_dummy_gives_the_logits_of_every_view(compact: Recognizer3D) -> None:
    with torch.inference_mode():
        (logits,) = compact.forward_dummy(small_clip(2, 3))
    assert logits.shape == (6, 4)


def test_labels_must_match_the_head(compact: Recognizer3D) -> None:
    head = SlowFastHead(5, compact.backbone.out_channels)
    with pytest.raises(ValueError, match="4 labels for a head of 5 classes"):
        Recognizer3D("slowfast_compact", compact.backbone, head, compact.input_spec)
    multi_label = replace(compact.input_spec, multi_label=True)
    with pytest.raises(ValueError, match="multi_label"):
        Recognizer3D("slowfast_compact", compact.backbone, compact.cls_head, multi_label)
