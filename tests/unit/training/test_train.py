from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from calibration.visibility import LEAST_FIRST
from pipeline.geometry import Region
from pipeline.network import PosedCard, RefineCard, load_network
from pipeline.shape import read_shape
from pipeline.sigma import read_sigma
from tests.methods import CASCADE, FIRST, REFINE, TURNED_REFINE
from training.canvas import read_grey
from training.data import Dataset
from training.labels.coco import read_coco
from training.method import load_method
from training.networks.refine import tiny_refine
from training.shipped import ShippedView
from training.shipped_errors import Found
from training.train import Run, Training, train

NO_PARTS = Dataset(("a", "b", "c"), ())
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.usefixtures("exporter"),
    pytest.mark.time_limit_s(220),
]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def trained(square_set: Path, text: str, folder: Path) -> list[str]:
    (folder / "method.toml").write_text(text)
    dataset = read_coco(square_set, square_set.parent / "images")
    lines: list[str] = []
    method = load_method(folder / "method.toml")
    train(Run(method, dataset, folder / "recipe/top", folder / "work", resume=False, report=lines.append))
    return lines


def test_every_network_of_a_chain_is_trained_and_ships(square_set: Path, tmp_path: Path) -> None:
    lines = trained(square_set, FIRST + CASCADE + TURNED_REFINE, tmp_path)
    view = tmp_path / "recipe/top"
    assert sorted(path.name for path in view.iterdir()) == [
        "coarse.onnx",
        "posed.onnx",
        "refine.onnx",
        "shape.json",
        "sigma.toml",
        "visibility.toml",
    ]
    names = ["upper_left", "upper_right", "lower_left"]
    assert load_network(view / "posed.onnx", PosedCard).card.image_wh == (48, 32)
    shape = read_shape(view / "shape.json", names)
    assert shape is not None
    assert load_network(view / "refine.onnx", RefineCard).card.pose == shape.mean
    assert read_sigma(view / "sigma.toml", names) is not None
    assert {name for name in ("curves.png", "visibility.png", "sigma.png") if (tmp_path / "work" / name).is_file()} == {
        "curves.png",
        "visibility.png",
        "sigma.png",
    }
    assert sum(line.startswith("fold ") and "coarse 3/3" in line for line in lines) == 2
    dataset = read_coco(square_set, square_set.parent / "images")
    (found,) = ShippedView(view).predict(read_grey(dataset.parts[0]), [Region(0, 0, 192, 160)])
    assert np.isfinite(found.refined_sensor_px).all()
    assert np.isfinite(found.sigma_sensor_px).all()


def test_the_same_seed_gives_the_same_file(square_set: Path, tmp_path: Path) -> None:
    files = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        trained(square_set, FIRST, tmp_path / str(number))
        files.append((tmp_path / str(number) / "recipe/top/coarse.onnx").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize(("refine", "least"), [(REFINE, 0.0), (TURNED_REFINE, LEAST_FIRST)], ids=["upright", "turned"])
def test_where_patches_are_turned_by_its_keypoints_the_first_network_keeps_a_say(
    tmp_path: Path, refine: str, least: float
) -> None:
    """The first network's margins are noise: by themselves they would get no factor."""
    (tmp_path / "method.toml").write_text(FIRST + refine)
    rng = np.random.default_rng(0)
    visible = rng.random((400, 3)) < 0.7
    noise, known = rng.normal(0.0, 1.0, (400, 3)), np.where(visible, 3.0, -3.0) + rng.normal(0.0, 2.0, (400, 3))
    noise -= known * (noise * known).sum() / (known**2).sum()
    noise -= 0.05 * np.where(visible, 1.0, -1.0)
    nowhere = np.zeros((400, 3, 2), np.float32)
    training = object.__new__(Training)
    training.run = Run(load_method(tmp_path / "method.toml"), NO_PARTS, tmp_path, tmp_path, False, lambda _: None)
    training.stage, training.pose = tmp_path, None
    training.found = [Found(nowhere, margin, visible, nowhere) for margin in (noise, noise + known)]
    training.networks = {"coarse": tiny_refine(3, 2, 16), "refine": tiny_refine(3, 2, 16)}
    for name in training.networks:
        scale = onnx.numpy_helper.from_array(np.array(1.0, np.float32), "visibility_scale")
        onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], [scale])), tmp_path / f"{name}.onnx")
    training.weigh()
    factors = [float(network.visibility_scale) for network in training.networks.values()]
    assert factors[0] == pytest.approx(least)
    assert factors[1] > 0.5
    (written,) = onnx.load(tmp_path / "coarse.onnx").graph.initializer
    assert float(onnx.numpy_helper.to_array(written)) == pytest.approx(least)
