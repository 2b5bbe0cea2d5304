"""calibration.toml: written and read the same, refused where it is of something else or makes no sense."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipeline.calibration_file import Calibration, LensPart, PlanePart, read_calibration, write_calibration
from pipeline.camera.calibrated import refuse_other_camera
from pipeline.camera.source import CameraInfo
from pipeline.config import load_station
from pipeline.errors import CameraError, ConfigError
from pipeline.frame import PixelFormat
from pipeline.inspectors import calibrated
from pipeline.lens_model import LENSES

NAMES = LENSES["brown"].names
VALUES = dict(zip(NAMES, (1000.0, 1001.0, 640.0, 511.5, -0.2, 0.05, 1e-4, -1e-4, 0.001), strict=True))


def calibration(**changes: object) -> Calibration:
    rng = np.random.default_rng(4)
    spread = rng.normal(size=(15, 15)) * 1e-5
    joint = (spread @ spread.T).tolist()
    lens = LensPart(
        model="brown",
        values=VALUES,
        covariance=[row[:9] for row in joint[:9]],
        residual_px=0.031,
        views=12,
        points=480,
        board="charuco:11x8:10mm",
    )
    plane = PlanePart(
        values=VALUES,
        pose=[0.01, -0.02, 0.03, -50.0, -40.0, 300.0],
        covariance=joint,
        board_length_sigma=1e-4,
        residual_px=0.02,
        points=70,
        board="charuco:11x8:10mm",
        made="2026-11-22T10:00:00Z",
    )
    told = Calibration(
        camera='SN "7"\x7f',
        image_wh=(1280, 1024),
        readout="OffsetX=64",
        made="2026-11-21T10:00:00Z",
        lens=lens,
        plane=plane,
    )
    return msgspec.structs.replace(told, **changes)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "top.toml"
    write_calibration(path, calibration())
    assert read_calibration(path) == calibration()
    plane = read_calibration(path).plane_map()
    assert plane.states_uncertainty
    ends = plane.to_px([[0.0, 0.0], [100.0, 0.0]])
    raised = plane.at_height(3.0, 0.5)
    along = np.array([-1.0, 0.0, 1.0, 0.0])
    shorter = (raised.to_mm(ends)[1] - raised.to_mm(ends)[0])[0]
    assert shorter == pytest.approx(99.0, abs=0.1)  # 3 of 300 mm nearer to the camera
    assert np.sqrt(along @ raised.covariance_mm2(ends) @ along) == pytest.approx(0.5 / 300 * 100, rel=0.1)
    write_calibration(path, calibration(plane=None))
    with pytest.raises(ConfigError, match="has no plane yet"):
        read_calibration(path).plane_map()


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("k3 = ", "k7 = ", "lens.values"),
        ("fx = 1000.0", "fx = -3.0", "fx and fy"),
        ("board_length_sigma = 0.0001", "board_length_sigma = -1.0", "board_length_sigma"),
        ("pose = [0.01, ", "pose = [", "pose"),
        ('model = "brown"', 'model = "fisheye"', "lens.values"),
        ("format = 1", "format = 2", "format"),
        ("residual_px = 0.031", "residual_px = nan", "finite"),
        ("covariance = [\n  [", "covariance = [\n  [-", "covariance"),
        ("covariance = [\n  [", "covariance = [\n  [0.5, ", "covariance"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(tmp_path: Path, old: str, new: str, what: str) -> None:
    path = tmp_path / "top.toml"
    write_calibration(path, calibration())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=what):
        read_calibration(path)


def info(**changes: object) -> CameraInfo:
    told = {"serial": 'SN "7"\x7f', "width": 1280, "height": 1024, "readout": "OffsetX=64"} | changes
    return CameraInfo(
        "v", "m", pixel_format=PixelFormat.Mono8, payload_bytes=1, counts_triggers=True, is_simulated=False, **told
    )  # type: ignore[arg-type]


def test_another_camera_or_region_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "top.toml"
    write_calibration(path, calibration())
    refuse_other_camera("top", str(path), info())
    refuse_other_camera("top", "", info(serial="any"))
    for change in ({"serial": "8"}, {"width": 1276}, {"readout": ""}):
        with pytest.raises(CameraError, match=r"camera top.*the calibration is of"):
            refuse_other_camera("top", str(path), info(**change))
    path.write_text("nonsense")
    with pytest.raises(CameraError, match="TOML"):
        refuse_other_camera("top", str(path), info())


def test_a_station_names_it_beside_itself(tmp_path: Path) -> None:
    write_calibration(tmp_path / "top.toml", calibration())
    station = tmp_path / "station.toml"
    text = (
        'format = 1\nstation = "s"\nrecipes = "."\n[camera.a]\ntype = "synthetic"\nview = "top"\ncalibration = "{}"\n'
    )
    station.write_text(text.format("top.toml"))
    assert calibrated(load_station(station))["top"].height_mm == 0.0
    station.write_text(text.format("lost.toml"))
    with pytest.raises(ConfigError, match=r"lost\.toml.*no such calibration.*datumd calibrate"):
        calibrated(load_station(station))
