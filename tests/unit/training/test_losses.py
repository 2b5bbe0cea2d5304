import math

import pytest
import torch

from training.losses import position_loss, sigma_loss, visibility_loss


def test_losses_are_zero_at_the_truth_and_above_it_elsewhere() -> None:
    xy, sure = torch.rand(2, 3, 2) * 50, torch.tensor([30.0, -30.0]).expand(2, 3, 2)
    seen, weight = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 3)
    assert float(position_loss(xy, xy, weight)) == 0.0
    assert float(position_loss(xy + 4.0, xy, weight)) == pytest.approx(2.0)
    assert float(visibility_loss(sure, seen)) == pytest.approx(0.0, abs=1e-6)
    assert float(visibility_loss(-sure, seen)) == pytest.approx(60.0)


def test_a_position_without_weight_does_not_count() -> None:
    xy, sigma = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    target = torch.tensor([[[1.0, 1.0], [900.0, 900.0]]])
    known = torch.tensor([[1.0, 0.0]])
    assert float(position_loss(xy, target, known)) == pytest.approx(2 / 16)
    assert float(position_loss(xy, target, torch.zeros(1, 2))) == 0.0
    assert float(sigma_loss(xy, target, sigma, known)) == float(sigma_loss(xy, target * 0 + 1.0, sigma, known))
    assert float(sigma_loss(xy, target, sigma, torch.zeros(1, 2))) == 0.0


def test_sigma_is_judged_by_the_error_and_leaves_the_position_alone() -> None:
    xy = torch.zeros(1, 1, 2, requires_grad=True)
    target, weight = torch.full((1, 1, 2), 3.0), torch.ones(1, 1)
    best = 3.0 * math.sqrt(math.pi / 2)
    values = [float(sigma_loss(xy, target, torch.full((1, 1, 2), best * f), weight)) for f in (0.5, 1.0, 2.0)]
    assert values[1] == pytest.approx(0.0, abs=1e-3)
    assert min(values[0], values[2]) > 0.1
    sigma = torch.ones(1, 1, 2, requires_grad=True)
    torch.autograd.backward(sigma_loss(xy, target, sigma, weight))
    assert xy.grad is None
    assert sigma.grad is not None


def test_the_best_sigma_of_normal_errors_is_their_deviation_and_few_outliers_hardly_move_it() -> None:
    torch.manual_seed(0)
    errors = 2.0 * torch.randn(20000, 1, 2)
    weight, truth = torch.ones(20000, 1), torch.zeros(20000, 1, 2)
    tried = torch.linspace(1.0, 4.0, 151)

    def best(residual: torch.Tensor) -> float:
        losses = [float(sigma_loss(residual, truth, torch.full_like(residual, float(s)), weight)) for s in tried]
        return float(tried[losses.index(min(losses))])

    assert best(errors) == pytest.approx(2.0, abs=0.06)
    floor = float(sigma_loss(errors, truth, torch.full_like(errors, 2.0), weight))
    assert floor == pytest.approx(0.4, abs=0.03)  # as its description says
    errors[:100] = 60.0  # their standard deviation is then 4.7
    assert best(errors) < 2.6
