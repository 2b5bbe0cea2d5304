from pathlib import Path

import pytest
import torch

from pipeline.errors import DataError
from training.checkpoint import Checkpoint, save
from training.method import CoarseMethod
from training.networks.backbone import BACKBONES, initialise, standardised
from training.networks.regression import regression

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "shufflenet" / "shufflenetv2.pth"


def test_light_and_contrast_are_taken_out() -> None:
    image = torch.randint(60, 120, (2, 32, 32, 1), dtype=torch.uint8)
    brighter = (image.float() * 2 + 10).to(torch.uint8)
    assert torch.allclose(standardised(image, floor=0.0), standardised(brighter, floor=0.0), atol=1e-3)
    assert torch.isfinite(standardised(torch.zeros(1, 16, 16, 1, dtype=torch.uint8))).all()


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_shows_an_earlier_map_of_twice_the_size(name: str) -> None:
    backbone = BACKBONES[name]().eval()
    x = torch.randn(2, 1, 48, 80)
    early, last = backbone.features(x)
    assert early.shape == (2, backbone.early_channels, 48 // backbone.early_stride, 80 // backbone.early_stride)
    assert last.shape == (2, backbone.channels, 48 // backbone.stride, 80 // backbone.stride)
    assert backbone.stride == 2 * backbone.early_stride == 16
    assert torch.equal(backbone(x), last)


def colour_weights() -> dict[str, torch.Tensor]:
    """As a published file: the shuffle backbone with a stem for three colours."""
    torch.manual_seed(3)
    weights = {name: torch.rand(t.shape).to(t.dtype) for name, t in BACKBONES["shufflenet"]().state_dict().items()}
    weights["first_conv.0.weight"] = torch.randn(24, 3, 3, 3)
    return weights


def shuffle_regression() -> torch.nn.Module:
    return regression(2, (32, 32), CoarseMethod(steps=1, backbone="shufflenet", compressed=4))


def test_published_weights_see_a_grey_image_as_one_in_colour(tmp_path: Path) -> None:
    weights = colour_weights()
    torch.save(weights, tmp_path / "some.pth")
    network = shuffle_regression()
    head = network.get_parameter("head.weight").clone()
    assert initialise(network, tmp_path / "some.pth") == "330 of 330 tensors from some.pth"
    grey = torch.randn(1, 1, 9, 9)
    in_colour = torch.nn.functional.conv2d(grey.expand(-1, 3, -1, -1), weights["first_conv.0.weight"])
    as_one = torch.nn.functional.conv2d(grey, network.get_parameter("backbone.first_conv.0.weight"))
    assert torch.allclose(in_colour, as_one, atol=1e-4)
    for name in ("stage2.0.branch_proj.2.weight", "stage4.3.branch_main.5.weight"):
        assert torch.equal(network.get_parameter(f"backbone.{name}"), weights[name])
    assert torch.equal(
        network.get_buffer("backbone.stage3.7.branch_main.6.running_var"), weights["stage3.7.branch_main.6.running_var"]
    )
    assert torch.equal(network.get_parameter("head.weight"), head)


@pytest.mark.skipif(not PUBLISHED.is_file(), reason=f"no {PUBLISHED}: published weights are not in the repository")
def test_the_published_file_fits_and_its_statistics_agree_with_our_images() -> None:
    network = shuffle_regression()
    assert initialise(network, PUBLISHED) == "330 of 330 tensors from shufflenetv2.pth"
    backbone = network.get_submodule("backbone").eval()
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    image = (128 + 60 * torch.sin(rows / 9) * torch.cos(columns / 7) + 20 * (columns > 50)).to(torch.uint8)
    first = backbone.get_submodule("first_conv")
    seen: list[torch.Tensor] = []
    first.get_submodule("1").register_forward_hook(lambda _m, _i, output: seen.append(output))
    with torch.no_grad():
        backbone(standardised(image[None, :, :, None]))
    assert seen[0].isfinite().all()
    scale = first.get_submodule("1").get_parameter("weight").abs()
    assert (seen[0].std((0, 2, 3)) / scale.clamp_min(1e-3)).median() < 5  # not far out of what was trained on


def test_a_checkpoint_gives_its_averaged_backbone(tmp_path: Path) -> None:
    trained, fresh = shuffle_regression(), shuffle_regression()
    state = Checkpoint({}, averaged=trained.state_dict())
    save(state, tmp_path / "coarse.checkpoint")
    assert initialise(fresh, tmp_path / "coarse.checkpoint") == "330 of 330 tensors from coarse.checkpoint"
    assert torch.equal(
        fresh.get_parameter("backbone.stage2.1.branch_main.0.weight"),
        trained.get_parameter("backbone.stage2.1.branch_main.0.weight"),
    )
    assert not torch.equal(fresh.get_parameter("head.weight"), trained.get_parameter("head.weight"))


def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path) -> None:
    network = regression(2, (32, 32), CoarseMethod(steps=1, backbone="tiny", compressed=4))
    torch.save(colour_weights(), tmp_path / "some.pth")
    with pytest.raises(DataError, match=r"some.pth: 0 of its 330 tensors fit .*allowed: weights of"):
        initialise(network, tmp_path / "some.pth")
    for content in (b"", b"PK\x03\x04 not really", b"\x80\x04N."):
        (tmp_path / "bad.pth").write_bytes(content)
        with pytest.raises(DataError, match=r"bad.pth: cannot be taken as weights: .*allowed: a .pth file") as refused:
            initialise(network, tmp_path / "bad.pth")
        assert "\n" not in str(refused.value)
    torch.save({"a": 3}, tmp_path / "bad.pth")
    with pytest.raises(DataError, match="it holds no backbone"):
        initialise(network, tmp_path / "bad.pth")
    torch.save([1, 2], tmp_path / "bad.pth")
    with pytest.raises(DataError, match="cannot be taken as weights"):
        initialise(network, tmp_path / "bad.pth")
    with pytest.raises(DataError, match="cannot be taken as weights"):
        initialise(network, tmp_path / "none.pth")


def test_without_borders_of_zeros_an_even_image_has_even_features() -> None:
    grey = torch.full((1, 1, 112, 144), 0.5)
    torch.manual_seed(0)
    with torch.no_grad():
        told, untold = (BACKBONES[name]().eval().features(grey)[1] for name in ("mobile", "reflected"))
    spread = [float((found.amax((2, 3)) - found.amin((2, 3))).max()) for found in (told, untold)]
    assert spread[0] > 1e-3, "borders of zeros tell where a feature lies"
    assert spread[1] < 1e-5
