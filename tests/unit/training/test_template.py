"""S2's networks on small images of a triangle of dots in any pose."""

import copy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from pipeline.network import CoarseCard
from training.export import export
from training.method import CoarseMethod, TemplateMethod
from training.networks.build import build
from training.networks.keypoint_network import KeypointNetwork
from training.networks.rectify import Rectified
from training.networks.template import Template

WH = 48, 32
DOTS = np.array([[-10.0, -6.0], [10.0, -4.0], [-4.0, 8.0]])
ALL_OFF = TemplateMethod(count=24, prior=False, second_branch=False, attribute_weights=False)
SWITCHES = {
    "all": TemplateMethod(count=24),
    "no prior": TemplateMethod(count=24, prior=False),
    "no second branch": TemplateMethod(count=24, second_branch=False),
    "no attributes": TemplateMethod(count=24, attribute_weights=False),
    "none": ALL_OFF,
}


def method(template: TemplateMethod, *, rectify: bool = False) -> CoarseMethod:
    return CoarseMethod(steps=1, network="template", backbone="tiny", compressed=8, rectify=rectify, template=template)


def batch(count: int, seed: int) -> dict[str, Tensor]:
    rng = np.random.default_rng(seed)
    turn = np.exp(1j * rng.normal(0, 0.25, (count, 1)))
    z = (DOTS[:, 0] + 1j * DOTS[:, 1]) * turn + 23.5 + 15.5j + rng.normal(0, 1.5, (count, 1)) * (1 + 0.7j)
    xy = np.stack((z.real, z.imag), -1)
    rows, columns = np.mgrid[: WH[1], : WH[0]]
    distance = (columns[..., None] - xy[:, None, None, :, 0]) ** 2 + (rows[..., None] - xy[:, None, None, :, 1]) ** 2
    image = 40 + (np.exp(-distance / 8) * [200, 140, 90]).sum(-1) + rng.normal(0, 3, (count, WH[1], WH[0]))
    return {
        "image": torch.from_numpy(image.clip(0, 255).astype(np.uint8)[..., None]),
        "xy": torch.from_numpy(xy.astype(np.float32)),
        "weight": torch.ones(count, 3),
        "visible": torch.ones(count, 3, dtype=torch.bool),
        "occluded": torch.zeros(count),
        "rotation": torch.from_numpy(np.angle(turn[:, 0]).astype(np.float32)),
    }


def network(template: TemplateMethod, *, rectify: bool = False) -> KeypointNetwork:
    torch.manual_seed(0)
    return build(method(template, rectify=rectify), 3, WH, batch(80, 1)["xy"].numpy())


def train(trained: KeypointNetwork, seen: dict[str, Tensor], steps: int, optimiser: torch.optim.Optimizer) -> None:
    trained.train()
    for _ in range(steps):
        loss = torch.stack(list(trained.losses(seen).values())).sum()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()


@pytest.mark.parametrize(
    ("switches", "rectify"), [*((name, False) for name in SWITCHES), ("all", True), ("none", True)]
)
def test_every_variant_learns_its_samples_by_heart(switches: str, rectify: bool) -> None:
    seen, trained = batch(8, 2), network(SWITCHES[switches], rectify=rectify)
    before = trained.losses(seen)
    expected = {"position", "visibility", "sigma"}
    expected |= {"first"} if SWITCHES[switches].second_branch else set()
    expected |= {"attributes"} if SWITCHES[switches].attribute_weights else set()
    assert set(before) == expected | ({"pose"} if rectify else set())
    train(trained, seen, 50, torch.optim.AdamW(trained.parameters(), lr=4e-3))
    after = trained.losses(seen)
    assert after["position"] < before["position"] / 8
    assert after["visibility"] < before["visibility"] / 2
    if rectify:
        assert after["pose"] < before["pose"] / 2
    for _ in range(20):  # the running statistics of the norms settle
        trained(seen["image"])
    with torch.no_grad():
        xy, logits, sigma = trained.eval()(seen["image"])
    assert (xy - seen["xy"]).norm(dim=2).mean() < 2.0
    assert (logits[..., 0] > logits[..., 1]).all()
    assert (sigma > 0).all()


