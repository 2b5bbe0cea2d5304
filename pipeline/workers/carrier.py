"""Carries out what the book asks for: words in the ring, messages to the workers, answers to the journal and the stream."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.clock import utc_ns
from pipeline.ledger.actions import Abandon, Action, Answer, Close, Copy, Dispatch, Fire, Grant, ImageLost, Part
from pipeline.ledger.book import Book
from pipeline.messages import Abandoned, Dispatched, Granted, PartAnswer, Passed
from pipeline.messages import Copy as CopyOrder
from pipeline.messages import Fire as FireOrder
from pipeline.ring.frame_ring import FrameRing
from pipeline.workers.images import Images
from pipeline.workers.publishing import Publishing, Told
from pipeline.workers.switchboard import Switchboard

EVIDENCE = "evidence"
PRUNED_AFTER_AN_ANSWER = 4


@dataclass(slots=True)
class Carrier:
    """The book's hands. `cameras` and `processes` give numbers to names, as they stand in the ring.

    `wires` are the cameras whose output is told of each part that passes.
    """

    ring: FrameRing
    book: Book
    switchboard: Switchboard
    publishing: Publishing
    cameras: Sequence[str]
    processes: Sequence[str]
    images: Images
    wires: Sequence[str] = ()

    def carry_out(self, actions: Sequence[Action], found: Sequence[PartAnswer] = ()) -> None:
        """Dispatch, as the networks need not wait for the disk; answer; then what rests on the answers, in the book's order.

        `found` is what infer found of the part that is answered without a loss.
        """
        for action in actions:
            match action:
                case Dispatch():
                    self._dispatch(action)
                case Fire(key, camera, ticket):
                    name = f"grab.{camera}"
                    self.switchboard.tell(name, FireOrder(key, self.switchboard.pids[name], self._session, ticket))
        told = self._answer(actions, found)
        for action in actions:
            if isinstance(action, Answer) and told[action.part.number].passes:
                self._pass(action.part)
        for action in actions:
            match action:
                case Grant():
                    self._grant(action)
                case Close(slot, generation):
                    self.ring.close_slot(slot, generation)
                case Copy(part):
                    self._copy(action, told[part.number])
                case ImageLost(frame):
                    self.images.given_up(frame.key)
                case Abandon(worker, number):
                    self.switchboard.tell(worker, Abandoned(number, self._session))

    @property
    def _session(self) -> int:
        return self.publishing.answering.session

    def _answer(self, actions: Sequence[Action], found: Sequence[PartAnswer]) -> dict[int, Told]:
        answers = [action for action in actions if isinstance(action, Answer)]
        accounts = self.book.accounts()
        if not answers:
            if accounts:  # a count has begun, or a software trigger has got its number: a new ledger must know
                self.publishing.journal.commit([], [], accounts)
            return {}
        copies = [action for action in actions if isinstance(action, Copy)]
        told = self.publishing.publish(answers, found, copies, accounts)
        self.publishing.journal.prune(utc_ns(), PRUNED_AFTER_AN_ANSWER)
        return told

    def _pass(self, part: Part) -> None:
        for camera in self.wires:
            pid = self.switchboard.pids.get(f"grab.{camera}")
            if pid is not None and part.domain in ("", camera):
                self.switchboard.tell(f"grab.{camera}", Passed(part.deadline_ns, pid, self._session))

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

    def _copy(self, copy: Copy, told: Told) -> None:
        frame = copy.frame
        view = self.publishing.answering.views[frame.camera]
        self.images.order(frame.key, told.seq, view, told.images[view])
        self.switchboard.tell(
            EVIDENCE,
            CopyOrder(
                frame.slot,
                frame.generation,
                told.seq,
                view,
                told.evaluation,
                told.images[view],
                told.text,
                self._session,
            ),
        )
