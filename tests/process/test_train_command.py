"""`datumd train` and `datumd evaluate` as a person runs them: killed, resumed, evaluated, and refused."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.network import CoarseCard, RefineCard, load_network
from pipeline.recipe import load_recipe
from tests.unit.training.conftest import METHOD, NAMES, write_set

LIMIT_S = 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small set and two methods of which one would train for ever."""
    folder = tmp_path_factory.mktemp("train")
    write_set(folder / "set", 12)
    (folder / "short.toml").write_text(METHOD)
    coarse, refine = METHOD.split("[refine]")
    (folder / "endless.toml").write_text(coarse + "[refine]" + refine.replace("steps = 12", "steps = 1000000"))
    return folder


def arguments(folder: Path, method: str, *more: str) -> list[str]:
    data = ["--coco", str(folder / "set/annotations.json"), "--images", str(folder / "set/images")]
    out = ["--out", str(folder / "recipes/square"), "--threads", "1"]
    return [sys.executable, "-m", "pipeline", "train", str(folder / method), *data, *out, *more]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.fixture(scope="module")
def resumed(folder: Path) -> subprocess.CompletedProcess[str]:
    """A training that was killed in its second half and then finished."""
    with subprocess.Popen(arguments(folder, "endless.toml"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith("coarse 12/12") for line in process.stdout)
        checkpoint = folder / "recipes/square.training/top/coarse.checkpoint"
        wait_until = time.monotonic() + LIMIT_S
        while not checkpoint.exists() and time.monotonic() < wait_until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "recipes/square").exists()
    return run(arguments(folder, "short.toml", "--resume"))


def test_a_killed_training_goes_on(resumed: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert resumed.returncode == 0, resumed.stderr
    lines = resumed.stdout.splitlines()
    assert "coarse: goes on at step 12 of 12" in lines
    assert any(line.startswith("refine 12/12  position ") for line in lines)
    assert lines[-1] == f"next: datumd seal {folder}/recipes/square --frames top={folder}/set/images"


def test_it_leaves_a_recipe_whose_networks_fit(resumed: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert resumed.returncode == 0
    recipe = load_recipe(folder / "recipes/square", sealed=False)
    assert (recipe.name, recipe.number) == ("square", 3)
    view = recipe.views["top"]
    assert view.settings.keypoints == NAMES
    assert set(view.thresholds.keypoint) == set(NAMES)
    assert load_network(view.coarse, CoarseCard).card.small_wh == (96, 80)
    assert view.refine is not None
    assert load_network(view.refine, RefineCard).card.spans_px == [48.0, 24.0]
    assert (folder / "recipes/square.training/top/curves.png").stat().st_size > 1000


def test_the_recipe_can_be_evaluated(resumed: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert resumed.returncode == 0
    figures = folder / "figures.json"
    data = ["--coco", str(folder / "set/annotations.json"), "--images", str(folder / "set/images")]
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "evaluate",
        str(folder / "recipes/square"),
        *data,
        "--json",
        str(figures),
    ]
    finished = run(command)
    assert finished.returncode == 0, finished.stderr
    report = json.loads(figures.read_text())
    assert (report["parts"], report["lost"]) == (12, 0)
    assert report["refined"]["count"] == 32  # 12 parts of 3 keypoints, of which 4 are missing
    assert [row["name"] for row in report["keypoints"]] == NAMES
    assert f"{report['refined']['mean']:.2f}" in finished.stdout
    assert (folder / "figures-worst.png").stat().st_size > 1000


def test_what_is_wrong_is_said_in_one_line(folder: Path) -> None:
    (folder / "wrong.toml").write_text(METHOD.replace("small_wh = [96, 80]", "small_wh = [96, 81]"))
    finished = run(arguments(folder, "wrong.toml"))
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1
    assert "wrong.toml: view.small_wh: [96, 81] does not fit the backbone; allowed: multiples of 16" in finished.stderr
