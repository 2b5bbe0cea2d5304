import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from pipeline.errors import NetworkError
from pipeline.network import CoarseCard, PosedCard, RefineCard, load_network
from training.export import export, rescale, ship
from training.method import CoarseMethod, TemplateMethod
from training.networks.build import build
from training.networks.keypoint_network import KeypointNetwork
from training.networks.refine import Refine, tiny_refine

NAMES = ["a", "b", "c"]
COARSE = CoarseCard(keypoints=NAMES, small_wh=(64, 48), large_wh=(256, 192), has_sigma=True)
POSED = PosedCard(keypoints=NAMES, image_wh=(64, 48), large_wh=(256, 192), has_sigma=True, pose_px=[(9, 9)] * 3)
REFINE = RefineCard(keypoints=NAMES, large_wh=(256, 192), patch=24, spans_px=[48.0, 24.0], has_sigma=True)
METHODS = {
    "regression": CoarseMethod(steps=1, backbone="tiny", compressed=8),
    "template": CoarseMethod(
        steps=1, backbone="tiny", compressed=8, network="template", template=TemplateMethod(count=5)
    ),
    "rectified": CoarseMethod(steps=1, backbone="tiny", compressed=8, rectify=True),
}
CARDS: dict[str, CoarseCard | PosedCard] = {"regression": COARSE, "template": POSED, "rectified": COARSE}
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.usefixtures("exporter"),
]


def network(kind: str) -> KeypointNetwork:
    torch.manual_seed(1)
    shapes = np.random.default_rng(0).uniform(5, 40, (30, 3, 2))
    return build(METHODS[kind], 3, (64, 48), shapes).eval()


def refine() -> Refine:
    torch.manual_seed(2)
    return tiny_refine(3, 2, 24).eval()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, exporter: None) -> Callable[[str], Path]:  # noqa: ARG001
    """Gives the file of a kind of network, to be read only; each is exported once, which takes seconds."""
    folder = tmp_path_factory.mktemp("exported")

    @functools.cache
    def file(kind: str) -> Path:
        assert export(network(kind), CARDS[kind], folder / f"{kind}.onnx") < 1e-3
        return folder / f"{kind}.onnx"

    return file


@pytest.mark.parametrize("kind", METHODS)
def test_a_network_runs_in_the_pipeline_as_in_torch(exported: Callable[[str], Path], kind: str) -> None:
    card = CARDS[kind]
    loaded = load_network(exported(kind), type(card))
    assert loaded.card == card
    for count in (1, 2, 5):
        image = np.random.default_rng(count).integers(0, 256, (count, 48, 64, 1), np.uint8)
        with torch.no_grad():
            xy, logits, sigma = network(kind)(torch.from_numpy(image))
        found = loaded.engine.run({"image": image})
        assert found["xy"] == pytest.approx(xy.numpy(), abs=1e-3)
        assert found["visibility"] == pytest.approx(logits.numpy(), abs=1e-3)
        assert found["sigma"] == pytest.approx(sigma.numpy(), rel=1e-3)


def test_a_refine_network_runs_in_the_pipeline_as_in_torch(tmp_path: Path) -> None:
    assert export(refine(), REFINE, tmp_path / "refine.onnx") < 1e-3
    loaded = load_network(tmp_path / "refine.onnx", RefineCard)
    assert loaded.card == REFINE
    for count in (1, 3, 6):
        patches = np.random.default_rng(count).integers(0, 256, (count, 24, 24, 1), np.uint8)
        keypoint, span = np.arange(count) % 3, np.arange(count) % 2
        with torch.no_grad():
            offset, _, sigma = refine()(*map(torch.from_numpy, (patches, keypoint, span)))
        found = loaded.engine.run({"patches": patches, "keypoint": keypoint, "span": span})
        assert found["offset"] == pytest.approx(offset.numpy(), abs=1e-3)
        assert found["sigma"] == pytest.approx(sigma.numpy(), rel=1e-3)


