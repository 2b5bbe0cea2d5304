"""What the book speaks of: parts with their frames, and the actions that it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.frame import FrameInfo
from pipeline.loss import LossKind


@dataclass(slots=True)
class ViewFrame:
    """A frame of a part: where it lies and who it is."""

    camera: str
    slot: int
    generation: int
    info: FrameInfo

    @property
    def key(self) -> tuple[int, int]:
        """(slot, generation), which no other frame of this ring has."""
        return self.slot, self.generation


@dataclass(slots=True)
class Part:
    """One trigger's part, from its first sign to its answer.

    Attributes:
        number: the book's own number of it, not the trigger's.
        domain: "" where views are joined, else the camera.
        trigger_number: None where nothing counts triggers, and for a software trigger that no camera has taken.
        software: key of the software trigger, None for a trigger from the line.
        part_id: known at the latest when the part is answered; "" where it has none.
        recipe: number of the recipe that was selected when the part was opened.
        lost: views that will not come, and why.
        ended: why it is answered without a look at its views.
        is_recovered: an earlier ledger took its frames in.
        count: its number is one of this count: how often the counters had been reset.
    """

    number: int
    domain: str
    trigger_number: int | None
    opened_ns: int
    deadline_ns: int
    recipe: int = 0
    software: int | None = None
    part_id: str = ""
    frames: dict[str, ViewFrame] = field(default_factory=dict)
    lost: dict[str, LossKind] = field(default_factory=dict)
    ended: LossKind | None = None
    dispatched: set[str] = field(default_factory=set)
    worker: str | None = None
    dispatched_ns: int = 0
    deaths: int = 0
    is_recovered: bool = False
    count: int = 0

    def is_complete(self, views: list[str]) -> bool:
        """Whether every view has been given to the worker."""
        return all(view in self.dispatched for view in views)


@dataclass(frozen=True, slots=True)
class Grant:
    """Tell the camera's worker to fill this slot."""

    camera: str
    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Fire:
    """Tell the camera's worker to give its camera software trigger `key`, which was asked for under the id `ticket`."""

    key: int
    camera: str
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Tell the infer worker to inspect this frame by `recipe`."""

    worker: str
    part: int
    frame: ViewFrame
    complete: bool
    recipe: int = 0


@dataclass(frozen=True, slots=True)
class Abandon:
    """Tell the infer worker that this part needs no answer of its."""

    worker: str
    part: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Publish the part's answer: what the worker found (`loss` is None) or the loss.

    `lost_views`: each view that is missing, with its own reason; empty where no view is.
    """

    part: Part
    loss: LossKind | None
    lost_views: Mapping[str, LossKind] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Close:
    """After the answer: mark the slot answered."""

    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Copy:
    """After the answer: the frame is held for the copier, who is to keep its image."""

    part: Part
    frame: ViewFrame


@dataclass(frozen=True, slots=True)
class ImageLost:
    """The frame was worth keeping and is held no more: its image is lost unless the copier was just done."""

    frame: ViewFrame


Action = Grant | Fire | Dispatch | Abandon | Answer | Close | Copy | ImageLost
