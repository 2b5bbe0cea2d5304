"""What the book must know of the station."""

from dataclasses import dataclass

from pipeline.config import Station
from pipeline.ledger.triggers import LARGEST_COUNTER_STEP

LATE_NS = 2_000_000_000  # a worker that stands still for so long is killed, and delivers no burst of late frames


@dataclass(frozen=True, slots=True)
class BookSettings:
    """What the book must know of the station.

    Attributes:
        views: camera name to view name, in the order of the station.
        joined: whether views of one part share a trigger number; else every frame is a part of its own.
        deadline_ns: from the trigger to its answer.
        queue_depth: parts that may wait for a worker.
        policy: what happens when more wait: drop_oldest, drop_latest, or wait (sources that can).
        slots: of the frame ring.
        hold_ns: how long an answered frame may wait for the copier.
        largest_step: by how much a counter may move between two readings and be believed at once.
        late_ns: for how long a camera's frames must have found no open part before its numbers are taken for wrong; and for how
            long no counter must have moved before they are compared. Longer than a counter takes to be read again.
    """

    views: dict[str, str]
    joined: bool
    deadline_ns: int
    queue_depth: int
    policy: str
    slots: int
    hold_ns: int = 200_000_000
    largest_step: int = LARGEST_COUNTER_STEP
    late_ns: int = 0

    @classmethod
    def of(cls, station: Station, slots: int) -> "BookSettings":
        """As the station file says; `slots` is the number of the frame ring's."""
        return cls(
            views=station.views,
            joined=station.part.join == "trigger",
            deadline_ns=int(station.part.deadline_ms * 1e6),
            queue_depth=station.ring.queue_depth,
            policy=station.ring.policy,
            slots=slots,
            hold_ns=int(station.archive.hold_ms * 1e6),
            late_ns=LATE_NS,
        )
