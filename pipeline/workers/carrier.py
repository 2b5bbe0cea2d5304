"""Carries out what the book asks for: words in the ring, messages to the workers, answers to the journal and the stream."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.clock import utc_ns
from pipeline.ledger.actions import Abandon, Action, Answer, Close, Copy, Dispatch, Fire, Grant, ImageLost
from pipeline.ledger.book import Book
from pipeline.messages import Abandoned, Dispatched, Granted, PartAnswer, Stored
from pipeline.messages import Copy as CopyOrder
from pipeline.messages import Fire as FireOrder
from pipeline.ring.frame_ring import FrameRing
from pipeline.workers.publishing import Publishing, Told
from pipeline.workers.switchboard import Switchboard

EVIDENCE = "evidence"
PRUNED_AFTER_AN_ANSWER = 4


@dataclass(slots=True)
class Carrier:
    """The book's hands. `cameras` and `processes` give numbers to names, as they stand in the ring."""

    ring: FrameRing
    book: Book
    switchboard: Switchboard
    publishing: Publishing
    cameras: Sequence[str]
    processes: Sequence[str]
    images_stored: int = 0
    images_lost: int = 0
    _promised: dict[tuple[int, int], tuple[int, str, str]] = field(default_factory=dict)

    def carry_out(self, actions: Sequence[Action], found: Sequence[PartAnswer] = ()) -> None:
        """Dispatch, as the networks need not wait for the disk; answer; then what rests on the answers, in the book's order.

        `found` is what infer found of the part that is answered without a loss.
        """
        for action in actions:
            match action:
                case Dispatch():
                    self._dispatch(action)
                case Fire(key, camera):
                    name = f"grab.{camera}"
                    self.switchboard.tell(name, FireOrder(key, self.switchboard.pids[name], self._session))
        told = self._answer(actions, found)
        for action in actions:
            match action:
                case Grant():
                    self._grant(action)
                case Close(slot, generation):
                    self.ring.close_slot(slot, generation)
                case Copy(part):
                    self._copy(action, told[part.number])
                case ImageLost(frame):
                    self._lose(frame.key)
                case Abandon(worker, number):
                    self.switchboard.tell(worker, Abandoned(number, self._session))

    @property
    def _session(self) -> int:
        return self.publishing.answering.session

    def _answer(self, actions: Sequence[Action], found: Sequence[PartAnswer]) -> dict[int, Told]:
        answers = [action for action in actions if isinstance(action, Answer)]
        if not answers:
            return {}
        copies = [action for action in actions if isinstance(action, Copy)]
        told = self.publishing.publish(answers, found, copies, self.book.accounts())
        self.publishing.journal.prune(utc_ns(), PRUNED_AFTER_AN_ANSWER)
        return told

    def _grant(self, grant: Grant) -> None:
        name = f"grab.{grant.camera}"
        self.ring.grant(grant.slot, grant.generation, self.cameras.index(grant.camera))
        self.switchboard.tell(name, Granted(grant.slot, grant.generation, self.switchboard.pids[name], self._session))

    def _dispatch(self, order: Dispatch) -> None:
        frame, worker = order.frame, order.worker
        self.ring.dispatch(frame.slot, frame.generation, self.processes.index(worker), order.recipe)
        self.switchboard.tell(
            worker,
            Dispatched(
                order.part,
                frame.camera,
                self.publishing.answering.views[frame.camera],
                frame.slot,
                frame.generation,
                order.complete,
                order.recipe,
                self.switchboard.pids[worker],
                self._session,
            ),
        )

    def copied(self, slot: int, generation: int) -> None:
        """The copier has had its look at the frame; what became of the image is told by Stored."""
        self._promised.pop((slot, generation), None)
        self.carry_out(self.book.copied(slot, generation))

    def stored(self, stored: Stored) -> None:
        """What became of an image that was copied."""
        self.images_stored += not stored.fault
        self.images_lost += bool(stored.fault)
        self.publishing.journal.image(stored.session, stored.seq, stored.view, stored.path, stored.fault)

    def _lose(self, key: tuple[int, int]) -> None:
        """The frame is given away before it was copied; the journal tells of an image that was promised."""
        self.images_lost += 1
        promised = self._promised.pop(key, None)
        if promised is not None:
            self.publishing.journal.image(self._session, *promised, "was not copied in time")

    def _copy(self, copy: Copy, told: Told) -> None:
        frame = copy.frame
        view = self.publishing.answering.views[frame.camera]
        self._promised[frame.key] = (told.seq, view, told.images[view])
        self.switchboard.tell(
            EVIDENCE,
            CopyOrder(
                frame.slot,
                frame.generation,
                told.seq,
                view,
                told.evaluation,
                told.images[view],
                told.payload,
                self._session,
            ),
        )
