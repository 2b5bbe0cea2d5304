"""What a new ledger finds: frames in the ring that no answer has closed, and the answers that the journal has for them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.ledger.actions import Action
from pipeline.ledger.book import Book
from pipeline.ledger.journal import Journal
from pipeline.ledger.slots import SlotState
from pipeline.loss import LossKind
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import SlotWord
from pipeline.ring.left_behind import left_behind


@dataclass(slots=True)
class Found:
    """The ring as it is: the slots for the book, and the frames that are answered but not closed, with what was answered."""

    slots: list[SlotState] = field(default_factory=list)
    unpublished: list[tuple[int, int, list[bytes]]] = field(default_factory=list)


def find(ring: FrameRing, journal: Journal, cameras: list[str], processes: list[str]) -> Found:
    """Read every slot's words. `cameras` and `processes` give names to the numbers in them."""
    found = Found()
    for slot in range(ring.layout.slots):
        generation = ring.word(slot, SlotWord.granted)
        accepted = ring.word(slot, SlotWord.accepted) == generation
        closed = ring.word(slot, SlotWord.closed) == generation
        if generation == 0:
            found.slots.append(SlotState(0))
            continue
        if accepted and not closed and (payloads := journal.published(ring.ring_id, slot, generation)) is not None:
            found.unpublished.append((slot, generation, payloads))
            closed = True
        found.slots.append(
            SlotState(
                generation,
                camera=None if closed else cameras[ring.word(slot, SlotWord.granted_camera)],
                reader=_reader(ring, slot, generation, processes),
                frame=ring.info(slot) if accepted and not closed else None,
                recipe=ring.word(slot, SlotWord.recipe) if ring.word(slot, SlotWord.dispatched) == generation else None,
            )
        )
    return found


def _reader(ring: FrameRing, slot: int, generation: int, processes: list[str]) -> str | None:
    """The infer worker that was told to read the slot and has not released it."""
    if ring.word(slot, SlotWord.dispatched) != generation:
        return None
    is_released = ring.word(slot, SlotWord.released) == generation
    if is_released and ring.word(slot, SlotWord.again) != generation:
        return None
    return processes[ring.word(slot, SlotWord.reader)]


def left_answers(
    ring: Path, book: Book, journal: Journal, cameras: list[str], now: int
) -> Iterator[tuple[Path, list[Action]]]:
    """For each file that a killed daemon's ring left: the actions that answer for its frames.

    They are to be carried out before the file is removed. Which of their triggers have an answer already, the book knows.
    """
    for file, frames in left_behind(ring):
        actions: list[Action] = []
        for frame in frames:
            is_known = frame.camera < len(cameras)  # or the station file names fewer cameras than it did
            if is_known and journal.published(frame.ring_id, frame.slot, frame.generation) is None:
                number = frame.info.trigger_number
                actions += book.lost(cameras[frame.camera], LossKind.daemon_restarted, number, 1, now)
        yield file, actions
