"""What the daemon says of itself on the wire: heartbeats and status."""

import msgspec

from pipeline.result import SCHEMA_VERSION


class Heartbeat(msgspec.Struct, frozen=True):
    """Once a second, so that a gap at the tail of the stream shows: `last_seq` is the newest result's number."""

    station: str
    session: int
    last_seq: int
    creation_time: str
    schema_version: int = SCHEMA_VERSION


class CameraReport(msgspec.Struct, frozen=True):
    """One camera.

    `triggers` is "counted" where its own line counter is the account of triggers, else "unverified".
    `last_frame_time` is RFC 3339 UTC, None when there was none.
    """

    camera: str
    view: str
    up: bool
    text: str
    triggers: str
    frames: int
    losses: dict[str, int]
    last_frame_time: str | None


class ProcessReport(msgspec.Struct, frozen=True):
    """One process, as the operating system sees it."""

    name: str
    pid: int
    state: str
    resident_bytes: int
    cpu_seconds: float
    restarts: int = 0


class Status(msgspec.Struct, frozen=True):
    """Once a second: how the station is. `state` is Ready when recipe, workers and all cameras are."""

    station: str
    session: int
    state: str
    text: str
    version: str
    recipe_id: int | None
    product_id: str
    configuration_id: str
    backend: str
    cameras: list[CameraReport]
    processes: list[ProcessReport]
    triggers: int
    open_parts: int
    results: dict[str, int]
    late_results: int
    late_frames: int
    started_time: str
    schema_version: int = SCHEMA_VERSION
