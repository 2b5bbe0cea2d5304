import pytest
import torch

from training.segment_losses import heatmap_loss, mask_losses
from training.segment_method import SegmentLoss

EVERYWHERE = torch.ones(2, 8, 8, dtype=torch.bool)


def thin() -> torch.Tensor:
    target = torch.zeros(2, 8, 8)
    target[0, 3] = 1.0
    return target


def test_the_truth_costs_nothing() -> None:
    losses = mask_losses((thin() - 0.5) * 60, thin(), EVERYWHERE, SegmentLoss())
    assert {name: float(loss) for name, loss in losses.items()} == pytest.approx(
        {"entropy": 0.0, "dice": 0.0}, abs=1e-3
    )


def test_cross_entropy_alone_is_the_published_loss() -> None:
    logits = torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(0))
    plain = mask_losses(logits, thin(), EVERYWHERE, SegmentLoss(defect_weight=1.0, dice_weight=0.0))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, thin())
    assert list(plain) == ["entropy"]
    assert float(plain["entropy"]) == pytest.approx(float(expected))


def test_an_empty_mask_is_dearer_than_by_cross_entropy_alone() -> None:
    empty = torch.full((2, 8, 8), -20.0)
    losses = mask_losses(empty, thin(), EVERYWHERE, SegmentLoss(dice_weight=3.0))
    assert float(losses["dice"]) == pytest.approx(3.0 * (1 - 1 / 9), abs=1e-3)


def test_an_image_without_a_defect_teaches_by_cross_entropy_alone() -> None:
    logits = torch.zeros(2, 8, 8, requires_grad=True)
    mask_losses(logits, thin(), EVERYWHERE, SegmentLoss())["dice"].backward()
    assert float(logits.grad[0].abs().sum()) > 0
    assert float(logits.grad[1].abs().sum()) == 0


def test_what_does_not_count_teaches_nothing() -> None:
    counted = EVERYWHERE.clone()
    counted[:, 4:] = False
    logits = torch.zeros(2, 8, 8, requires_grad=True)
    heatmap = torch.zeros(2, 4, 4, requires_grad=True)
    losses = mask_losses(logits, torch.ones(2, 8, 8), counted, SegmentLoss())
    (losses["entropy"] + losses["dice"] + heatmap_loss(heatmap, torch.ones(2, 4, 4), counted, 4.0)).backward()
    assert float(logits.grad[:, 4:].abs().sum()) == float(heatmap.grad[:, 2:].abs().sum()) == 0.0
    assert (logits.grad[:, :4] != 0).all()
    assert (heatmap.grad[:, :2] != 0).all()


def test_a_heatmap_without_weights_has_the_plain_squared_error() -> None:
    found, label = torch.rand(2, 4, 4), torch.rand(2, 4, 4)
    expected = float((found - label).square().mean())
    assert float(heatmap_loss(found, label, EVERYWHERE, 0.0)) == pytest.approx(expected)
    assert float(heatmap_loss(found, label, EVERYWHERE, 2.0)) > expected


def test_nothing_that_counts_is_no_division_by_zero() -> None:
    none = torch.zeros(2, 8, 8, dtype=torch.bool)
    losses = mask_losses(torch.zeros(2, 8, 8), thin(), none, SegmentLoss())
    assert all(float(loss) == 0.0 for loss in losses.values())
    assert float(heatmap_loss(torch.zeros(2, 4, 4), torch.ones(2, 4, 4), none, 4.0)) == 0.0
