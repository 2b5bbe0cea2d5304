"""station.toml: this machine. Parsed once, by whoever starts the daemon; the workers get the parsed form."""

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from pipeline import toml_file
from pipeline.camera_settings import CameraSettings, FolderSettings, GenicamSettings, beside
from pipeline.errors import ConfigError
from pipeline.result import Evaluation

GRANTED_AHEAD = 3  # slots that a camera holds ready to fill
PARTS_AT_WORKER = 2  # one being inspected and the next, so that a worker never waits for the ledger

Address = Annotated[str, msgspec.Meta(pattern=r"^(tcp://)?[^\s:/]+:[1-9]\d{0,4}\Z")]
_LOOPBACK = re.compile(r"^(tcp://)?(127\.\d+\.\d+\.\d+|localhost):")


class PartSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One trigger = one part = one answer.

    Attributes:
        views: the views that make a part; default: one for each camera.
        join: "trigger" joins the views that share a trigger number, "frame" makes every frame a part of its own.
        deadline_ms: from the trigger to its answer, which is then given without a verdict.
        pass_: evaluations that let a part pass (`pass` in the file).
    """

    views: list[str] = []
    join: Literal["trigger", "frame"] = "trigger"
    deadline_ms: Annotated[float, msgspec.Meta(ge=1.0, le=600_000.0)] = 500.0
    pass_: list[Evaluation] = msgspec.field(name="pass", default_factory=lambda: [Evaluation.OK])


class ResultsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where results are published (ZeroMQ). Only loopback addresses are allowed, as nothing on the stream is encrypted."""

    bind: Address = "tcp://127.0.0.1:5570"


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where Prometheus metrics and health are served (HTTP)."""

    bind: Address = "127.0.0.1:9570"


class InferSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Processes that inspect, the threads of each one's networks, and the backend that runs them."""

    workers: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    backend: Literal["auto", "onnxruntime"] = "auto"


class RingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The frames in memory: the largest frame, how many parts may wait for a worker, and what happens when more do."""

    slot_mb: Annotated[float, msgspec.Meta(gt=0.0, le=1024.0)] = 6.0
    queue_depth: Annotated[int, msgspec.Meta(ge=1, le=256)] = 4
    policy: Literal["drop_oldest", "drop_latest", "wait"] = "drop_oldest"


class Station(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One daemon: its cameras, its recipes and its addresses."""

    format: Literal[1]
    station: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")]
    recipes: str
    camera: dict[str, CameraSettings]
    recipe: int | None = None
    language: Literal["en", "de"] = "en"
    part: PartSettings = PartSettings()
    results: ResultsSettings = ResultsSettings()
    metrics: MetricsSettings = MetricsSettings()
    infer: InferSettings = InferSettings()
    ring: RingSettings = RingSettings()

    @property
    def views(self) -> dict[str, str]:
        """Camera name to the name of its view."""
        return {name: settings.view or name for name, settings in self.camera.items()}

    @property
    def ring_slots(self) -> int:
        """Slots that the frames granted, waiting, being inspected and just answered may take together."""
        per_view = self.ring.queue_depth + (PARTS_AT_WORKER + 1) * self.infer.workers + 2
        return len(self.camera) * (GRANTED_AHEAD + per_view)


def load_station(path: Path) -> Station:
    """Read a station file.

    Raises:
        ConfigError: the file is missing, is not TOML, has an unknown key or a value that is not allowed.
    """
    table = toml_file.read_table(path, ConfigError)
    cameras = table.get("camera")
    for settings in cameras.values() if isinstance(cameras, dict) else []:
        if isinstance(settings, dict):
            settings.setdefault("type", "genicam")
    station = toml_file.convert(table, Station, path, ConfigError)
    folder = path.parent
    station = msgspec.structs.replace(
        station,
        recipes=str(folder / station.recipes),
        camera={name: beside(settings, folder) for name, settings in station.camera.items()},
    )
    _check(station, path)
    return station


def _check(station: Station, path: Path) -> None:
    """What the types cannot say."""
    if not station.camera:
        raise ConfigError("no camera", where=str(path), allowed="at least one table [camera.NAME]")
    views = list(station.views.values())
    if len(set(views)) != len(views):
        raise ConfigError(f"two cameras give the same view ({', '.join(views)})", where=f"{path}: camera.*.view")
    if station.part.views and sorted(station.part.views) != sorted(views):
        raise ConfigError(
            f"{station.part.views} are not the views of the cameras",
            where=f"{path}: part.views",
            allowed=str(sorted(views)),
        )
    for name, settings in station.camera.items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", name):
            raise ConfigError(
                f"{name!r} is no name for a camera", where=f"{path}: camera", allowed="letters, digits, - and _"
            )
        if (
            len(views) > 1
            and station.part.join == "trigger"
            and isinstance(settings, GenicamSettings)
            and not settings.trigger_number
        ):
            raise ConfigError(
                "views can be joined only where every camera numbers its triggers",
                where=f"{path}: camera.{name}.trigger_number",
                allowed='a chunk feature with the line counter, such as "ChunkCounterValue", or part.join = "frame"',
            )
        if isinstance(settings, GenicamSettings) and settings.trigger_counter and not settings.trigger_number:
            raise ConfigError(
                "triggers are counted, but no frame says which one it is of: each would be answered twice",
                where=f"{path}: camera.{name}.trigger_counter",
                allowed="only together with trigger_number",
            )
        if (
            station.ring.policy == "wait"
            and not isinstance(settings, FolderSettings)
            and settings.__struct_config__.tag != "video"
        ):
            raise ConfigError(
                f"camera {name} cannot wait",
                where=f"{path}: ring.policy",
                allowed="wait is for folders and videos; drop_oldest, drop_latest",
            )
    if station.results.bind.removeprefix("tcp://") == station.metrics.bind.removeprefix("tcp://"):
        raise ConfigError(
            f"{station.metrics.bind} is where the results are published",
            where=f"{path}: metrics.bind",
            allowed="another",
        )
    if not _LOOPBACK.match(station.results.bind):
        raise ConfigError(
            f"{station.results.bind} is not a loopback address",
            where=f"{path}: results.bind",
            allowed="tcp://127.0.0.1:PORT",
        )
