import pytest
import torch

from training.networks.refine import REFINERS


@pytest.mark.parametrize("size", REFINERS)
def test_refine_starts_at_the_middle_of_its_patch(size: str) -> None:
    network = REFINERS[size](4, 2, 24).eval()
    index = torch.tensor([0, 1, 3])
    offset, logits, sigma = network(torch.randint(0, 256, (3, 24, 24, 1), dtype=torch.uint8), index, index % 2)
    assert offset.shape == (3, 2)
    assert logits.shape == (3, 2)
    assert sigma.shape == (3, 2)
    assert (sigma > 0).all()
    assert offset.abs().max() < 3.0


def test_refine_looks_for_the_keypoint_it_is_asked_for() -> None:
    torch.manual_seed(0)
    network = REFINERS["tiny"](4, 2, 24).eval()
    patch = torch.randint(0, 256, (1, 24, 24, 1), dtype=torch.uint8).repeat(3, 1, 1, 1)
    offset, _, _ = network(patch, torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    assert not torch.allclose(offset[0], offset[1], atol=1e-6)
    assert not torch.allclose(offset[1], offset[2], atol=1e-6)
