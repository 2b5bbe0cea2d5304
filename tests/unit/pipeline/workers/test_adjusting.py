"""Orders to a camera that can be adjusted, to one that cannot, and to one that is gone."""

from collections.abc import Mapping

import pytest

from pipeline.camera.load import open_camera
from pipeline.camera.synthetic import SyntheticCamera
from pipeline.camera_settings import SyntheticSettings
from pipeline.errors import CameraError, CameraLost
from pipeline.messages import Adjusted, Adjusting
from pipeline.workers.adjusting import adjust


class Adjustable(SyntheticCamera):
    """A synthetic camera with features."""

    fault: Exception | None = None

    def adjust(self, features: Mapping[str, bool | int | float | str | None]) -> dict[str, bool | int | float | str]:
        if self.fault is not None:
            raise self.fault
        return {name: 7.0 if value is None else value for name, value in features.items()}


def test_each_order_is_answered_once() -> None:
    told: list[Adjusted] = []
    order = Adjusting(3, {"Gain": 2.0, "ExposureTime": None}, 1, 1)
    adjust(open_camera(SyntheticSettings()), order, told.append)
    camera = Adjustable(SyntheticSettings())
    adjust(camera, order, told.append)
    camera.fault = CameraError("refuses", where="Gain")
    adjust(camera, order, told.append)
    camera.fault = CameraLost("gone", where="top")
    with pytest.raises(CameraLost):
        adjust(camera, order, told.append)
    assert [one.ticket for one in told] == [3, 3, 3, 3]
    assert told[0].fault
    assert told[1] == Adjusted(3, {"Gain": 2.0, "ExposureTime": 7.0}, "")
    assert "refuses" in told[2].fault
    assert "gone" in told[3].fault
