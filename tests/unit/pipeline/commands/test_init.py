"""`datumd init` with the virtual cameras of the genicam package, and with nothing."""

import argparse
from pathlib import Path

import pytest

from pipeline.commands import init
from pipeline.config import load_station
from pipeline.errors import CameraError, ConfigError
from tests.unit.pipeline.camera.viky import viky_path


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    init.add_parser(parser.add_subparsers())
    args = parser.parse_args(["init", *map(str, arguments)])
    return int(args.run(args))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_the_first_of_the_cameras_that_are_found_is_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "vendor"
    broken.mkdir()
    (broken / "old.cti").write_text("no producer")
    monkeypatch.setenv("GENICAM_GENTL64_PATH", f"{broken}:{viky_path().parent}")
    folder = tmp_path / "line 3 / Ärger".replace(" / ", "-")
    assert run(folder, "--part", "bracket") == 0
    station = load_station(folder / "station.toml")
    assert station.station == "line-3--rger"
    camera = station.camera["top"]
    assert camera.producer == str(viky_path())  # type: ignore[union-attr]
    assert camera.serial == "0"  # type: ignore[union-attr]
    text = (folder / "station.toml").read_text()
    assert '# serial = "1"' in text
    assert '# serial = "2"' in text
    told = capsys.readouterr().out
    assert "old.cti: is not a GenTL producer" in told
    assert "2 more in comments" in told
    assert files(folder) >= {"station.toml", "recipes/bracket/recipe.lock", "recipes/bracket/top/reference/0001.png"}
    assert not [name for name in files(folder) if name.startswith(".")]


def test_where_nothing_is_found_it_is_said_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    with pytest.raises(ConfigError, match=r"no camera was found; allowed: .*--images FOLDER, --simulated"):
        run(tmp_path / "new")
    assert "GENICAM_GENTL64_PATH is not set" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    with pytest.raises(CameraError, match="holds no images"):
        run(tmp_path / "new", "--images", tmp_path / "empty")
    with pytest.raises(CameraError, match="cannot be read"):
        run(tmp_path / "new", "--images", tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="--part"):
        run(tmp_path / "new", "--simulated", "--part", "../other")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["station.toml", "recipes/part"])
def test_nothing_is_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    before = files(tmp_path)
    with pytest.raises(ConfigError, match=f"{name}: is there already; next: datumd init ANOTHER-FOLDER"):
        run(tmp_path, "--simulated")
    assert files(tmp_path) == before
    assert (tmp_path / name).read_text() == "mine"
