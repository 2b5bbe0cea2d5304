"""Plans of a recipe: for how many images at a time, where they lie, and what a station does without one."""

import argparse
import pwd
from pathlib import Path

import pytest

from engines.devices import libcuda
from engines.plan import Profile
from pipeline.cli import main
from pipeline.commands import parity
from pipeline.config import InferSettings, load_station
from pipeline.errors import ConfigError, EngineError
from pipeline.inspectors import open_inspector
from pipeline.plans import plans_folder, profiles
from pipeline.recipe import load_recipe
from tests.recipes import KEYPOINTS, make_recipe
from tests.segment_networks import make_defect_recipe

NO_GPU = pytest.mark.skipif(libcuda.missing() is None, reason="there is a GPU here")


@pytest.mark.parametrize(
    ("locate", "coarse", "refine"),
    [
        ("", Profile(1, 1), Profile(4, 4)),
        ("{ nests = [[0, 0, 99, 99], [100, 0, 99, 99], [200, 0, 99, 99]] }", Profile(3, 4), Profile(12, 16)),
        (
            '{ blob = { mode = "grey", cell_px = 4, area_px = [2000.0, 9000.0] }, count = 5 }',
            Profile(5, 8),
            Profile(20, 32),
        ),
        ('{ blob = { mode = "grey", cell_px = 4, area_px = [2000.0, 9000.0] } }', Profile(1, 16), Profile(4, 64)),
    ],
    ids=["fixed", "nests", "counted", "any number"],
)
def test_a_plan_takes_the_parts_of_a_frame_at_a_time(
    tmp_path: Path, locate: str, coarse: Profile, refine: Profile
) -> None:
    assert len(KEYPOINTS) == 4
    view = load_recipe(make_recipe(tmp_path / "part", ["top"], locate=locate, sealed=False), sealed=False).views["top"]
    assert profiles(view) == {view.coarse: coarse, view.refine: refine}


def test_networks_that_find_defects_see_one_part_at_a_time(tmp_path: Path) -> None:
    nests = "{ nests = [[0, 0, 99, 99], [100, 0, 99, 99]] }"
    folder = make_defect_recipe(tmp_path / "part", locate=nests, sealed=False)
    found = {path.name: profile for path, profile in profiles(load_recipe(folder, sealed=False).views["top"]).items()}
    assert found["segment_encoder.onnx"] == found["segment_decoder.onnx"] == Profile(1, 1)
    text = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(text.replace('[view.top.segment]\nwhen = "always"', ""))
    assert len(profiles(load_recipe(folder, sealed=False).views["top"])) == 2


def test_plans_lie_in_the_cache_of_the_machine_or_the_user(tmp_path: Path, home: Path) -> None:
    assert plans_folder(str(tmp_path)) == tmp_path
    assert plans_folder() in (home / ".cache/datumd/plans", Path("/var/cache/datumd/plans"))


def test_a_user_without_a_home_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> object:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert plans_folder() == Path("/var/cache/datumd/plans")


def test_parity_takes_the_cache_that_build_took() -> None:
    parser = argparse.ArgumentParser()
    parity.add_parser(parser.add_subparsers())
    assert parser.parse_args(["parity", "part", "--plans", "plans"]).plans == "plans"


def test_a_station_names_its_plans_beside_itself(tmp_path: Path) -> None:
    text = 'format = 1\nstation = "a"\nrecipes = "recipes"\n[camera.top]\ntype = "folder"\npath = "shots"\n'
    (tmp_path / "station.toml").write_text(text + '[infer]\nbackend = "tensorrt"\nplans = "plans"\n')
    infer = load_station(tmp_path / "station.toml").infer
    assert (infer.plans, infer.without_plan) == (str(tmp_path / "plans"), "onnxruntime")
    (tmp_path / "station.toml").write_text(text + '[infer]\nwithout_plan = "build"\n')
    with pytest.raises(ConfigError, match="without_plan"):
        load_station(tmp_path / "station.toml")


@NO_GPU
def test_without_a_gpu_a_station_inspects_on_the_processor_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = load_recipe(make_recipe(tmp_path / "part", ["top"]))
    inspector = open_inspector(InferSettings(backend="tensorrt", plans=str(tmp_path)), recipe)
    assert inspector.backend.startswith("onnxruntime ")
    assert "recipe part (1) runs on onnxruntime: " in caplog.text
    assert "NVIDIA driver" in caplog.text


@NO_GPU
def test_a_station_may_refuse_instead(tmp_path: Path) -> None:
    recipe = load_recipe(make_recipe(tmp_path / "part", ["top"]))
    with pytest.raises(EngineError, match="NVIDIA driver"):
        open_inspector(InferSettings(backend="tensorrt", without_plan="refuse"), recipe)


@NO_GPU
def test_datumd_build_says_in_one_line_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = make_recipe(tmp_path / "part", ["top"])
    assert main(["build", str(recipe), "--plans", str(tmp_path / "plans")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("datumd: tensorrt: ")
    assert "; next: install NVIDIA's driver" in captured.err
    assert captured.err.count("\n") == 1
    assert main(["build", str(recipe), "--precision", "int8"]) == 2
    assert "datumd quantise" in capsys.readouterr().err
    assert not (tmp_path / "plans").exists()
