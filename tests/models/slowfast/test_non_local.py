from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from models.slowfast.complexity import measure_complexity
from models.slowfast.non_local import Instantiation, NonLocal, NonLocalBlock
from models.slowfast.recognizer3d import Recognizer3D
from tests.models.published_files import small_network

NOWHERE: tuple[tuple[int, ...], ...] = ((), (), (), ())
IN_RES4 = {"slow_non_local_at": ((), (), (1,), ())}


def block(instantiation: Instantiation, channels: int = 6) -> NonLocalBlock:
    torch.manual_seed(2)
    made = NonLocalBlock(channels, NonLocal(NOWHERE, (2, 1, 2), instantiation)).eval()
    nn.init.normal_(made.bn.weight)
    nn.init.normal_(made.bn.bias)
    return made


def position_by_position(made: NonLocalBlock, x: Tensor, instantiation: str) -> Tensor:
    """Equation 1 of the paper for a single clip, as it stands there."""

    def at(conv: nn.Module, features: Tensor) -> list[Tensor]:
        return list(conv(features[None])[0].flatten(1).T)

    seen = made.pool(x[None])[0]
    phis, gs = at(made.phi, seen), at(made.g, seen)
    rows = []
    for theta in at(made.theta, x):
        if instantiation == "dot_product":
            affinities = [theta @ phi for phi in phis]
            norm = torch.tensor(float(len(phis)))
        else:
            affinities = [torch.exp(theta @ phi / len(theta) ** 0.5) for phi in phis]
            norm = sum(affinities, torch.tensor(0.0))
        rows.append(sum((f * g for f, g in zip(affinities, gs, strict=True))) / norm)
    y = torch.stack(rows, dim=1).unflatten(1, x.shape[1:])
    return x + made.bn(made.out(y[None]))[0]


@pytest.mark.parametrize("instantiation", ["dot_product", "softmax"])
def test_every_position_gets_the_weighted_sum_over_all_pooled_ones(
    instantiation: Instantiation,
) -> None:
    made = block(instantiation)
    x = torch.randn(2, 6, 4, 3, 6, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        z = made(x)
        for clip, of_clip in zip(x, z, strict=True):
            expected = position_by_position(made, clip, instantiation)
            torch.testing.assert_close(of_clip, expected, rtol=1e-4, atol=1e-4)


def test_an_unknown_instantiation_is_refused() -> None:
    with pytest.raises(ValueError, match="not 'gaussian'"):
        NonLocal(NOWHERE, (1, 2, 2), "gaussian")  # type: ignore[arg-type]


def test_a_block_that_the_stage_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="res4 has no block 2"):
        small_network(slow_non_local_at=((), (), (0, 2), ()))


def test_a_fresh_non_local_block_changes_nothing() -> None:
    with_block = small_network(**IN_RES4)
    fresh = Recognizer3D(with_block.architecture, with_block.input_spec).eval()
    architecture = replace(with_block.architecture, slow_non_local_at=NOWHERE)
    without = Recognizer3D(architecture, with_block.input_spec).eval()
    without.load_state_dict(fresh.state_dict(), strict=False)
    clip = torch.randn(1, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(fresh(clip), without(clip))


def test_its_products_are_counted_among_the_multiply_adds() -> None:
    model = small_network(**IN_RES4)
    architecture = replace(model.architecture, slow_non_local_at=NOWHERE)
    plain = Recognizer3D(architecture, model.input_spec)
    with_block, without = (
        {row.stage: row.multiply_adds for row in measure_complexity(network, (64, 64))}
        for network in (model, plain)
    )
    channels, inner = 32, 16  # of res4 with 8 base channels
    positions, pooled = 4 * 4 * 4, 4 * 2 * 2
    convolutions = channels * inner * (2 * positions + 2 * pooled)
    products = 2 * inner * positions * pooled
    assert with_block["slow res4"] - without["slow res4"] == convolutions + products
    assert {s for s in without if with_block[s] != without[s]} == {"slow res4"}
