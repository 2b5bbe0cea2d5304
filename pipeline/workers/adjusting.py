"""Features of a running camera, set while the station is set up."""

from collections.abc import Callable

from pipeline.camera.source import Camera, CanAdjust
from pipeline.errors import CameraError, CameraLost
from pipeline.messages import Adjusted, Adjusting


def adjust(camera: Camera, order: Adjusting, tell: Callable[[Adjusted], None]) -> None:
    """Carry out an order, and tell what became of it. Raises CameraLost, with the order answered."""
    if not isinstance(camera, CanAdjust):
        tell(Adjusted(order.ticket, {}, "this kind of camera has no features to set"))
        return
    try:
        values = camera.adjust(order.features)
    except (CameraError, CameraLost) as error:
        tell(Adjusted(order.ticket, {}, str(error)))
        if isinstance(error, CameraLost):
            raise
        return
    tell(Adjusted(order.ticket, values, ""))
