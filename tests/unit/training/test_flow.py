import math

import torch

from training.networks.flow import Flow


def shaken() -> Flow:
    torch.manual_seed(0)
    flow = Flow(16)
    for weight in flow.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return flow


def test_a_new_flow_is_the_normal_distribution() -> None:
    at = torch.tensor([[0.0, 0.0], [1.0, -2.0]])
    expected = torch.tensor([0.0, -2.5]) - math.log(2 * math.pi)
    assert torch.allclose(Flow().log_density(at), expected, atol=1e-5)


def test_the_density_of_any_flow_sums_to_one() -> None:
    along = torch.linspace(-30.0, 30.0, 301)
    grid = torch.cartesian_prod(along, along)
    with torch.no_grad():
        total = shaken().log_density(grid).exp().sum() * 0.2**2
    assert abs(float(total) - 1.0) < 0.02


def test_training_a_flow_finds_a_skewed_density() -> None:
    torch.manual_seed(1)
    flow = Flow(16)
    x = torch.randn(300, 1)
    errors = torch.cat((x, 0.7 * x**2 + 0.3 * torch.randn(300, 1)), dim=1)
    optimiser = torch.optim.Adam(flow.parameters(), lr=1e-2)
    before = float(flow.log_density(errors).mean().detach())
    for _ in range(60):
        loss = -flow.log_density(errors).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    assert float(-loss.detach()) > before + 0.3


def test_what_is_not_known_does_not_count_and_what_is_drives_sigma() -> None:
    flow = shaken()
    xy = torch.zeros(1, 2, 2, requires_grad=True)
    sigma = torch.ones(1, 2, 2, requires_grad=True)
    target = torch.tensor([[[0.5, -0.5], [float("nan"), 1e9]]])
    torch.autograd.backward(flow(xy, target, sigma, torch.tensor([[1.0, 0.0]])))
    assert xy.grad is not None
    assert sigma.grad is not None
    for gradient in (xy.grad, sigma.grad):
        assert gradient[0, 0].abs().min() > 0
        assert (gradient[0, 1] == 0).all()
    assert flow(xy, target, sigma, torch.zeros(1, 2)).item() == 0.0
