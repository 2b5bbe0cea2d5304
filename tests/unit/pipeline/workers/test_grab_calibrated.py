"""The grab worker beside a calibration: only the camera that it is of comes up."""

from pathlib import Path

import msgspec
import pytest

from pipeline.calibration_file import write_calibration
from pipeline.camera_settings import SyntheticSettings
from pipeline.messages import CameraStatus
from tests.unit.pipeline.test_calibration_file import calibration
from tests.unit.pipeline.workers.played_ledger import SIDE, at_work, scene


@pytest.mark.parametrize(
    ("serial", "width", "text"),
    [
        ("seed 0", SIDE, f"datumd synthetic seed 0 {SIDE}x{SIDE} Mono8"),
        ("seed 1", SIDE, "the calibration is of camera 'seed 1', this one is 'seed 0'"),
        (
            "seed 0",
            2 * SIDE,
            f"the calibration is of pictures of {2 * SIDE} x {SIDE} px, the camera gives {SIDE} x {SIDE}",
        ),
    ],
)
def test_only_the_calibrated_camera_comes_up(
    tmp_path: Path, run_dir: Path, station_name: str, serial: str, width: int, text: str
) -> None:
    file = tmp_path / "top.toml"
    told = msgspec.structs.replace(calibration(), camera=serial, image_wh=(width, SIDE), readout="")
    write_calibration(file, told)
    camera = SyntheticSettings(
        width=SIDE, height=SIDE, rate_hz=0.0, frames="tests.pictures:plain", calibration=str(file)
    )
    with scene(run_dir, station_name, {"top": camera}) as made, at_work(made.worker("top")):
        status = made.ledger.hear(CameraStatus)
        assert isinstance(status, CameraStatus)
        assert status.up == (serial == "seed 0" and width == SIDE)
        assert text in status.text
