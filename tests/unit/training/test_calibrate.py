"""An untrained network, exported: what it says is worthless, and must be calibrated as such."""

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError, DataError, DatumdError
from pipeline.network import CoarseCard
from pipeline.recipe import load_recipe
from pipeline.sigma import read_sigma
from pipeline.thresholds import read_thresholds
from tests.unit.training.conftest import METHOD, NAMES, write_set
from training import calibrate_command
from training.calibrate import calibrate_view
from training.export import export
from training.labels.coco import read_coco
from training.method import load_method
from training.networks.build import build
from training.observed import observe
from training.recipe_file import write_recipe

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, exporter: None) -> Path:  # noqa: ARG001
    """Beside it `set`, what `write_set` wrote, and `square.toml`. The network is exported once: it takes seconds."""
    tmp_path = tmp_path_factory.mktemp("calibrate")
    coco = write_set(tmp_path / "set", 16)
    (tmp_path / "square.toml").write_text(METHOD)
    method, dataset = load_method(tmp_path / "square.toml"), read_coco(coco, coco.parent / "images")
    folder = tmp_path / "square"
    (folder / "top").mkdir(parents=True)
    torch.manual_seed(0)
    view = method.view
    shapes = np.random.default_rng(0).uniform(20, 70, (20, 3, 2))
    network = build(method.coarse, 3, view.small_wh, shapes).eval()
    names = list(dataset.keypoints)
    card = CoarseCard(keypoints=names, small_wh=view.small_wh, large_wh=view.large_wh, has_sigma=True)
    export(network, card, folder / "top" / "coarse.onnx")
    write_recipe(folder / "recipe.toml", method, "top", names)
    return folder


def run(*arguments: object) -> int:
    parser = ArgumentParser()
    calibrate_command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["visibility", *map(str, arguments)])
    return int(args.run(args))


def test_the_command_writes_what_the_recipe_then_uses(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = recipe.with_name("set")
    assert (
        run(recipe, "--coco", folder / "annotations.json", "--images", folder / "images", "--false-reject", 0.05) == 0
    )
    told = capsys.readouterr().out
    thresholds, sigma = (
        read_thresholds(recipe / "top" / "visibility.toml", NAMES),
        read_sigma(recipe / "top" / "sigma.toml"),
    )
    assert load_recipe(recipe, sealed=False).views["top"].thresholds == thresholds
    assert thresholds.false_reject == 0.05
    assert [thresholds.of(name).examples for name in NAMES] == [(16, 0), (16, 0), (11, 5)]
    assert sigma is not None
    assert sigma.coordinates == 2 * (16 + 16 + 11)
    assert "warning: visible in too few parts to state a miss rate of 5.0%, which needs 19" in told
    assert told.splitlines()[-1] == f"next: datumd seal {recipe}"
    for name in ("visibility.png", "sigma.png"):
        picture = recipe.with_name("square.training") / "top" / name
        assert str(picture) in told
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_arguments_that_cannot_be_used_are_refused(recipe: Path) -> None:
    square_set, images = recipe.with_name("set") / "annotations.json", recipe.with_name("set") / "images"
    with pytest.raises(ConfigError, match=r"--false-reject is 0.7; allowed: above 0, below 0.5"):
        run(recipe, "--coco", square_set, "--images", images, "--false-reject", 0.7)
    with pytest.raises(DatumdError, match=r"--view is 'side'; allowed: top"):
        run(recipe, "--coco", square_set, "--images", images, "--view", "side")


def test_what_is_observed_is_said_of_the_labels(recipe: Path, tmp_path: Path) -> None:
    folder, view = recipe.with_name("set"), load_method(recipe.with_name("square.toml")).view
    dataset = read_coco(folder / "annotations.json", folder / "images")
    seen = observe(recipe / "top", dataset, np.array([2, 0]), view)
    assert seen.error_px.shape == (2, 3, 2)
    assert seen.visible.tolist() == [[True, True, False], [True, True, True]]
    assert (seen.sigma_px > 0).all()
    assert not seen.is_placed.any()
    other = observe(recipe / "top", dataset, np.array([0]), view)
    assert seen.error_px[1] == pytest.approx(other.error_px[0])
    with pytest.raises(DataError, match="no parts to calibrate on"):
        calibrate_view(recipe / "top", dataset, np.zeros(0, np.int64), view, false_reject=0.1, pictures=tmp_path)
