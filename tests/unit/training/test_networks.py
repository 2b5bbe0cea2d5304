import numpy as np
import pytest
import torch

from training.losses import coarse_loss
from training.networks.backbone import BACKBONES, standardised
from training.networks.regression import regression


def test_light_and_contrast_are_taken_out() -> None:
    image = torch.randint(60, 120, (2, 32, 32, 1), dtype=torch.uint8)
    brighter = (image.float() * 2 + 10).to(torch.uint8)
    assert torch.allclose(standardised(image, floor=0.0), standardised(brighter, floor=0.0), atol=1e-3)
    assert torch.isfinite(standardised(torch.zeros(1, 16, 16, 1, dtype=torch.uint8))).all()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_coarse_starts_in_the_middle_and_knows_nothing(backbone: str) -> None:
    network = regression(5, (96, 64), backbone=backbone, compressed=8).eval()
    xy, logits = network(torch.randint(0, 256, (3, 64, 96, 1), dtype=torch.uint8))
    assert xy.shape == (3, 5, 2)
    assert logits.shape == (3, 5, 2)
    assert (xy - torch.tensor([47.5, 31.5])).abs().max() < 10
    assert logits.abs().max() < 1


def test_losses_are_zero_at_the_truth_and_above_it_elsewhere() -> None:
    xy, sure = torch.rand(2, 3, 2) * 50, torch.tensor([30.0, -30.0]).expand(2, 3, 2)
    seen, weight = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 3)
    assert [float(x) for x in coarse_loss(xy, sure, xy, weight, seen)] == pytest.approx([0, 0], abs=1e-6)
    position, visibility = coarse_loss(xy + 4.0, -sure, xy, weight, seen)
    assert float(position) == pytest.approx(2.0)
    assert float(visibility) == pytest.approx(60.0)


def test_a_position_without_weight_does_not_count() -> None:
    xy, logits = torch.zeros(1, 2, 2), torch.zeros(1, 2, 2)
    target = torch.tensor([[[1.0, 1.0], [900.0, 900.0]]])
    seen = torch.ones(1, 2, dtype=torch.bool)
    position, _ = coarse_loss(xy, logits, target, torch.tensor([[1.0, 0.0]]), seen)
    assert float(position) == pytest.approx(2 / 16)
    position, _ = coarse_loss(xy, logits, target, torch.zeros(1, 2), seen)
    assert float(position) == 0.0


def test_the_coarse_head_learns_where_a_spot_is() -> None:
    """A few steps on one spot: the conditioned head must go below a fifth of the untrained error."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = regression(1, (32, 32), backbone="tiny", compressed=8)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    first = last = 0.0
    for _ in range(80):
        at = rng.integers(6, 26, (32, 2))
        image = np.full((32, 32, 32, 1), 40, np.uint8)
        for row, (x, y) in zip(image, at, strict=True):
            row[y - 2 : y + 3, x - 2 : x + 3] = 200
        xy, logits = network(torch.from_numpy(image))
        target = torch.from_numpy(at[:, None].astype(np.float32))
        loss, _ = coarse_loss(xy, logits, target, torch.ones(32, 1), torch.ones(32, 1, dtype=torch.bool))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        last = loss.item()
        first = first or last
    assert last < first / 5
