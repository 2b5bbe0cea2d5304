import math

import pytest
import torch

from training.networks.attributes import Attributes


def test_the_rarer_a_sample_the_more_it_weighs() -> None:
    attributes = Attributes(4)
    occluded = torch.tensor([0.0] * 12 + [0.15] * 3 + [0.5])
    for _ in range(50):
        weights = attributes.weights(occluded, torch.zeros(16))
    assert weights.mean().item() == pytest.approx(1.0, abs=1e-5)
    assert weights[15] > weights[12] > weights[0] > 0
    assert weights[15] / weights[0] == pytest.approx(math.sqrt(12), rel=0.01)


def test_rare_rotations_weigh_more_and_none_without_bound() -> None:
    attributes = Attributes(4)
    rotation = torch.cat((torch.full((199,), 0.02), torch.tensor([math.pi])))
    weights = attributes.weights(torch.zeros(200), rotation)
    assert weights[199] > 3 * weights[0]
    assert weights.max() < 4.5
    assert weights.mean().item() == pytest.approx(1.0, abs=1e-5)


def test_the_distribution_is_learnt_in_training_only_and_lies_in_the_state() -> None:
    attributes = Attributes(4)
    before = {name: value.clone() for name, value in attributes.state_dict().items()}
    attributes.eval().weights(torch.full((8,), 0.3), torch.zeros(8))
    assert all(torch.equal(value, before[name]) for name, value in attributes.state_dict().items())
    attributes.train().weights(torch.full((8,), 0.3), torch.zeros(8))
    assert attributes.occlusion_share.tolist() == pytest.approx([0, 0, 0, 1, 0], abs=1e-6)
    other = Attributes(4)
    other.load_state_dict(attributes.state_dict())
    occluded, rotation = torch.rand(8), torch.rand(8) * 6 - 3
    assert torch.equal(other.weights(occluded, rotation), attributes.weights(occluded, rotation))
    assert torch.equal(other.rotation_share, attributes.rotation_share)


def test_the_head_can_tell_both_attributes() -> None:
    torch.manual_seed(0)
    attributes = Attributes(8)
    flat, occluded, rotation = torch.randn(6, 8), torch.rand(6), torch.rand(6) * 6 - 3
    optimiser = torch.optim.Adam(attributes.parameters(), lr=0.1)
    first = attributes.loss(flat, occluded, rotation).item()
    for _ in range(100):
        loss = attributes.loss(flat, occluded, rotation)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    assert loss.item() < first / 20
