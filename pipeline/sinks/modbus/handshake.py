"""The handshake with a PLC, a pure state machine without sockets and clock. No part passes without its own OK.

A trigger that was taken up is an acquisition, and each acquisition becomes one inspection: with a verdict, or without one
because no valid answer came in the window. Inspections are shown in the order of their triggers, one at a time, each until it
is acknowledged. What the PLC may not see (an overrun, a new connection) is dropped whole: without an answer a part is rejected.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.sinks.modbus.signals import (
    Action,
    Answer,
    Cause,
    Inputs,
    Inspection,
    Outputs,
    SelectRecipe,
    Take,
    Verdict,
)

DEPTH = 8  # inspections that wait for the PLC, the one that is shown among them
BELT = 16  # newest parts in the shift register
LARGEST_ID = 0x7FFFFFFF


@dataclass(slots=True)
class Acquisition:
    """A trigger that was taken up. `key` is what its answer will carry: the number of the software trigger or of the line's."""

    number: int
    asked: Inputs
    since_ns: int
    key: int | None
    parts: dict[int, Answer] = field(default_factory=dict)
    inspection: Inspection | None = None


class Handshake:
    """Both sides' signals. Call `tick` often: it is what ends the window.

    Args:
        window_ns: from a trigger to the latest answer that counts.
        first: number of the first acquisition; a bridge that starts again should not begin where it began before.
        own_trigger: the line triggers the cameras itself and tells the trigger's number first; else we trigger by software.
        silence_ns: a PLC whose heartbeat has changed once and then stands still for so long is taken to be gone; 0: never.
    """

    def __init__(self, window_ns: int, *, first: int = 1, own_trigger: bool = False, silence_ns: int = 0) -> None:
        self._window_ns, self._own_trigger, self._silence_ns = window_ns, own_trigger, silence_ns
        self._number = first - 1
        self._can_inspect, self._recipe = False, 0
        self._newest = (0, 0)
        self.passed = self.failed = self.undecided = self.missed = self.overruns = self.late = 0
        self._inspected = False
        self.reset()

    def reset(self) -> None:
        """A new connection, or a PLC that is gone: nothing of before is shown any more, and a bit counts once it was seen low."""
        self._waiting: deque[Acquisition] = deque()
        self._queue: deque[Inspection] = deque()
        self._belt: deque[Acquisition] = deque(maxlen=BELT)
        self._early: list[Answer] = []
        self._inputs = Inputs()
        self._armed: set[str] = set()  # bits that were seen low, so that their next high is an edge
        self._shown: Inspection | None = None
        self._acknowledged: int | None = None  # the acquisition whose trigger bit is still high
        self._newest_taken: Acquisition | None = None
        self._overrun = self._missed_acq = False
        self._error = Cause.none
        self._asked_recipe: int | None = None
        self._recipe_error = False
        self._heart: tuple[int, int] | None = None  # the PLC's heartbeat and when it changed last

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is awaited; may be asked by any thread."""
        return bool(self._waiting)

    def station(self, can_inspect: bool, recipe: int | None) -> None:
        """Whether the station inspects at this moment, and by which recipe."""
        self._can_inspect, self._recipe = can_inspect, recipe or 0
        if self._asked_recipe == recipe:
            self._asked_recipe = None

    def write(self, inputs: Inputs, now_ns: int) -> list[Action]:
        """The PLC has written: what is to be asked of the station now."""
        self.tick(now_ns)
        actions: list[Action] = []
        if inputs.heartbeat != self._inputs.heartbeat:
            self._heart = (inputs.heartbeat, now_ns)
        rising = self._edges(inputs)
        self._inputs = inputs
        if not inputs.trigger:
            self._acknowledged = None
        if not inputs.trigger_enable:
            self._missed_acq = False
        if "error_reset" in rising:
            self._error, self._overrun, self._missed_acq, self._recipe_error = Cause.none, False, False, False
        if "results_ack" in rising and self._shown is not None:
            self._shown = None
            self._queue.popleft()
        if "recipe_request" in rising:
            self._asked_recipe, self._recipe_error = inputs.recipe, False
            actions.append(SelectRecipe(inputs.recipe))
        if "trigger" in rising:
            actions += self._trigger(inputs, now_ns)
        self._show()
        return actions

    def _edges(self, inputs: Inputs) -> set[str]:
        """Bits that were seen low and are high now."""
        rising: set[str] = set()
        for bit in ("trigger", "results_ack", "recipe_request", "error_reset"):
            if not getattr(inputs, bit):
                self._armed.add(bit)
            elif bit in self._armed:
                self._armed.discard(bit)
                rising.add(bit)
        return rising

    def _is_ready(self) -> bool:
        return self._inputs.trigger_enable and self._can_take()

    def _can_take(self) -> bool:
        return self._can_inspect and self._asked_recipe is None and len(self._waiting) < DEPTH

    def _trigger(self, inputs: Inputs, now_ns: int) -> list[Action]:
        if not (inputs.trigger_enable and self._can_take()):
            self._miss(Cause.early_trigger)
            return []
        if self._own_trigger and any(each.key == inputs.trigger_number for each in self._waiting):
            self._miss(Cause.number_twice)
            return []
        self._number = self._number % LARGEST_ID + 1
        key = inputs.trigger_number if self._own_trigger else None
        taken = Acquisition(self._number, inputs, now_ns, key)
        self._waiting.append(taken)
        self._belt.append(taken)
        self._newest_taken = taken
        return [Take(taken.number, inputs.trigger_number, inputs.part_id)]

    def _miss(self, cause: Cause) -> None:
        self._missed_acq, self._error = True, cause
        self.missed += 1

    def triggered(self, number: int, key: int, now_ns: int) -> None:
        """The station has taken this acquisition up; its answer will carry `key`."""
        self.tick(now_ns)
        taken = self._find(number)
        if taken is not None:
            for other in self._waiting:
                if other is not taken and other.key == key and other.inspection is None:
                    self._end(other, Inspection.without(other.number, other.asked, Cause.number_twice))
            taken.key = key
            if self._inputs.trigger and self._newest_taken is taken:
                self._acknowledged = number
            early, self._early = self._early, []
            for answer in early:
                self._take_answer(answer)
        if not self._unasked():
            self._early = []
        self._release()

    def refused(self, number: int, cause: Cause, now_ns: int) -> None:
        """The station does not inspect this acquisition, or nobody knows whether it does."""
        self.tick(now_ns)
        taken = self._find(number)
        if taken is not None:
            self._error = cause
            self._end(taken, Inspection.without(number, taken.asked, cause))
        if not self._unasked():
            self._early = []
        self._release()

    def recipe_refused(self, recipe: int) -> None:
        """The station cannot inspect by this recipe: it goes on with the one it has."""
        if self._asked_recipe == recipe:
            self._asked_recipe, self._recipe_error, self._error = None, True, Cause.recipe_refused

    def answer(self, answer: Answer, now_ns: int) -> None:
        """A result of the stream. One that was seen before, or that belongs to nothing, changes nothing."""
        self.tick(now_ns)
        if answer.place <= self._newest:
            return
        self._newest = answer.place
        self._take_answer(answer)
        self._release()

    def _take_answer(self, answer: Answer) -> None:
        key = answer.trigger_number if self._own_trigger else answer.software_trigger
        if key is None:
            return
        taken = next((each for each in self._waiting if each.key == key and each.inspection is None), None)
        if taken is not None:
            taken.parts[answer.part_index] = answer
            if len(taken.parts) >= max(1, *(each.part_count for each in taken.parts.values())):
                self._end(taken, Inspection.of(taken.number, taken.asked, taken.parts.values()))
        elif self._unasked():
            self._early.append(answer)  # it may overtake the reply that tells its key
        else:
            self.late += 1

    def tick(self, now_ns: int) -> None:
        """Time goes on: windows end, and a PLC that is silent is gone."""
        if self._silence_ns and self._heart is not None and now_ns - self._heart[1] > self._silence_ns:
            self.reset()
            self._error = Cause.plc_silent
        for taken in self._waiting:
            if taken.inspection is None and now_ns - taken.since_ns >= self._window_ns:
                self._end(taken, Inspection.without(taken.number, taken.asked, Cause.window))
        if not self._unasked():
            self._early = []
        self._release()

    def _find(self, number: int) -> Acquisition | None:
        return next((each for each in self._waiting if each.number == number and each.inspection is None), None)

    def _unasked(self) -> bool:
        """Whether the key of a trigger that was taken up is still unknown."""
        return any(each.key is None and each.inspection is None for each in self._waiting)

    def _end(self, taken: Acquisition, inspection: Inspection) -> None:
        taken.inspection = inspection
        match inspection.verdict:
            case Verdict.PASS:
                self.passed += 1
            case Verdict.FAIL:
                self.failed += 1
            case Verdict.NONE:
                self.undecided += 1

    def _release(self) -> None:
        """Hand on what is done, in the order of the triggers."""
        while self._waiting and (inspection := self._waiting[0].inspection) is not None:
            self._waiting.popleft()
            self._inspected = not self._inspected
            if len(self._queue) < DEPTH:
                self._queue.append(inspection)
            else:
                self._overrun, self._error = True, Cause.overrun
                self.overruns += 1
        self._show()

    def _show(self) -> None:
        """Show the oldest, once the acknowledgement of the one before is taken back."""
        if self._shown is None and self._queue and not self._inputs.results_ack:
            self._shown = self._queue[0]

    def outputs(self) -> Outputs:
        """What the PLC reads."""
        newest = self._newest_taken
        exposed = newest is not None and newest.inspection is not None and newest.inspection.is_answered
        return Outputs(
            trigger_ready=self._is_ready() and not self._inputs.trigger and "trigger" in self._armed,
            trigger_ack=self._acknowledged is not None,
            exposure_complete=exposed,
            results_valid=self._shown is not None,
            results_buffer_overrun=self._overrun,
            inspection_completed=self._inspected,
            missed_acq=self._missed_acq,
            error=self._error is not Cause.none,
            online=self._can_inspect,
            recipe_active=self._can_inspect and self._recipe != 0,
            recipe_ready=self._can_inspect and self._asked_recipe is None,
            recipe_error=self._recipe_error,
            error_code=self._error,
            current_job_id=self._recipe,
            acquisition_id=0 if newest is None else newest.number,
            waiting=len(self._queue),
            plc_heartbeat=self._inputs.heartbeat,
            counts=(self.passed, self.failed, self.undecided, self.missed, self.overruns, self.late),
            shown=self._shown,
            belt=tuple(_belt(self._belt)),
        )


def _belt(parts: Iterable[Acquisition]) -> Iterable[tuple[int, int, Verdict]]:
    """Trigger number, encoder count at which the part is at the gate, verdict: whatever is no PASS is to be rejected."""
    for each in parts:
        verdict = Verdict.NONE if each.inspection is None else each.inspection.verdict
        yield each.asked.trigger_number, (each.asked.encoder + each.asked.gate) & 0xFFFFFFFF, verdict
