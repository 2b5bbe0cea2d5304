"""A PLC's program as a pure state machine: one scan takes the words that were read and gives those to write.

One part at a time: trigger, wait for its result, acknowledge. It passes a part only by a result with its own number and id,
read whole; everything else rejects it. Faults are played as a program or a network would make them.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from pipeline.sinks.modbus.registers import (
    CONTROL_BITS,
    DAEMON_BLOCK,
    PLC_BLOCK,
    STATUS_BITS,
    VERDICT_BITS,
    Value,
    WordOrder,
    bits_of,
    bits_word,
    pack,
    unpack,
)

OVERRUN_PARTS = 10  # parts in a row whose results nobody acknowledges: more than the eight that wait


class Fault(StrEnum):
    """What may go wrong on the PLC's side."""

    missed_ack = "missed-ack"  # the result is used, and never acknowledged
    early_trigger = "early-trigger"  # Trigger without TriggerReady
    stale_read = "stale-read"  # a reading of before is taken for the newest
    overrun = "overrun"  # ten parts whose results are not awaited
    reconnect = "reconnect"  # the connection ends in mid-handshake


class Step(Enum):
    """Where the program is with its part."""

    ready = "wait for TriggerReady"
    ack = "wait for TriggerAck"
    result = "wait for ResultsValid"
    acknowledged = "wait for ResultsValid to go"


@dataclass(slots=True)
class Counts:
    """What has become of the parts. `passed_ids`: part ids that passed."""

    parts: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)
    passed_ids: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)


class PlcProgram:
    """Call `scan` with each reading; `wants_reconnect` tells when the connection is to be dropped.

    Args:
        run: begins each part id, so that those of two runs differ.
        patience_ns: how long each step waits before the part is rejected; longer than the bridge's window.
        choose: the fault of a part, None for none.
    """

    def __init__(
        self, run: str, patience_ns: int, choose: Callable[[int], Fault | None], word_order: WordOrder = "high_first"
    ) -> None:
        self.counts = Counts()
        self.wants_reconnect = False
        self._run, self._patience_ns, self._choose, self._order = run, patience_ns, choose, word_order
        self._step = Step.ready
        self._since_ns = 0
        self._enable, self._trigger, self._results_ack, self._reset = True, False, False, False
        self._fault: Fault | None = None
        self._unawaited = 0
        self._before: Sequence[int] | None = None
        self._last_id = 0
        self._begin(0)

    @property
    def part_id(self) -> str:
        """Of the present part."""
        return f"{self._run}-{self.counts.parts}"

    def _begin(self, now_ns: int) -> None:
        """The next part comes."""
        self.counts.parts += 1
        self._step, self._since_ns = Step.ready, now_ns
        if self._unawaited:
            self._unawaited -= 1
            return
        self._fault = self._choose(self.counts.parts)
        if self._fault is not None:
            self.counts.faults[self._fault] += 1
        if self._fault is Fault.overrun:
            self._unawaited = OVERRUN_PARTS - 1

    def _end(self, how: str, now_ns: int) -> None:
        self.counts.ends[how] += 1
        if how == "passed":
            self.counts.passed_ids.append(self.part_id)
        self._trigger = False
        self._begin(now_ns)

    def disconnected(self, now_ns: int) -> None:
        """The connection was lost: whatever this part's result would have been, it is rejected."""
        self.wants_reconnect = self._results_ack = self._trigger = False
        self._before, self._last_id = None, 0
        if self._step is not Step.ready:
            self._end("rejected: connection lost", now_ns)

    def scan(self, words: Sequence[int], now_ns: int) -> list[int]:
        """Words to write, after the words of the daemon's block that were read."""
        if self._fault is Fault.stale_read and self._step is Step.result and self._before is not None:
            words, self._before = self._before, None
        else:
            self._before = words
        values = unpack(DAEMON_BLOCK, words, self._order)
        bits = bits_of(STATUS_BITS, _number(values["Status"]))
        self._reset = (bits["Error"] or bits["ResultsBufferOverrun"]) and not self._reset
        if not bits["ResultsValid"]:
            self._results_ack = False
        if self._step is Step.ready:
            self._when_ready(bits, now_ns)
        elif self._step is Step.ack:
            self._when_asked(bits, now_ns)
        elif self._step is Step.result and bits["ResultsValid"] and not self._results_ack:
            self._when_shown(values, now_ns)
        elif self._step is Step.acknowledged and not bits["ResultsValid"]:
            self._begin(now_ns)
        if now_ns - self._since_ns > self._patience_ns and self._step in (Step.ack, Step.result):
            self._end(f"rejected: {self._step.value}", now_ns)
        return self._words()

    def _words(self) -> list[int]:
        control = {
            "TriggerEnable": self._enable, "Trigger": self._trigger, "ResultsAck": self._results_ack, "ErrorReset": self._reset,
        }  # fmt: skip
        values: dict[str, Value] = {
            "Control": bits_word(CONTROL_BITS, control),
            "TriggerNumber": self.counts.parts,
            "EncoderCount": self.counts.parts * 1000 % 2**32,
            "GateDistance": 2500,
            "PartId": self.part_id,
        }
        return pack(PLC_BLOCK, values, self._order)

    def _when_ready(self, bits: dict[str, bool], now_ns: int) -> None:
        early = self._fault is Fault.early_trigger
        self._enable = not early
        if bits["TriggerReady"] != early and not bits["MissedAcq"]:
            self._trigger, self._step, self._since_ns = True, Step.ack, now_ns

    def _when_asked(self, bits: dict[str, bool], now_ns: int) -> None:
        if bits["MissedAcq"]:
            self._enable = True
            self._end("rejected: missed", now_ns)
        elif bits["TriggerAck"]:
            self._trigger, self._step, self._since_ns = False, Step.result, now_ns
            if self._fault is Fault.reconnect:
                self.wants_reconnect = True
            elif self._fault is Fault.overrun:
                self._end("rejected: not awaited", now_ns)

    def _when_shown(self, values: dict[str, int | str | list[int | float]], now_ns: int) -> None:
        number = _number(values["InspectionID"])
        if number != values["InspectionIDRepeated"]:
            return  # read in the middle of a change: read again
        if values["ResultTriggerNumber"] != self.counts.parts:  # of a part before this one
            self._results_ack = True
            return
        verdict = bits_of(VERDICT_BITS, _number(values["Verdict"]))
        if values["ResultPartId"] != self.part_id:
            self._disagree(f"trigger {self.counts.parts} is answered for part {values['ResultPartId']}")
            verdict = {}
        if verdict.get("Pass") and verdict.get("Fail"):
            self._disagree(f"part {self.part_id} both passes and fails")
            verdict = {}
        if self._last_id and number <= self._last_id:
            self._disagree(f"inspection {number} after {self._last_id}")
        self._last_id = number
        how = "passed" if verdict.get("Pass") else "rejected: fault" if verdict.get("Fail") else "rejected: no verdict"
        if self._fault is Fault.missed_ack:
            self._end(how, now_ns)
            return
        self.counts.ends[how] += 1
        if how == "passed":
            self.counts.passed_ids.append(self.part_id)
        self._results_ack, self._step = True, Step.acknowledged

    def _disagree(self, what: str) -> None:
        self.counts.disagreements.append(what)


def _number(value: int | str | list[int | float]) -> int:
    """A value of one word or two."""
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    return value
