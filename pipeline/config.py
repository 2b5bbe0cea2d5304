"""station.toml: this machine. Parsed once, by whoever starts the daemon; the workers get the parsed form."""

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from pipeline import toml_file
from pipeline.bridge_settings import PlcSettings
from pipeline.camera_settings import CameraSettings, FolderSettings, GenicamSettings, HttpSettings, beside
from pipeline.errors import ConfigError
from pipeline.precision import Precision
from pipeline.result import Evaluation
from pipeline.web_settings import WebSettings

GRANTED_AHEAD = 3  # slots that a camera holds ready to fill
PARTS_AT_WORKER = 2  # one being inspected and the next, so that a worker never waits for the ledger

Address = Annotated[str, msgspec.Meta(pattern=r"^(tcp://)?[^\s:/]+:[1-9][0-9]{0,4}\Z")]
TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
LAST_PORT = 65_535
_LOOPBACK = re.compile(r"^(tcp://)?(127\.[0-9]+\.[0-9]+\.[0-9]+|localhost):")


class PartSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One trigger = one part = one answer.

    Attributes:
        views: the views that make a part; default: one for each camera.
        join: "trigger" joins the views that share a trigger number, "frame" makes every frame a part of its own.
        deadline_ms: from the trigger to its answer, which is then given without a verdict.
        part_id: "plc" = the line tells part ids by trigger number (request `bind`); "none" = parts have none but those of
            software triggers.
        pass_: evaluations that let a part pass (`pass` in the file).
    """

    views: list[str] = []
    join: Literal["trigger", "frame"] = "trigger"
    deadline_ms: Annotated[float, msgspec.Meta(ge=1.0, le=600_000.0)] = 500.0
    part_id: Literal["none", "plc"] = "none"
    pass_: list[Evaluation] = msgspec.field(name="pass", default_factory=lambda: [Evaluation.OK])


class ResultsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where results are published (ZeroMQ). Without a table [security] only loopback addresses are allowed."""

    bind: Address = "tcp://127.0.0.1:5570"


class ControlSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where requests are answered (ZeroMQ ROUTER): missed results, triggers, recipes. Default: the port after results.bind."""

    bind: Address | None = None


class SecuritySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CURVE for stream and requests, without which only loopback addresses may be bound.

    Attributes:
        key: file with the station's own key pair (`datumd keys new`), readable by its user alone.
        clients: folder with the public keys of those who may connect, one file NAME.pub each.
    """

    key: str
    clients: str


class ArchiveSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The journal of all results, and the images worth keeping.

    Attributes:
        folder: where they lie; default /var/lib/datumd/STATION where systemd made it, else ~/.local/state/datumd/STATION.
        quota_gb: room for images; over it the oldest OK ones go first, then the oldest others.
        keep_days: how long results (and their images) are kept, by evaluation.
        sample_ok: of so many OK parts one image is kept; 0 = none. Of all others every image is kept.
        hold_ms: how long a frame may wait in memory to be copied before its image is lost.
    """

    folder: str = ""
    quota_gb: Annotated[float, msgspec.Meta(ge=0.0, le=1_000_000.0)] = 10.0
    keep_days: dict[Evaluation, Annotated[float, msgspec.Meta(gt=0.0, le=100_000.0)]] = {}
    sample_ok: Annotated[int, msgspec.Meta(ge=0)] = 20
    hold_ms: Annotated[float, msgspec.Meta(gt=0.0, le=10_000.0)] = 200.0

    def days(self, evaluation: Evaluation) -> float:
        """Days that results of this evaluation are kept."""
        return self.keep_days.get(evaluation, 7.0 if evaluation is Evaluation.OK else 90.0)


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where Prometheus metrics and health are served (HTTP)."""

    bind: Address = "127.0.0.1:9570"


class InferSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Processes that inspect, and what runs their networks.

    Attributes:
        workers: processes.
        threads: of each one's networks, on the processor.
        backend: "auto" takes the best that is present: a GPU where there are plans for it, else the processor.
        precision: that the networks run in.
        without_plan: what happens with backend = "tensorrt" where a recipe has no plan that fits, or there is no GPU:
            "onnxruntime" inspects on the processor, "refuse" does not load the recipe. No plan is made meanwhile.
        plans: folder of the plans that `datumd build` makes; default: this machine's cache.
        batch: frames of so many views of a part, at most, go through the networks together where they wait together and the
            views have the same files. Rounding depends on the size of a batch: with 1 a frame always gives the same numbers.
        keep_warm_ms: the networks are run for nothing so long after they were last used, and again, until a frame comes;
            0 = they are not. A frame that comes meanwhile waits for the end of one network's run.
        cpus: numbers of the processors on which these run, and nothing else of the daemon; [] = the kernel decides.
    """

    workers: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    backend: Literal["auto", "onnxruntime", "openvino", "tensorrt", "tensorrt-rtx"] = "auto"
    precision: Precision = "fp32"
    without_plan: Literal["onnxruntime", "refuse"] = "onnxruntime"
    plans: str = ""
    batch: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    keep_warm_ms: Annotated[float, msgspec.Meta(ge=0.0, le=60_000.0)] = 0.0
    cpus: list[Annotated[int, msgspec.Meta(ge=0)]] = []


class RingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The frames in memory: the largest frame, how many parts may wait for a worker, and what happens when more do."""

    slot_mb: Annotated[float, msgspec.Meta(gt=0.0, le=1024.0)] = 6.0
    queue_depth: Annotated[int, msgspec.Meta(ge=1, le=256)] = 4
    policy: Literal["drop_oldest", "drop_latest", "wait"] = "drop_oldest"


