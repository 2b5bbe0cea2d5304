"""The process list: every process of a station, one line each, in the order in which they start."""

from dataclasses import dataclass

from pipeline.config import Station

ENDS_THE_DAEMON = "ledger"  # when it fails again and again; the others are started again for ever


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process: its name, and the `module:function` that is its main. Named, not imported: no CUDA, no GenTL producer here."""

    name: str
    main: str

    @property
    def kind(self) -> str:
        """`grab` of `grab.top`."""
        return self.name.partition(".")[0]


def processes(station: Station) -> list[ProcessSpec]:
    """Everything that runs for this station, beside the supervisor."""
    return [
        ProcessSpec("ledger", "pipeline.workers.ledger:main"),
        ProcessSpec("requests", "pipeline.workers.requests:main"),
        ProcessSpec("evidence", "pipeline.workers.evidence:main"),
        ProcessSpec("metrics", "pipeline.sinks.metrics:main"),
        *(ProcessSpec(f"infer.{number}", "pipeline.workers.infer:main") for number in range(station.infer.workers)),
        *(ProcessSpec(f"grab.{camera}", "pipeline.workers.grab:main") for camera in station.camera),
    ]
