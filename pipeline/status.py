"""What the daemon says of itself on the wire: heartbeats and status."""

from enum import StrEnum

import msgspec

from pipeline.requests import RecipeEntry
from pipeline.result import SCHEMA_VERSION


class StationState(StrEnum):
    """States of OPC 40100-1 (Machine Vision, vision state machine)."""

    Preoperational = "Preoperational"  # recipes are being loaded
    Initialized = "Initialized"  # recipes are loaded, cameras are being connected
    Ready = "Ready"  # stopped: only software triggers are inspected
    SingleExecution = "SingleExecution"  # stopped, and one of those is being inspected
    ContinuousExecution = "ContinuousExecution"  # every trigger is inspected
    Error = "Error"  # the text says what; what can go on does
    Halted = "Halted"  # the daemon ends


class Heartbeat(msgspec.Struct, frozen=True):
    """Once a second, so that a gap at the tail of the stream shows: `last_seq` is the newest result's number.

    `control_port` is where this host answers requests for results that were missed.
    """

    station: str
    session: int
    last_seq: int
    creation_time: str
    control_port: int = 0
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
    """One process, as the operating system sees it.

    `warmed` counts how often it ran all networks of a recipe for no part, to keep them warm.
    """

    name: str
    pid: int
    state: str
    resident_bytes: int
    cpu_seconds: float
    restarts: int = 0
    warmed: int = 0


class JournalReport(msgspec.Struct, frozen=True):
    """The journal. `fault` is "" while results reach the disk; `unwritten` wait in memory, `forgotten` found no room there."""

    fault: str = ""
    unwritten: int = 0
    forgotten: int = 0
    set_aside: str = ""


class EvidenceReport(msgspec.Struct, frozen=True):
    """The images worth keeping. `lost` counts those that could not be kept; `fault` is "" while all is well."""

    fault: str = ""
    stored: int = 0
    lost: int = 0
    used_bytes: int = 0
    images: int = 0


class MasterReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """One master of the selected recipe: what must be found, whether it is due, and what was found instead the last time."""

    part_id: str
    expected: str
    is_due: bool = False
    fault: str = ""


class MastersReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """The masters of the selected recipe, and a line for each of their measurements that is out of control."""

    parts: list[MasterReport] = []
    drift: list[str] = []


class Status(msgspec.Struct, frozen=True):
    """Once a second: how the station is."""

    station: str
    session: int
    state: StationState
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
    recipes: list[RecipeEntry] = []
    journal: JournalReport = JournalReport()
    evidence: EvidenceReport = EvidenceReport()
    refused_messages: int = 0
    masters: MastersReport = MastersReport()
    schema_version: int = SCHEMA_VERSION
