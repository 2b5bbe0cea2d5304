"""What can go wrong on the simulated line, on purpose: which fault, at which trigger or how often, at which camera."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from pipeline.errors import DatumdError


class FaultKind(StrEnum):
    """Faults by the name that the command line and the log use."""

    INCOMPLETE = "incomplete"
    """The buffer is delivered with its second half missing, and says so."""
    DROP = "drop"
    """Exposed, never delivered, as when its packets are lost; the frame id has a gap."""
    IGNORED_EDGE = "ignored_edge"
    """The camera's counter counts the edge, the sensor does not expose."""
    EXTRA_EDGE = "extra_edge"
    """The sensor of the line bounces: one more edge that no part caused."""
    LAST_EDGE_LOST = "last_edge_lost"
    """The frame of the very last edge is never delivered."""
    DARK = "dark"
    """The lamp gives 2% of its light for this exposure."""
    LOSE_DEVICE = "lose_device"
    """The camera disappears for ``seconds``; it must be opened again."""
    POWER_LOSS = "power_loss"
    """As ``lose_device``, and it comes back with its settings of power-on and its counters at 0."""
    WRONG_FORMAT = "wrong_format"
    """As ``lose_device``, and it comes back with pictures in RGB8, until it is lost once more."""
    WRONG_SIZE = "wrong_size"
    """As ``lose_device``, and it comes back with pictures of half the width, until it is lost once more."""
    CORRUPT_NUMBER = "corrupt_number"
    """The frame's trigger number is damaged on the way: it is 1000 too high."""
    HANG = "hang"
    """The producer does not come back from its calls for ``seconds``."""


TIMED = (FaultKind.LOSE_DEVICE, FaultKind.POWER_LOSS, FaultKind.WRONG_FORMAT, FaultKind.WRONG_SIZE, FaultKind.HANG)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a plan.

    Attributes:
        kind: what goes wrong.
        device: index of the camera it happens to; None: every camera.
        at: trigger number, the first is 1; None: drawn with ``probability`` at every trigger.
        probability: 0 to 1, per trigger and camera.
        seconds: how long a lost camera stays away or a call hangs.
    """

    kind: FaultKind
    device: int | None = None
    at: int | None = None
    probability: float = 0.0
    seconds: float = 1.0

    def strikes(self, trigger_number: int, random: Random, *, is_last: bool) -> bool:
        """Whether it happens at this trigger. Draws from ``random`` only when it has a probability."""
        if self.kind is FaultKind.LAST_EDGE_LOST:
            return is_last
        if self.at is not None:
            return self.at == trigger_number
        return self.probability > 0.0 and random.random() < self.probability


def parse_fault(text: str, where: str = "--fault") -> Fault:
    """Read ``KIND[:device=D][:at=N][:p=P][:seconds=S]``, for example ``drop:device=0:at=12`` or ``incomplete:p=0.01``.

    Raises:
        DatumdError: an unknown kind, key or value.
    """
    kind, *settings = text.split(":")
    allowed = f"KIND[:device=D][:at=N][:p=P][:seconds=S] with KIND one of {', '.join(FaultKind)}"
    try:
        values = dict(setting.split("=", 1) for setting in settings)
        fault = Fault(
            kind=FaultKind(kind),
            device=int(values.pop("device")) if "device" in values else None,
            at=int(values.pop("at")) if "at" in values else None,
            probability=float(values.pop("p", 0.0)),
            seconds=float(values.pop("seconds", 1.0)),
        )
    except ValueError:
        raise DatumdError(f"{text!r} is no fault", where=where, allowed=allowed) from None
    if values or not 0.0 <= fault.probability <= 1.0:
        raise DatumdError(f"{text!r} is no fault", where=where, allowed=allowed)
    return fault