@pytest.mark.parametrize("factor", [1.0, 0.5, 2.0])
def test_the_scale_is_no_constant_that_is_used_elsewhere(tmp_path: Path, factor: float) -> None:
    network = Halving()
    network.visibility_scale.fill_(factor)
    export(network, COARSE, tmp_path / "one.onnx")
    image = np.full((1, 48, 64, 1), 20, np.uint8)
    found = load_network(tmp_path / "one.onnx", CoarseCard).engine.run({"image": image})
    assert found["xy"].ravel()[0] == pytest.approx(0.5 * 20 + 1)
    assert found["visibility"].ravel()[0] == pytest.approx(factor * 20)


def test_the_scale_of_a_file_can_be_changed_and_nothing_else(exported: Callable[[str], Path], tmp_path: Path) -> None:
    path = shutil.copy(exported("rectified"), tmp_path / "one.onnx")
    image = {"image": np.random.default_rng(0).integers(0, 256, (2, 48, 64, 1), np.uint8)}

    def run() -> dict[str, np.ndarray]:
        return {name: np.array(value) for name, value in load_network(path, CoarseCard).engine.run(image).items()}

    before = run()
    rescale(path, 3.0)
    after = run()
    assert after["visibility"] == pytest.approx(3.0 * before["visibility"], rel=1e-5)
    assert np.array_equal(after["xy"], before["xy"])
    assert np.array_equal(after["sigma"], before["sigma"])


def test_the_file_tells_its_card_and_nothing_of_the_machine(exported: Callable[[str], Path]) -> None:
    file = exported("regression")
    model = onnx.load(file)
    assert [prop.key for prop in model.metadata_props] == ["datumd"]
    assert json.loads(model.metadata_props[0].value)["keypoints"] == NAMES
    assert b".py" not in file.read_bytes()


class Drifting(KeypointNetwork):
    """Answers differently every time: no file can be like it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("drift", torch.zeros(1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.drift += 1.0 if not torch.compiler.is_exporting() else 0.0
        xy = image.float().mean((1, 2, 3))[:, None, None].expand(-1, 3, 2) + self.drift
        return xy, xy * self.visibility_scale, xy * 2.0

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        raise NotImplementedError


class Halving(KeypointNetwork):
    """Uses numbers that a scale may have."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grey = image.float().mean((1, 2, 3))[:, None, None].expand(-1, 3, 2)
        return grey * 0.5 + 1.0, grey * self.visibility_scale, grey * 2.0

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        raise NotImplementedError


def test_a_file_that_differs_from_torch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="positions differ from torch's by"):
        export(Drifting(), COARSE, tmp_path / "coarse.onnx")


@pytest.mark.parametrize("kind", METHODS)
def test_scaling_changes_visibility_and_no_position(kind: str) -> None:
    image = torch.randint(0, 256, (2, 48, 64, 1), dtype=torch.uint8)
    plain, scaled = network(kind), network(kind)
    scaled.visibility_scale.fill_(0.5)
    with torch.no_grad():
        (xy, logits, sigma), (same_xy, half, same_sigma) = plain(image), scaled(image)
    assert torch.equal(xy, same_xy)
    assert torch.equal(sigma, same_sigma)
    assert torch.allclose(half, logits * 0.5)


def test_scaling_the_refine_network_changes_visibility_and_no_position() -> None:
    patches, index = torch.randint(0, 256, (3, 24, 24, 1), dtype=torch.uint8), torch.arange(3)
    plain, scaled = refine(), refine()
    scaled.visibility_scale.fill_(3.0)
    with torch.no_grad():
        (xy, logits, _), (same, triple, _) = plain(patches, index, index % 2), scaled(patches, index, index % 2)
    assert torch.equal(xy, same)
    assert torch.allclose(triple, logits * 3.0)


def test_a_view_is_replaced_by_that_of_another_training(tmp_path: Path) -> None:
    stage, folder = tmp_path / "stage", tmp_path / "top"
    for place, names in ((stage, ("coarse.onnx", "sigma.toml")), (folder, ("coarse.onnx", "posed.onnx", "shape.json"))):
        place.mkdir()
        for name in names:
            (place / name).write_text(place.name)
    (folder / "reference").mkdir()
    ship(stage, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["coarse.onnx", "reference", "sigma.toml"]
    assert (folder / "coarse.onnx").read_text() == "stage"
