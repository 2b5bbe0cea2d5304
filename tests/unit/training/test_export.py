import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from pipeline.errors import NetworkError
from pipeline.network import CoarseCard, RefineCard, load_network
from training.export import export_coarse, export_refine, scaled_visibility
from training.networks.refine import Refine, tiny_refine
from training.networks.regression import Regression, regression

NAMES = ["a", "b", "c"]
COARSE = CoarseCard(keypoints=NAMES, small_wh=(64, 48), large_wh=(256, 192))
REFINE = RefineCard(keypoints=NAMES, large_wh=(256, 192), patch=24, spans_px=[48.0, 24.0])


def coarse() -> Regression:
    torch.manual_seed(1)
    return regression(3, (64, 48), backbone="tiny", compressed=8)


def refine() -> Refine:
    torch.manual_seed(2)
    return tiny_refine(3, 2, 24)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_coarse_network_runs_in_the_pipeline_as_in_torch(tmp_path: Path) -> None:
    assert export_coarse(coarse(), COARSE, tmp_path / "coarse.onnx") < 1e-3
    network = load_network(tmp_path / "coarse.onnx", CoarseCard)
    assert network.card == COARSE
    for count in (1, 2, 5):
        image = np.random.default_rng(count).integers(0, 256, (count, 48, 64, 1), np.uint8)
        with torch.no_grad():
            xy, logits = coarse().eval()(torch.from_numpy(image))
        found = network.engine.run({"image": image})
        assert found["xy"] == pytest.approx(xy.numpy(), abs=1e-3)
        assert found["visibility"] == pytest.approx(logits.numpy(), abs=1e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_refine_network_runs_in_the_pipeline_as_in_torch(tmp_path: Path) -> None:
    assert export_refine(refine(), REFINE, tmp_path / "refine.onnx") < 1e-3
    network = load_network(tmp_path / "refine.onnx", RefineCard)
    assert network.card == REFINE
    for count in (1, 3, 6):
        patches = np.random.default_rng(count).integers(0, 256, (count, 24, 24, 1), np.uint8)
        keypoint, span = np.arange(count) % 3, np.arange(count) % 2
        with torch.no_grad():
            offset, _ = refine().eval()(*map(torch.from_numpy, (patches, keypoint, span)))
        found = network.engine.run({"patches": patches, "keypoint": keypoint, "span": span})
        assert found["offset"] == pytest.approx(offset.numpy(), abs=1e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_file_tells_its_card_and_nothing_of_the_machine(tmp_path: Path) -> None:
    export_coarse(coarse(), COARSE, tmp_path / "coarse.onnx")
    model = onnx.load(tmp_path / "coarse.onnx")
    assert [prop.key for prop in model.metadata_props] == ["datumd"]
    assert json.loads(model.metadata_props[0].value)["keypoints"] == NAMES
    assert b".py" not in (tmp_path / "coarse.onnx").read_bytes()


class Drifting(Regression):
    """Answers differently every time: no file can be like it."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        xy, logits = super().forward(image)
        self.centre += 1.0 if not torch.compiler.is_exporting() else 0.0
        return xy, logits


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_file_that_differs_from_torch_is_refused(tmp_path: Path) -> None:
    network = Drifting(coarse().backbone, 3, (64, 48), 8)
    with pytest.raises(NetworkError, match="positions differ from torch's by"):
        export_coarse(network, COARSE, tmp_path / "coarse.onnx")


def test_scaling_changes_visibility_and_no_position() -> None:
    image = torch.randint(0, 256, (2, 48, 64, 1), dtype=torch.uint8)
    patches, index = torch.randint(0, 256, (3, 24, 24, 1), dtype=torch.uint8), torch.arange(3)
    first, second = scaled_visibility(coarse(), refine(), np.array([0.5, 3.0]))
    with torch.no_grad():
        for scaled, plain, inputs, factor in (
            (first.eval(), coarse().eval(), (image,), 0.5),
            (second.eval(), refine().eval(), (patches, index, index % 2), 3.0),
        ):
            xy, logits = plain(*inputs)
            assert torch.allclose(scaled(*inputs)[0], xy, atol=1e-5)
            assert torch.allclose(scaled(*inputs)[1], logits * factor, atol=1e-5)
