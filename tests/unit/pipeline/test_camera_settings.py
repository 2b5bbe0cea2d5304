"""The `[camera.NAME]` tables."""

from pathlib import Path

import msgspec
import pytest

from pipeline.camera_settings import (
    CameraSettings,
    FolderSettings,
    GenicamSettings,
    SyntheticSettings,
    VideoSettings,
    beside,
)


def test_features_keep_their_order_and_types() -> None:
    table = {"type": "genicam", "producer": "x.cti", "features": {"B": True, "A": 1, "C": 1.0, "D": "On"}}
    settings = msgspec.convert(table, CameraSettings)
    assert isinstance(settings, GenicamSettings)
    assert list(settings.features.items()) == [("B", True), ("A", 1), ("C", 1.0), ("D", "On")]
    assert isinstance(settings.features["A"], int)
    assert isinstance(settings.features["C"], float)


def test_the_shot_has_a_name_beside_its_features() -> None:
    assert GenicamSettings(producer="x.cti", shots=[{"name": "raking", "ExposureTime": 900.0}]).shot == "raking"
    assert GenicamSettings(producer="x.cti").shot == ""
    assert FolderSettings(path="x").shot == ""


@pytest.mark.parametrize(
    "table",
    [
        {"type": "genicam", "producer": "x.cti", "shots": [{"name": "a"}, {"name": "b"}]},
        {"type": "genicam", "producer": "x.cti", "shots": [{"name": 1}]},
        {"type": "genicam", "producer": "x.cti", "features": {"A": [1]}},
        {"type": "genicam", "producer": "x.cti", "buffers": 1},
        {"type": "genicam", "producer": "x.cti", "exposure": 1.0},
        {"type": "folder", "path": "x", "pixel_format": "Mono10p"},
        {"type": "folder", "path": "x", "rate_hz": -1.0},
        {"type": "synthetic", "frames": "no callable"},
        {"type": "synthetic", "frames": "module:callable\n"},
        {"type": "synthetic", "width": 7},
        {"type": "synthetic", "height": 2},
        {"type": "webcam"},
    ],
)
def test_wrong_tables_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, CameraSettings)


def test_relative_paths_start_at_the_station_file() -> None:
    folder = Path("/etc/datumd")
    assert beside(GenicamSettings(producer="x.cti"), folder) == GenicamSettings(producer="/etc/datumd/x.cti")
    assert beside(GenicamSettings(producer="/opt/x.cti"), folder) == GenicamSettings(producer="/opt/x.cti")
    assert beside(FolderSettings(path="parts"), folder) == FolderSettings(path="/etc/datumd/parts")
    assert beside(VideoSettings(path="a.avi"), folder) == VideoSettings(path="/etc/datumd/a.avi")
    assert beside(SyntheticSettings(), folder) == SyntheticSettings()
