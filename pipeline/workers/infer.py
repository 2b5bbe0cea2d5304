"""One inference process: inspects the frames it is sent and decides once the last view of a part is in."""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from pipeline.clock import monotonic_ns
from pipeline.inspector import Inspector
from pipeline.inspectors import Inspectors, load_inspectors
from pipeline.messages import Abandoned, Dispatched, FromLedger, InferHello, Inspected, PartAnswer, Released, Renewing
from pipeline.part_answers import part_answers
from pipeline.result import Evaluation, Reason, ResultState
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import SlotWord
from pipeline.selection import kept_selection, recipe_number
from pipeline.stages.values import ViewFindings
from pipeline.vitals import VitalWord, WorkerState
from pipeline.worker import WorkerContext
from pipeline.workers.keep_warm import KeepWarm
from pipeline.workers.link import LedgerLink
from pipeline.workers.recipe_keeper import keep_recipes

log = logging.getLogger(__name__)

POLL_S = 0.03  # how soon a stop or a new ledger is noticed
RECIPE_MISSING = "recipe_missing"

Frames = tuple[tuple[int, int], ...]  # (slot, generation) each


@dataclass(slots=True)
class Partial:
    """A part whose views are not all in, and the recipe that all of them are inspected by."""

    recipe: int
    frames: list[tuple[int, int]] = field(default_factory=list)
    findings: dict[str, list[ViewFindings]] = field(default_factory=dict)


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Run until `stop` is set."""
    station = context.runtime.station
    cv2.setNumThreads(1)  # one process is one core; more frames at a time are more processes
    number = recipe_number(kept_selection(Path(context.runtime.state_folder)), station.recipe)
    is_first = context.vitals.read(context.row, VitalWord.starts) == 1
    # What the station file says must be good, or the daemon does not start. One that runs, or whose recipe was selected
    # through control, goes on with what there is: every trigger is answered, and another recipe can be selected.
    must_be_good = is_first and number == station.recipe
    inspectors = load_inspectors(station, number, context.progress, is_required=must_be_good)
    keep_recipes(context, inspectors)
    worker = InferWorker(context, inspectors)
    try:
        worker.run(stop)
    finally:
        worker.close()


class InferWorker:
    """Holds the findings of parts whose views are not all in, and the answers that are not published yet."""

    def __init__(
        self, context: WorkerContext, inspectors: Inspectors, now_ns: Callable[[], int] = monotonic_ns
    ) -> None:
        """`now_ns`: the clock by which networks are kept warm."""
        self._context = context
        self._inspectors = inspectors
        self._ring = FrameRing.attach(context.runtime.ring_path)
        inspectors.pin(np.frombuffer(self._ring.payloads, np.uint8))
        self._link = LedgerLink(context.runtime.ledger_path, context.name)
        self._session = 0  # of the ledger that has our hello
        self._orders: deque[FromLedger] = deque()  # received and not carried out
        self._parts: dict[int, Partial] = {}
        self._held: dict[Frames, Inspected] = {}
        self._pid = os.getpid()
        self._is_renewed = False
        # Which recipe is selected, only orders tell. The first one loaded is the one that was when this process started.
        first = next(iter(inspectors.by_number.values()))
        every_ms = context.runtime.station.infer.keep_warm_ms
        self._keep_warm = KeepWarm(every_ms, first.blank_runs, now_ns)

    def run(self, stop: threading.Event) -> None:
        """Inspect what comes, for whichever ledger is there."""
        self._context.vitals.set_state(self._context.row, WorkerState.ready)
        while not stop.is_set() and not self._is_renewed:
            self.turn()
        while self._orders:  # what has been received is finished
            self._take(self._orders.popleft())

    def turn(self) -> None:
        """Carry out one order; where there is none and no part is under way, at most one network is run to keep it warm."""
        self._greet()
        self._orders += self._link.receive(self._wait_s())
        if self._orders:
            self._take(self._orders.popleft())
        elif not self._parts and self._keep_warm.turn():
            self._context.vitals.count_warmed(self._context.row)
        self._context.progress()

    def _wait_s(self) -> float:
        if self._orders:
            return 0.0
        return POLL_S if self._parts else self._keep_warm.wait_s(POLL_S)

    def _greet(self) -> None:
        """Once to each ledger: who we are, and what an earlier one was told and did not live to publish."""
        session = self._ring.session
        if session == self._session:
            return
        if self._session:
            self._link.reconnect()
        self._session = session
        self._parts.clear()
        self._forget_published()
        told = self._inspectors
        self._link.send(InferHello(self._context.name, self._pid, session, told.backend, told.recipes))
        for answer in self._held.values():
            self._link.send(answer)
        log.info("ledger %d: %d answers given again", session, len(self._held))

    def _take(self, message: FromLedger) -> None:
        """One order; void where another ledger gave it than the one that is there now, or another process was meant."""
        match message:
            case Dispatched() if self._is_meant(message):
                self._inspect(message)
            case Renewing(pid=self._pid, session=self._session):
                self._is_renewed = True
            case Abandoned(part, session=self._session):
                self._parts.pop(part, None)

    def _is_meant(self, order: Dispatched) -> bool:
        return order.pid == self._pid and order.session == self._session == self._ring.session

    def _is_granted(self, order: Dispatched) -> bool:
        """Whether the slot holds the frame still: it may have been answered meanwhile, and granted anew."""
        return self._ring.word(order.slot, SlotWord.granted) == order.generation

    def _inspect(self, order: Dispatched) -> None:
        """One frame, and with it those of its part that wait as well and are inspected alike; with the last one, the part."""
        if not self._is_granted(order):
            self._parts.pop(order.part, None)
            self._link.send(Released(self._context.name, [(order.slot, order.generation)]))
            return
        part = self._parts.setdefault(order.part, Partial(order.recipe))
        inspector = self._inspectors.by_number.get(part.recipe)
        orders = [order]
        if inspector is not None:
            orders += self._alike(inspector, order)
            frames = [(one.view, self._ring.frame(one.slot)) for one in orders]
            found = inspector.inspect_together(frames)
            part.findings |= {view: findings for (view, _), findings in zip(frames, found, strict=True)}
            self._keep_warm.used(inspector.blank_runs)
        released = [(one.slot, one.generation) for one in orders]
        for slot, generation in released:
            self._ring.release(slot, generation)
        part.frames += released
        if not orders[-1].complete:
            self._link.send(Released(self._context.name, released))
            return
        del self._parts[order.part]
        answers = [_missing(part.recipe)] if inspector is None else part_answers(inspector, part.findings)
        self._hold(Inspected(self._context.name, part.frames, answers, released))

    def _alike(self, inspector: Inspector, order: Dispatched) -> list[Dispatched]:
        """The next orders of its part, taken out of those that wait, up to the first one that is not inspected with it.

        The part is answered no later for it, as that takes all of its views. Frames of other parts are left where they are:
        one of them with it would let it wait for what is not its own.
        """
        others = self._context.runtime.station.infer.batch - 1
        taken: list[Dispatched] = []
        for one in [one for one in self._orders if isinstance(one, Dispatched) and one.part == order.part][:others]:
            if not (self._is_meant(one) and self._is_granted(one) and inspector.are_alike(order.view, one.view)):
                break
            taken.append(one)
            self._orders.remove(one)
        return taken

    def _hold(self, answer: Inspected) -> None:
        """Send it, and keep it until it is published."""
        self._held[tuple(answer.frames)] = answer
        self._link.send(answer)
        self._forget_published()

    def _forget_published(self) -> None:
        """Let go of answers whose frames are all closed or overwritten: so there are no more of them than slots."""
        self._held = {frames: answer for frames, answer in self._held.items() if any(map(self._is_owed, frames))}

    def _is_owed(self, frame: tuple[int, int]) -> bool:
        slot, generation = frame
        if self._ring.word(slot, SlotWord.granted) != generation:
            return False
        return self._ring.word(slot, SlotWord.closed) != generation

    def close(self) -> None:
        """Let go of the ring and the ledger."""
        self._link.close()
        self._ring.close()


def _missing(recipe: int) -> PartAnswer:
    """The answer to a part whose recipe this process could not load, as when its files were changed since it was selected."""
    log.error("there is no recipe %d here: its part is answered without a verdict", recipe)
    return PartAnswer(ResultState.FAILED, Evaluation.UNDEFINED, [Reason(RECIPE_MISSING, str(recipe))], [], [], {}, {})
