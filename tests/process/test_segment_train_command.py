"""`datumd train` and `datumd evaluate` of defects as a person runs them, on a small SAM with random weights."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.recipe import load_recipe
from tests.recipes import make_recipe
from tests.small_sams import write_masked, write_small_sam

LIMIT_S = 240


@pytest.fixture
def small_sam(tmp_path: Path) -> Path:
    """A folder as `save_pretrained` leaves it."""
    return write_small_sam(tmp_path / "sam")


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """16 parts with a scratch, 8 without."""
    return write_masked(tmp_path / "masks", 16, 8)


METHOD = """
steps = 3
images = 2
[augment]
variants = 1
[split]
calibration = 0.25
validation = 0.25
"""


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.mark.time_limit_s(3 * LIMIT_S)
def test_a_short_training_leaves_a_view_that_can_be_evaluated(tmp_path: Path, small_sam: Path, masks: Path) -> None:
    recipe = make_recipe(tmp_path / "recipe", ("top",), sealed=False)
    method, figures = tmp_path / "method.toml", tmp_path / "figures.json"
    method.write_text(METHOD)
    data = ["--sam", small_sam, "--masks", masks, "--out", recipe, "--threads", "1"]
    done = run("train", method, "--method", "prompted_sam", *data)
    assert done.returncode == 0, done.stderr
    assert "24 parts of 24 sorts, 8 of them good: 12 to train, 6 to calibrate, 6 to validate" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("next: write [view.top.segment] in")
    view = load_recipe(recipe, sealed=False).views["top"]
    assert view.segment is not None
    assert view.segment.thresholds.examples == (4, 2)
    assert (tmp_path / "recipe.training" / "top" / "worst.png").stat().st_size > 1000
    judged = run("evaluate", recipe, "--masks", masks, "--labelled", "--json", figures)
    assert judged.returncode == 0, judged.stderr
    assert "24 parts, 8 of them good" in judged.stdout
    assert figures.stat().st_size > 100


def test_what_no_recipe_can_use_is_told_in_one_line(tmp_path: Path, small_sam: Path, masks: Path) -> None:
    (tmp_path / "method.toml").write_text(METHOD + '[network]\nkind = "unet"\n')
    data = ["--sam", small_sam, "--masks", masks, "--out", tmp_path / "out"]
    refused = run("train", tmp_path / "method.toml", "--method", "prompted_sam", *data)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "network.kind is 'unet', which no recipe can use" in refused.stderr