class Station(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One daemon: its cameras, its recipes and its addresses. `shifts` are when shifts start, in the machine's time zone."""

    format: Literal[1]
    station: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")]
    recipes: str
    camera: dict[str, CameraSettings]
    recipe: int | None = None
    language: Literal["en", "de"] = "en"
    shifts: Annotated[list[TimeOfDay], msgspec.Meta(min_length=1, max_length=24)] = msgspec.field(
        default_factory=lambda: ["06:00", "14:00", "22:00"]
    )
    part: PartSettings = PartSettings()
    results: ResultsSettings = ResultsSettings()
    control: ControlSettings = ControlSettings()
    security: SecuritySettings | None = None
    archive: ArchiveSettings = ArchiveSettings()
    metrics: MetricsSettings = MetricsSettings()
    infer: InferSettings = InferSettings()
    ring: RingSettings = RingSettings()
    plc: PlcSettings = PlcSettings()
    web: WebSettings | None = None

    @property
    def views(self) -> dict[str, str]:
        """Camera name to the name of its view."""
        return {name: settings.view or name for name, settings in self.camera.items()}

    @property
    def control_bind(self) -> str:
        """Address of the requests: `control.bind`, or the port after the results'."""
        if self.control.bind:
            return self.control.bind
        host, _, port = self.results.bind.rpartition(":")
        return f"{host}:{int(port) + 1}"

    @property
    def addresses(self) -> dict[str, str]:
        """Every address that the daemon binds, by the table whose `bind` it is."""
        fixed = {"results": self.results.bind, "control": self.control_bind, "metrics": self.metrics.bind}
        sent_to = {f"camera.{name}": one.bind for name, one in self.camera.items() if isinstance(one, HttpSettings)}
        return fixed | self.plc.addresses | sent_to | ({"web": self.web.bind} if self.web else {})

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
        archive=msgspec.structs.replace(
            station.archive, folder=str(folder / station.archive.folder) if station.archive.folder else ""
        ),
        infer=msgspec.structs.replace(
            station.infer, plans=str(folder / station.infer.plans) if station.infer.plans else ""
        ),
        security=station.security
        and SecuritySettings(str(folder / station.security.key), str(folder / station.security.clients)),
        camera={name: beside(settings, folder) for name, settings in station.camera.items()},
        plc=station.plc.beside(folder),
        web=station.web and station.web.beside(str(folder)),
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
        if isinstance(settings, HttpSettings):
            _check_http(station, name, settings, path)
    if station.web is not None:
        station.web.check(str(path))
    _check_addresses(station, path)


def _check_http(station: Station, name: str, settings: HttpSettings, path: Path) -> None:
    """A picture that is sent is the whole part, and none displaces another."""
    if len(station.camera) > 1:
        raise ConfigError(
            "pictures are sent to the only camera of a station",
            where=f"{path}: camera.{name}",
            allowed="a station of its own",
        )
    if settings.queue > station.ring.queue_depth:
        raise ConfigError(
            f"is {settings.queue}: more than ring.queue_depth displace each other's pictures",
            where=f"{path}: camera.{name}.queue",
            allowed=f"{station.ring.queue_depth} at most, or a larger ring.queue_depth",
        )


def _check_addresses(station: Station, path: Path) -> None:
    """Each its own, and the ones that clients use open to other machines only where keys are asked for."""
    taken: dict[str, str] = {}
    for table, bind in station.addresses.items():
        where = f"{path}: {table}.bind"
        address = bind.removeprefix("tcp://")
        if int(address.rpartition(":")[2]) > LAST_PORT:
            raise ConfigError(f"{bind} has no such port", where=where, allowed=f"1 to {LAST_PORT}")
        if address in taken:
            raise ConfigError(
                f"{bind} is {taken[address]}.bind, too",
                where=where,
                allowed="another",
            )
        taken[address] = table
        if table in ("results", "control") and station.security is None and not _LOOPBACK.match(bind):
            raise ConfigError(
                f"{bind} is not a loopback address, and without keys anybody may connect",
                where=where,
                allowed="tcp://127.0.0.1:PORT, or a table [security] with key and clients",
                next_command="datumd keys new NAME",
            )
