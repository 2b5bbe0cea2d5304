import copy

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from training import losses
from training.networks.refine import REFINERS, Refine
from training.refine_task import distance_loss

PATCH, BATCH = 16, 40


def blobs(rng: np.random.Generator, count: int, contrast: NDArray[np.float64] | float = 120.0) -> tuple[Tensor, Tensor]:
    """Patches uint8 (count, P, P, 1) with a round spot, and where it is from their centre, (count, 2) px."""
    at = rng.uniform(-4, 4, (count, 2))
    y, x = np.mgrid[0:PATCH, 0:PATCH] - (PATCH - 1) / 2
    distance = (x - at[:, 0, None, None]) ** 2 + (y - at[:, 1, None, None]) ** 2
    image = 60 + np.reshape(contrast, (-1, 1, 1)) * np.exp(-distance / 8) + rng.normal(0, 2, distance.shape)
    return torch.from_numpy(image.clip(0, 255).astype(np.uint8)[..., None]), torch.from_numpy(at.astype(np.float32))


def learn(network: Refine, rng: np.random.Generator, steps: int, noise_px: float) -> None:
    """Train on spots; the labels of faint ones are wrong by ``noise_px`` in x and a quarter of it in y."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    nought, ones = torch.zeros(BATCH, dtype=torch.int64), torch.ones(BATCH)
    for _ in range(steps):
        is_faint = rng.random(BATCH) < 0.5
        patches, target = blobs(rng, BATCH, np.where(is_faint, 50.0, 150.0))
        error = rng.normal(0, noise_px, (BATCH, 2)) * is_faint[:, None] * (1.0, 0.25)
        target = target + torch.from_numpy(error.astype(np.float32))
        offset, _, sigma = network(patches, nought, nought)
        loss = distance_loss(offset, target, ones) + losses.sigma_loss(offset, target, sigma, ones)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    network.eval()


@pytest.mark.parametrize("size", REFINERS)
def test_refine_starts_at_the_middle_of_its_patch(size: str) -> None:
    network = REFINERS[size](4, 2, PATCH).eval()
    index = torch.tensor([0, 1, 3])
    patches = torch.randint(0, 256, (3, PATCH, PATCH, 1), dtype=torch.uint8)
    offset, logits, sigma = network(patches, index, index % 2)
    assert offset.shape == logits.shape == sigma.shape == (3, 2)
    assert offset.abs().max() < 3.0
    assert (sigma > 0).all()


def test_refine_looks_for_the_keypoint_it_is_asked_for() -> None:
    torch.manual_seed(0)
    network = REFINERS["tiny"](4, 2, PATCH).eval()
    patch = torch.randint(0, 256, (1, PATCH, PATCH, 1), dtype=torch.uint8).repeat(3, 1, 1, 1)
    offset, _, _ = network(patch, torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    assert not torch.allclose(offset[0], offset[1], atol=1e-6)
    assert not torch.allclose(offset[1], offset[2], atol=1e-6)


def test_the_visibility_scale_multiplies_the_logits_alone() -> None:
    torch.manual_seed(0)
    network = REFINERS["tiny"](2, 1, PATCH).eval()
    weighed = copy.deepcopy(network)
    weighed.visibility_scale.fill_(0.25)
    patches, _ = blobs(np.random.default_rng(0), 2)
    asked = torch.arange(2), torch.zeros(2, dtype=torch.int64)
    before, after = network(patches, *asked), weighed(patches, *asked)
    assert torch.equal(before[0], after[0])
    assert torch.allclose(0.25 * before[1], after[1])
    assert torch.equal(before[2], after[2])


def test_sigma_does_not_move_the_votes() -> None:
    """Whoever trains sigma alone must not make the votes scatter, nor the residual it is compared with."""
    torch.manual_seed(0)
    network = REFINERS["tiny"](1, 1, PATCH)
    patches, target = blobs(np.random.default_rng(0), 8)
    nought = torch.zeros(8, dtype=torch.int64)
    offset, _, sigma = network(patches, nought, nought)
    torch.autograd.backward(losses.sigma_loss(offset, target, sigma, torch.ones(8)))
    votes = network.vote.weight.grad
    assert votes is not None
    assert votes[1:].abs().max() == 0.0
    assert network.spread.weight.grad is not None
    assert network.spread.weight.grad.abs().max() > 0.0


def test_a_far_and_uneven_patch_gives_finite_numbers() -> None:
    network = REFINERS["tiny"](1, 1, PATCH).eval()
    patches = torch.cat((torch.zeros(1, PATCH, PATCH, 1), torch.full((1, PATCH, PATCH, 1), 255.0))).to(torch.uint8)
    nought = torch.zeros(2, dtype=torch.int64)
    with torch.no_grad():
        network.spread.bias.fill_(1e4)
    assert all(torch.isfinite(output).all() for output in network(patches, nought, nought))


def test_refine_learns_a_spot_to_a_fraction_of_a_pixel_and_how_sure_it_may_be() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = REFINERS["tiny"](1, 1, PATCH)
    learn(network, rng, 160, noise_px=2.0)
    faint, clear = blobs(rng, 300, 50.0), blobs(rng, 300, 150.0)
    nought = torch.zeros(300, dtype=torch.int64)
    with torch.no_grad():
        sigma_faint = network(faint[0], nought, nought)[2]
        offset, _, sigma_clear = network(clear[0], nought, nought)
    error = (offset - clear[1]).norm(dim=1)
    assert error.median() < 0.3
    # the labels of the faint ones are wrong by 2.0 px in x and 0.5 px in y
    across, down = sigma_faint.median(dim=0).values.tolist()
    assert 1.2 < across < 2.8
    assert 0.35 < down < 0.5 * across
    assert (sigma_clear.median(dim=0).values < 0.3).all()


def test_a_distance_is_zero_at_the_truth_and_linear_far_from_it() -> None:
    target, ones = torch.rand(6, 2) * 20, torch.ones(6)
    assert float(distance_loss(target, target, ones)) == pytest.approx(0.0, abs=1e-6)
    assert float(distance_loss(target + torch.tensor([30.0, 40.0]), target, ones)) == pytest.approx(49.5, abs=0.01)
    wild = target.clone()
    wild[0] = 1e6
    weight = torch.tensor([0.0, 1, 1, 1, 1, 1])
    assert float(distance_loss(wild, target, weight)) == pytest.approx(0.0, abs=1e-6)
    assert float(distance_loss(wild, target, torch.zeros(6))) == 0.0
