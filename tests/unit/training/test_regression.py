"""S1 and what it is compared with, on small images of three dots."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.errors import ConfigError
from pipeline.network import CoarseCard, load_network
from training.export import export
from training.method import CoarseMethod
from training.networks.backbone import BACKBONES
from training.networks.keypoint_network import KeypointNetwork
from training.networks.regression import Regression, regression

WH = 48, 32
SWITCHES = {
    "flatten": CoarseMethod(steps=1, backbone="tiny", compressed=8),
    "pooling": CoarseMethod(steps=1, backbone="tiny", compressed=8, head="pooling"),
    "pooling_linear": CoarseMethod(steps=1, backbone="tiny", compressed=8, head="pooling_linear"),
    "heatmap": CoarseMethod(steps=1, backbone="tiny", compressed=8, head="heatmap"),
    "flow": CoarseMethod(steps=1, backbone="tiny", compressed=8, loss="flow"),
    "shufflenet": CoarseMethod(steps=1, backbone="shufflenet", compressed=8),
}


def network(switch: str) -> KeypointNetwork:
    torch.manual_seed(0)
    return regression(3, WH, SWITCHES[switch])


def batch(count: int) -> dict[str, Tensor]:
    """Dots of three brightnesses anywhere; the third is not there in every second image."""
    rng = np.random.default_rng(0)
    xy = rng.uniform((4, 4), (43, 27), (count, 3, 2))
    visible = np.ones((count, 3), bool)
    visible[::2, 2] = False
    rows, columns = np.mgrid[: WH[1], : WH[0]]
    distance = (columns[..., None] - xy[:, None, None, :, 0]) ** 2 + (rows[..., None] - xy[:, None, None, :, 1]) ** 2
    image = 40 + (np.exp(-distance / 8) * (np.array([200, 140, 90]) * visible)[:, None, None]).sum(-1)
    return {
        "image": torch.from_numpy(image.clip(0, 255).astype(np.uint8)[..., None]),
        "xy": torch.from_numpy(xy.astype(np.float32)),
        "weight": torch.from_numpy(visible.astype(np.float32)),
        "visible": torch.from_numpy(visible),
    }


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("head", ["flatten", "pooling", "pooling_linear"])
def test_it_starts_in_the_middle_and_knows_nothing(backbone: str, head: str) -> None:
    method = CoarseMethod(steps=1, compressed=8, head=head, backbone=backbone)  # type: ignore[arg-type]  # as parametrised
    found = regression(5, (96, 64), method).eval()
    xy, logits, sigma = found(torch.randint(0, 256, (3, 64, 96, 1), dtype=torch.uint8))
    assert xy.shape == logits.shape == sigma.shape == (3, 5, 2)
    assert (xy - torch.tensor([47.5, 31.5])).abs().max() < 20
    assert logits.abs().max() < 1.5
    assert sigma.min() > 0


@pytest.mark.parametrize("switch", SWITCHES)
def test_outputs_are_float32_whatever_the_convolutions_are(switch: str) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        found = network(switch)(batch(2)["image"])
    assert [one.dtype for one in found] == [torch.float32] * 3
    assert [one.shape for one in found] == [(2, 3, 2)] * 3


@pytest.mark.parametrize("switch", SWITCHES)
def test_four_images_are_learnt(switch: str) -> None:
    trained, seen = network(switch), batch(4)
    optimiser = torch.optim.AdamW(trained.parameters(), lr=8e-3)
    for step in range(120):
        optimiser.param_groups[0]["lr"] = 8e-3 * min(1.0, (120 - step) / 60)
        losses = trained.losses(seen)
        optimiser.zero_grad()
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 5.0)
        optimiser.step()
    if switch != "shufflenet":  # its last map has two cells here: too few for statistics that hold without the batch
        trained.eval()
    with torch.no_grad():
        xy, logits, _ = trained(seen["image"])
    known = seen["weight"] > 0
    assert (xy - seen["xy"]).norm(dim=2)[known].mean() < 1.0
    assert torch.equal(logits[..., 0] > logits[..., 1], seen["visible"])


@pytest.mark.parametrize("switch", SWITCHES)
def test_what_is_minimised_is_named_and_only_a_likelihood_may_be_below_zero(switch: str) -> None:
    losses = network(switch).losses(batch(4))
    assert list(losses) == ["position", "visibility", "flow" if switch == "flow" else "sigma"]
    assert all(loss.item() >= 0 for name, loss in losses.items() if name != "flow")
    assert losses["position"].requires_grad == (switch != "flow")


@pytest.mark.parametrize("switch", ["flatten", "pooling", "pooling_linear", "heatmap"])
def test_how_sure_it_is_changes_nothing_of_what_it_sees(switch: str) -> None:
    trained = network(switch)
    losses = trained.losses(batch(4))
    torch.autograd.backward(losses["sigma"])
    touched = {name for name, weight in trained.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert touched == ({"verdict", "bias"} if switch == "heatmap" else {"spread.weight", "spread.bias"})
    if switch == "heatmap":
        gradient = trained.get_parameter("verdict").grad
        assert gradient is not None
        assert not gradient[..., :2].any()  # those of visibility


def test_visibility_counts_as_the_method_says() -> None:
    plain, half = network("flatten"), network("flatten")
    assert isinstance(half, Regression)
    half.method = CoarseMethod(steps=1, backbone="tiny", compressed=8, visibility_weight=0.5, sigma_weight=0.0)
    first, second = plain.losses(batch(4)), half.losses(batch(4))
    assert second["visibility"].item() == pytest.approx(0.5 * first["visibility"].item())
    assert second["position"].item() == first["position"].item()
    assert second["sigma"].item() == 0.0


def test_a_heatmap_with_a_flow_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'coarse\.loss.*"squared"'):
        regression(3, WH, CoarseMethod(steps=1, head="heatmap", loss="flow"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.usefixtures("exporter")
@pytest.mark.parametrize("switch", SWITCHES)
def test_every_switch_runs_in_the_pipeline_as_in_torch(tmp_path: Path, switch: str) -> None:
    exported = network(switch).eval()
    card = CoarseCard(keypoints=["a", "b", "c"], small_wh=WH, large_wh=(96, 64), has_sigma=True)
    assert export(exported, card, tmp_path / "one.onnx") < 0.01
    engine = load_network(tmp_path / "one.onnx", CoarseCard).engine
    for count in (1, 2, 5):
        image = batch(count)["image"]
        with torch.no_grad():
            expected = exported(image)
        found = engine.run({"image": image.numpy()})
        for name, tensor in zip(("xy", "visibility", "sigma"), expected, strict=True):
            assert found[name] == pytest.approx(tensor.numpy(), abs=1e-3)
