"""The figures of the cameras."""

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge

from pipeline.loss import LOSS_KINDS
from pipeline.status import CameraReport

CountTo = Callable[[Counter, int, float], None]


class CameraFigures:
    """Whether each camera is there, and what came of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._up = Gauge("datumd_camera_up", "1 when the camera is connected and armed.", ["camera"], registry=registry)
        self._last_frame = Gauge(
            "datumd_camera_last_frame_timestamp_seconds",
            "UTC time of the camera's last frame.",
            ["camera"],
            registry=registry,
        )
        self._frames = Counter(
            "datumd_camera_frames", "Frames taken over from the camera.", ["camera"], registry=registry
        )
        self._losses = Counter(
            "datumd_camera_losses",
            "Frames that the camera, its transport or a full queue lost.",
            ["camera", "reason"],
            registry=registry,
        )

    def observe(self, camera: CameraReport, count_to: CountTo) -> None:
        """Take a report into account; totals in it go on over restarts of the ledger."""
        self._up.labels(camera.camera).set(camera.up)
        count_to(self._frames.labels(camera.camera), 0, camera.frames)
        for reason in LOSS_KINDS:
            count_to(self._losses.labels(camera.camera, reason.value), 0, camera.losses.get(reason.value, 0))
        if camera.last_frame_time:
            seen = datetime.fromisoformat(camera.last_frame_time)
            self._last_frame.labels(camera.camera).set(seen.timestamp())
