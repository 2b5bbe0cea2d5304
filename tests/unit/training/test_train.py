from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.geometry import Region
from pipeline.network import PosedCard, RefineCard, load_network
from pipeline.shape import read_shape
from pipeline.sigma import read_sigma
from training.canvas import read_grey
from training.labels.coco import read_coco
from training.method import load_method
from training.shipped import ShippedView
from training.train import Run, train

FIRST = """
name = "square"
number = 3
seen_radius_px = 6.0
[view]
locate = { fixed = [0, 0, 192, 160] }
small_wh = [48, 48]
large_wh = [192, 192]
[split]
calibration = 0.3
validation = 0.1
near_duplicates = false
[coarse]
steps = 3
batch = 4
backbone = "tiny"
compressed = 8
"""
MORE = """
[cascade]
steps = 3
batch = 4
backbone = "tiny"
compressed = 8
image_wh = [48, 32]
[refine]
steps = 3
frames = 2
size = "tiny"
patch = 16
spans_px = [32.0, 16.0]
turned = true
folds = 2
[shape]
"""
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


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
    lines = trained(square_set, FIRST + MORE, tmp_path)
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
