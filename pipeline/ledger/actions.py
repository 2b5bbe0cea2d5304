"""What the book speaks of: parts with their frames, and the actions that it asks for."""

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


@dataclass(slots=True)
class Part:
    """One trigger's part, from its first sign to its answer."""

    number: int
    domain: str
    trigger_number: int | None
    opened_ns: int
    deadline_ns: int
    frames: dict[str, ViewFrame] = field(default_factory=dict)
    lost: dict[str, LossKind] = field(default_factory=dict)
    dispatched: set[str] = field(default_factory=set)
    worker: str | None = None
    dispatched_ns: int = 0
    deaths: int = 0

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
class Dispatch:
    """Tell the infer worker to inspect this frame."""

    worker: str
    part: int
    frame: ViewFrame
    complete: bool


@dataclass(frozen=True, slots=True)
class Abandon:
    """Tell the infer worker that this part needs no answer of its."""

    worker: str
    part: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Publish the part's answer: what the worker found (`loss` is None) or the loss."""

    part: Part
    loss: LossKind | None
    lost_views: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Close:
    """After the answer: mark the slot answered."""

    slot: int
    generation: int


Action = Grant | Dispatch | Abandon | Answer | Close
