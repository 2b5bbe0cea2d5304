"""Whether a camera is the one that its calibration is of, and set as it was then."""

from pathlib import Path

from pipeline.calibration_file import read_calibration
from pipeline.camera.source import CameraInfo
from pipeline.errors import CameraError, ConfigError


def refuse_other_camera(name: str, file: str, info: CameraInfo) -> None:
    """Refuse a connected camera that a calibration file, "" for none, is not of.

    Raises:
        CameraError: another serial number, size of pictures or part of the sensor, or the file cannot be read.
    """
    if not file:
        return
    try:
        mismatch = read_calibration(Path(file)).mismatch(info.serial, (info.width, info.height), info.readout)
    except ConfigError as problem:  # somebody is changing it: the camera is tried again, the worker lives
        raise CameraError(str(problem), where=f"camera {name}") from None
    if mismatch:
        raise CameraError(
            f"the calibration {mismatch}",
            where=f"camera {name}: {file}",
            allowed="the camera and the region that were calibrated",
            next_command="set the camera as it was; or datumd calibrate lens and datumd calibrate plane",
        )
