"""calibration.toml: what is known of one camera's lens and of the plane that it measures in. `datumd calibrate` writes it."""

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from pipeline import toml_file
from pipeline.errors import ConfigError
from pipeline.lens_model import LENSES, Array, Lens, make_lens
from pipeline.plane_map import PlaneMap

NEXT = "datumd calibrate lens --help, then datumd calibrate plane --help"
_POSE = 6
_Side = Annotated[int, msgspec.Meta(ge=8, le=65_536)]
_NotNegative = Annotated[float, msgspec.Meta(ge=0.0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]
_Rows = Annotated[list[list[float]], msgspec.Meta(max_length=32)]
_ROUNDING = 1e-9  # of a covariance's own scale: an eigenvalue that far below 0 is 0


class LensPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The lens.

    Attributes:
        model: key in LENSES.
        values: its parameters by name.
        covariance: of them, in the order of the model's names.
        residual_px: root mean square of what the views' points lie off.
        views, points: how many it was found from.
        board: as `datumd calibrate` reads it.
    """

    model: Literal["brown", "fisheye", "affine"]
    values: dict[str, float]
    covariance: _Rows
    residual_px: _NotNegative
    views: _Count
    points: _Count
    board: str


class PlanePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The plane that the board's printed side lay in.

    Attributes:
        values: of the lens as this view of the board improves it.
        pose: of the board, as the lens's model has it.
        covariance: of both, jointly.
        board_length_sigma: relative standard uncertainty of the lengths that the board states of itself.
        residual_px, points, board: as of the lens.
        made: when.
    """

    values: dict[str, float]
    pose: Annotated[list[float], msgspec.Meta(min_length=_POSE, max_length=_POSE)]
    covariance: _Rows
    board_length_sigma: Annotated[float, msgspec.Meta(ge=0.0, le=0.1)]
    residual_px: _NotNegative
    points: _Count
    board: str
    made: str


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One camera as it was when it was calibrated.

    Attributes:
        camera: serial number of the camera.
        image_wh: size of its pictures, px.
        readout: which part of its sensor they are, as CameraInfo tells it.
        made: when the lens was calibrated, UTC.
    """

    format: Literal[1] = 1
    camera: str
    image_wh: tuple[_Side, _Side]
    readout: str = ""
    made: str
    lens: LensPart
    plane: PlanePart | None = None

    def lens_model(self) -> Lens:
        """What draws, as the views of the lens alone say."""
        return _lens(self.lens.model, self.lens.values, self.image_wh)

    def plane_map(self) -> PlaneMap:
        """From px to mm of the plane. Raises ConfigError where there is none yet."""
        if self.plane is None:
            raise ConfigError("has no plane yet", where="calibration", next_command="datumd calibrate plane --help")
        count = len(self.lens.values) + _POSE
        covariance = np.zeros((count + 2, count + 2))
        covariance[:count, :count] = self.plane.covariance
        covariance[-1, -1] = self.plane.board_length_sigma**2
        lens = _lens(self.lens.model, self.plane.values, self.image_wh)
        return PlaneMap(lens, np.array(self.plane.pose), covariance)

    def mismatch(self, serial: str, image_wh: tuple[int, int], readout: str) -> str:
        """Why pictures of this camera cannot be measured by it; "" where they can."""
        if serial != self.camera:
            return f"is of camera {self.camera!r}, this one is {serial!r}"
        if image_wh != self.image_wh:
            told = "{} x {}".format(*self.image_wh)
            return f"is of pictures of {told} px, the camera gives {image_wh[0]} x {image_wh[1]}"
        if readout != self.readout:
            return f"is of a sensor read as {self.readout or 'a whole'}, this one is read as {readout or 'a whole'}"
        return ""


def read_calibration(path: Path) -> Calibration:
    """Read a calibration.

    Raises:
        ConfigError: missing, no calibration, parameters that are not the model's, or a covariance that is none.
    """
    if not path.exists():
        raise ConfigError("there is no such calibration", where=str(path), next_command=NEXT)
    calibration = toml_file.read(path, Calibration, ConfigError)
    names = LENSES[calibration.lens.model].names
    parts: list[tuple[str, LensPart | PlanePart, int]] = [("lens", calibration.lens, len(names))]
    if calibration.plane is not None:
        parts.append(("plane", calibration.plane, len(names) + _POSE))
    for key, part, size in parts:
        if set(part.values) != set(names):
            raise ConfigError(
                f"holds {', '.join(sorted(part.values))}",
                where=toml_file.at(path, key, "values"),
                allowed=f"{', '.join(names)}, as of the model {calibration.lens.model}",
            )
        fault = _fault(part.covariance, size)
        if fault:
            raise ConfigError(
                fault, where=toml_file.at(path, key, "covariance"), allowed=f"a covariance of {size} numbers"
            )
    if calibration.lens.model != "affine" and not min(_lens_values(calibration, names)[:2]) > 0.0:
        raise ConfigError("fx and fy must be above 0", where=toml_file.at(path, "lens", "values"))
    return calibration


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write it whole or not at all, so that read_calibration gives it back. Raises ConfigError where it cannot be written."""
    lines = ["# Written by datumd calibrate: what is changed by hand is no calibration any more."]
    lines += [
        f"format = {calibration.format}",
        f"camera = {_text(calibration.camera)}",
        f"image_wh = {list(calibration.image_wh)}",
        f"readout = {_text(calibration.readout)}",
        f"made = {_text(calibration.made)}",
    ]
    for key, part in (("lens", calibration.lens), ("plane", calibration.plane)):
        if part is not None:
            lines += ["", f"[{key}]", *_table(part)]
    draft = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as problem:
        raise ConfigError(f"cannot be written ({problem.strerror})", where=str(path)) from None
    finally:
        draft.unlink(missing_ok=True)


def _table(part: LensPart | PlanePart) -> list[str]:
    lines = []
    for key, value in msgspec.structs.asdict(part).items():
        if isinstance(value, dict):
            lines.append(f"{key} = {{ {', '.join(f'{name} = {number!r}' for name, number in value.items())} }}")
        elif key == "covariance":
            lines += [f"{key} = [", *(f"  {row!r}," for row in value), "]"]
        else:
            lines.append(f"{key} = {_text(value) if isinstance(value, str) else repr(value)}")
    return lines


def _text(text: str) -> str:
    """As TOML writes it: its escapes are those of JSON, but for DEL."""
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def _lens(model: str, values: dict[str, float], image_wh: tuple[int, int]) -> Lens:
    return make_lens(model, np.array([values[name] for name in LENSES[model].names]), image_wh)


def _lens_values(calibration: Calibration, names: tuple[str, ...]) -> list[float]:
    tables = [calibration.lens.values, *([calibration.plane.values] if calibration.plane else [])]
    return [min(table[name] for table in tables) for name in names]


def _fault(rows: list[list[float]], size: int) -> str:
    """What is wrong with a covariance; "" where nothing is."""
    if len(rows) != size or any(len(row) != size for row in rows):
        return f"is not {size} rows of {size} numbers"
    matrix: Array = np.array(rows)
    scale = np.sqrt(np.abs(np.diag(matrix)))
    if (np.diag(matrix) < 0.0).any() or (np.abs(matrix) > 1e200).any():
        return "has variances that are none"
    unit = matrix / np.where(scale > 0.0, scale, 1.0)[:, None] / np.where(scale > 0.0, scale, 1.0)
    if np.abs(unit - unit.T).max() > _ROUNDING or np.linalg.eigvalsh(unit).min() < -_ROUNDING * size:
        return "is not symmetric and positive"
    return ""
