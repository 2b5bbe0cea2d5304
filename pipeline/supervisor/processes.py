"""The process list: every process of a station, one line each, in the order in which they start."""

from dataclasses import dataclass

from pipeline.camera_settings import HttpSettings
from pipeline.config import Station

ENDS_THE_DAEMON = "ledger"  # when it fails again and again; the others are started again for ever
LOADING_S = 120.0  # loading and qualifying networks may take this long, and a bridge's library on a busy machine


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process: its name, and the `module:function` that is its main. Named, not imported: no CUDA, no GenTL producer here.

    `starting_s`: how long it may take from the start of its main to its work. `has_spare`: another one waits, with everything
    imported, to take its place at once. `can_wait`: no answer waits for it, so that it takes the processor from no other
    process when it is woken (SCHED_BATCH). `comes_last`: nor does a buffer of a camera, so that it has little of a processor that
    others want (SCHED_BATCH and nice).
    """

    name: str
    main: str
    starting_s: float = 30.0
    has_spare: bool = False
    can_wait: bool = False
    comes_last: bool = False

    @property
    def kind(self) -> str:
        """`grab` of `grab.top`."""
        return self.name.partition(".")[0]


def processes(station: Station) -> list[ProcessSpec]:
    """Everything that runs for this station, beside the supervisor."""
    return [
        ProcessSpec("ledger", "pipeline.workers.ledger:main", has_spare=True),
        ProcessSpec("requests", "pipeline.workers.requests:main"),
        ProcessSpec("evidence", "pipeline.workers.evidence:main", can_wait=True),
        ProcessSpec("metrics", "pipeline.sinks.metrics:main", can_wait=True),
        *(
            ProcessSpec(f"bridge.{name}", f"pipeline.sinks.{name}.bridge:main", LOADING_S, comes_last=True)
            for name in station.plc.protocols
        ),
        *(ProcessSpec(f"infer.{n}", "pipeline.workers.infer:main", LOADING_S) for n in range(station.infer.workers)),
        *(ProcessSpec(f"grab.{camera}", "pipeline.workers.grab:main") for camera in station.camera),
        *(
            ProcessSpec(f"http.{camera}", "pipeline.workers.http:main")
            for camera, settings in station.camera.items()
            if isinstance(settings, HttpSettings)
        ),
        *([ProcessSpec("pictures", "pipeline.workers.pictures:main", can_wait=True)] if station.web else []),
        *([ProcessSpec("web", "pipeline.sinks.web.process:main", can_wait=True)] if station.web else []),
    ]
