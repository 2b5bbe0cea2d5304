"""One inference process: inspects the frames it is sent and decides once the last view of a part is in."""

import logging
import os
import threading

import cv2

from pipeline.inspector import Inspector
from pipeline.messages import Abandoned, Dispatched, InferHello, Inspected, PartAnswer, Released
from pipeline.preflight import recipe_of
from pipeline.qualify import qualify
from pipeline.ring.frame_ring import FrameRing
from pipeline.stages.values import ViewFindings
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext
from pipeline.workers.link import LedgerLink

log = logging.getLogger(__name__)

POLL_S = 0.1  # how soon a stop is noticed


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Run until `stop` is set."""
    station = context.runtime.station
    cv2.setNumThreads(1)  # one process is one core; more frames at a time are more processes
    recipe = recipe_of(station)
    inspector = Inspector.load(recipe, backend=station.infer.backend, threads=station.infer.threads)
    qualification = qualify(recipe, inspector)
    log.info("recipe %s (%d) qualified within %.3f px", recipe.name, recipe.number, qualification.max_px)
    worker = InferWorker(context, inspector)
    try:
        worker.run(stop)
    finally:
        worker.close()


class InferWorker:
    """Holds the findings of parts whose views are not all in."""

    def __init__(self, context: WorkerContext, inspector: Inspector) -> None:
        self._context = context
        self._inspector = inspector
        self._ring = FrameRing.attach(context.runtime.ring_path)
        self._link = LedgerLink(context.runtime.ledger_endpoint, context.name)
        self._parts: dict[int, dict[str, list[ViewFindings]]] = {}
        self._pid = os.getpid()

    def run(self, stop: threading.Event) -> None:
        """Inspect what comes."""
        recipe = self._inspector.recipe
        name = self._context.name
        backend = self._inspector.backend
        self._link.send(InferHello(name, self._pid, recipe.number, recipe.name, recipe.configuration_id, backend))
        self._context.vitals.set_state(self._context.row, WorkerState.ready)
        while not stop.is_set():
            for message in self._link.receive(POLL_S):
                match message:
                    case Dispatched(pid=pid) if pid == self._pid:
                        self._inspect(message)
                    case Abandoned(part):
                        self._parts.pop(part, None)
                self._context.progress()
            self._context.progress()

    def _inspect(self, order: Dispatched) -> None:
        """One frame; with the last one of its part, the part."""
        findings = self._inspector.inspect(order.view, self._ring.frame(order.slot))
        self._ring.release(order.slot, order.generation)
        released = [(order.slot, order.generation)]
        views = self._parts.setdefault(order.part, {})
        views[order.view] = findings
        if not order.complete:
            self._link.send(Released(self._context.name, released))
            return
        del self._parts[order.part]
        self._link.send(Inspected(self._context.name, order.part, self._answers(views), released))

    def _answers(self, views: dict[str, list[ViewFindings]]) -> list[PartAnswer]:
        """One answer a part, the n-th part of one view being the n-th of every view; at least one: the trigger is owed it."""
        count = max([1, *(len(findings) for findings in views.values())])
        parts = [{view: found[n] for view, found in views.items() if n < len(found)} for n in range(count)]
        return [self._answer(part) for part in parts]

    def _answer(self, views: dict[str, ViewFindings]) -> PartAnswer:
        decision = self._inspector.decide(views)
        return PartAnswer(
            result_state=decision.result_state,
            evaluation=decision.evaluation,
            reasons=list(decision.reasons),
            keypoints=list(decision.keypoints),
            measurements=list(decision.measurements),
            stages_ns=decision.stages_ns,
            regions={view: findings.region for view, findings in views.items()},
        )

    def close(self) -> None:
        """Let go of the ring and the ledger."""
        self._link.close()
        self._ring.close()