def test_the_start_is_the_mean_template() -> None:
    start = network(TemplateMethod(count=24)).eval()
    assert isinstance(start, Template)
    mean = start.templates.mean(0).view(3, 2)
    with torch.no_grad():
        found = start.find(batch(4, 3)["image"])
    assert (found.first - mean).abs().max() < 1.0
    assert (found.xy - mean).abs().max() < 1.0


def test_the_first_keypoints_are_the_weighted_sum_of_templates() -> None:
    trained = network(TemplateMethod(count=24)).eval()
    assert isinstance(trained, Template)
    with torch.no_grad():
        found = trained.find(batch(5, 3)["image"])
        probabilities = trained.probabilities(found.flat)
    assert probabilities.shape == (5, 24)
    assert torch.allclose(probabilities.sum(1), torch.ones(5))
    templates = trained.templates.view(24, 3, 2)
    expected = torch.einsum("nt,tkc->nkc", probabilities, templates)
    assert torch.allclose(found.first, expected, atol=1e-4)
    known = batch(80, 1)["xy"]
    assert all((known == one).all(2).all(1).any() for one in templates)


def test_an_untrained_rectifier_changes_nothing() -> None:
    rectified = network(ALL_OFF, rectify=True).eval()
    assert isinstance(rectified, Rectified)
    image = batch(4, 3)["image"]
    with torch.no_grad():
        for found, plain in zip(rectified(image), rectified.network(image), strict=True):
            assert torch.allclose(found, plain, atol=1e-2)


def test_visibility_is_scaled_and_nothing_else() -> None:
    for rectify in (False, True):
        plain = network(TemplateMethod(count=24), rectify=rectify).eval()
        scaled = copy.deepcopy(plain)
        scaled.visibility_scale.fill_(3.0)
        image = batch(2, 4)["image"]
        with torch.no_grad():
            (xy, logits, sigma), (same_xy, more, same_sigma) = plain(image), scaled(image)
        assert torch.equal(xy, same_xy)
        assert torch.equal(sigma, same_sigma)
        assert torch.allclose(more, 3.0 * logits, atol=1e-6)


def test_a_state_that_was_saved_goes_on_the_same_way() -> None:
    seen = batch(8, 5)
    whole = network(TemplateMethod(count=24), rectify=True)
    other = copy.deepcopy(whole)
    optimiser = torch.optim.AdamW(whole.parameters(), lr=1e-3)
    train(whole, seen, 3, optimiser)
    other.load_state_dict(whole.state_dict())
    resumed = torch.optim.AdamW(other.parameters(), lr=1e-3)
    resumed.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for trained, steps in ((whole, optimiser), (other, resumed)):
        train(trained, batch(8, 6), 3, steps)
    assert whole.state_dict().keys() == other.state_dict().keys()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.usefixtures("exporter")
def test_the_exported_network_is_the_trained_one(tmp_path: Path) -> None:
    """With all that can be switched on; without, there are only plain layers."""
    trained = network(TemplateMethod(count=24), rectify=True)
    train(trained, batch(8, 7), 15, torch.optim.AdamW(trained.parameters(), lr=4e-3))
    card = CoarseCard(keypoints=["a", "b", "c"], small_wh=WH, large_wh=(4 * WH[0], 4 * WH[1]))
    path = tmp_path / "coarse.onnx"
    assert export(trained, card, path) < 0.01
    weights = sum(parameter.numel() for parameter in trained.parameters())
    assert path.stat().st_size < 4 * weights + 60_000
    assert not [one.name for one in onnx.load(path).graph.initializer if "attributes" in one.name]
