"""The recognizer's entry points."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.slowfast.architecture import Architecture
from models.slowfast.heads import BaseHead
from models.slowfast.recognizer3d import ClipAverage, Recognizer3D, average_views
from models.slowfast.zoo import slowfast_compact, slowfast_r50_4x16
from tests.models.slowfast_fixtures import MAX_ERROR, fill, fixture_folder, load_recipe


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


@pytest.fixture(scope="module")
def ucf101(shared_data: Path) -> Recognizer3D:
    """Of the fixtures: R50 4x16 with 101 classes."""
    recognizer = slowfast_r50_4x16(101).eval()
    fill(recognizer, load_recipe(fixture_folder(shared_data)))
    return recognizer


@pytest.fixture(scope="module")
def views(shared_data: Path) -> torch.Tensor:
    """Two clips of each of two videos."""
    clips = load_recipe(fixture_folder(shared_data)).video("open:clips", (4, 3, 16, 48, 48))
    return torch.from_numpy(clips).view(2, 2, 3, 16, 48, 48)


@pytest.mark.parametrize("average_clips", ["score", "prob", None])
def test_clip_averages_are_those_of_mmaction2(
    average_clips: ClipAverage | None,
    ucf101: Recognizer3D,
    views: torch.Tensor,
    shared_data: Path,
) -> None:
    arrays = np.load(fixture_folder(shared_data) / "recognizer_clips.npz")
    expected = arrays[average_clips or "none"]
    with torch.inference_mode():
        scores = ucf101.forward_test(views, average_clips=average_clips).numpy()
    assert np.abs(scores - expected).max() / expected.std() < MAX_ERROR


def test_forward_dummy_is_that_of_mmaction2(
    ucf101: Recognizer3D, views: torch.Tensor, shared_data: Path
) -> None:
    expected = np.load(fixture_folder(shared_data) / "recognizer_clips.npz")["dummy"]
    with torch.inference_mode():
        (logits,) = ucf101.forward_dummy(views)
    assert np.abs(logits.numpy() - expected).max() / expected.std() < MAX_ERROR


def test_forward_train_is_that_of_mmaction2(
    ucf101: Recognizer3D, views: torch.Tensor, shared_data: Path
) -> None:
    described = json.loads((fixture_folder(shared_data) / "recognizer_clips.json").read_text())
    case = described["forward_train_eval_mode"]
    with torch.inference_mode():
        losses = ucf101.forward_train(views[:, :1], torch.tensor(case["label"]))
    found = {name: value.item() for name, value in losses.items()}
    assert found == pytest.approx(case["expected"], rel=1e-4)


def test_every_way_to_average_is_that_of_mmaction2(shared_data: Path) -> None:
    described = json.loads((fixture_folder(shared_data) / "average_clip.json").read_text())
    scores, head = torch.tensor(described["scores"]), BaseHead(5)
    checked = 0
    for case, expected in described["expected"].items():
        mode, _, num_views = case.partition("|")
        if not num_views.isdigit():
            continue
        average = None if mode == "None" else mode
        found = average_views(head, scores, int(num_views), average)
        torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-5)
        checked += 1
    assert checked == 12


def test_views_of_many_labels_are_averaged_after_a_sigmoid() -> None:
    logits = torch.tensor([[4.0, -4.0], [2.0, 2.0]])
    found = average_views(BaseHead(2, multi_label=True), logits, 2, "prob")
    torch.testing.assert_close(found, logits.sigmoid().mean(dim=0, keepdim=True))


def test_another_way_to_average_is_refused() -> None:
    with pytest.raises(ValueError, match=r"average_clips must be one of .* got 'median'"):
        average_views(BaseHead(2), torch.zeros(2, 2), 2, "median")  # type: ignore[arg-type]


def test_a_resample_rate_above_alpha_thins_the_fast_pathway_too(compact: Recognizer3D) -> None:
    architecture = replace(compact.architecture, resample_rate=8)
    thinned = Recognizer3D(architecture, compact.input_spec)
    slow, fast = thinned.select_pathways(torch.arange(16.0).view(1, 1, 16, 1, 1))
    assert slow.flatten().tolist() == [0, 8]
    assert fast.flatten().tolist() == [0, 2, 4, 6, 8, 10, 12, 14]


def test_slowonly_takes_clips_like_any_other() -> None:
    spec = replace(slowfast_compact(3).input_spec, alpha=1)
    architecture = Architecture(slow_depth=18, fast_depth=None, base_channels=8, alpha=1)
    recognizer = Recognizer3D(architecture, spec).eval()
    with torch.inference_mode():
        assert recognizer(small_clip(2)).shape == (2, 3)


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


def test_network_and_input_must_agree(compact: Recognizer3D) -> None:
    with pytest.raises(ValueError, match="alpha is 4 in the network, 2 in its input"):
        Recognizer3D(compact.architecture, replace(compact.input_spec, alpha=2))
    with pytest.raises(ValueError, match="clip_len 16 is no multiple of the 32 frames"):
        Recognizer3D(replace(compact.architecture, resample_rate=32), compact.input_spec)


def test_boxes_need_a_roi_head(compact: Recognizer3D) -> None:
    with pytest.raises(ValueError, match="has no RoI head"):
        compact(small_clip(1), torch.zeros(1, 5))
