"""THE register table: one line a register. The server, the played PLC and docs/plc.md all read it.

Holding registers, addresses from 0 (a PLC that counts from 40001 adds 40001). A value of two registers is sent in the word order
that the bridge was started with; text has two characters a register, the first in the high byte, and ends at the first NUL.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.sinks.modbus.signals import Inputs, Outputs, Verdict

Kind = Literal["bits", "word", "u32", "i32", "f32", "text"]
WordOrder = Literal["high_first", "low_first"]
MEASUREMENTS = 16
PARTS = 16  # of the belt
PART_ID_CHARACTERS = 32
NO_INTEGER = -(2**31)  # a measurement that could not be made, or is too large to be told
PLC_START, DAEMON_START, BELT_START = 0, 100, 300
_WORDS = {"bits": 1, "word": 1, "u32": 2, "i32": 2, "f32": 2}
_FORMATS = {"u32": ">I", "i32": ">i", "f32": ">f"}


@dataclass(frozen=True, slots=True)
class Register:
    """`count` values of a kind from `address` on; `bits` are the names of a word's bits from bit 0."""

    name: str
    address: int
    kind: Kind
    meaning: str
    count: int = 1
    bits: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Registers it takes."""
        return self.count // 2 if self.kind == "text" else self.count * _WORDS[self.kind]


Line = tuple[str, Kind, int, str]

CONTROL_BITS = (
    ("TriggerEnable", "triggers are wanted; 0 also clears MissedAcq"),
    ("Trigger", "rising: take up the part that the registers below name; hold until TriggerAck or MissedAcq"),
    ("ResultsAck", "rising: the shown result was read; take back when ResultsValid is 0, the next is shown then"),
    ("RecipeRequest", "rising: inspect by RecipeNumber from now on"),
    ("ErrorReset", "rising: clear Error, ErrorCode, MissedAcq, ResultsBufferOverrun and RecipeError"),
)
STATUS_BITS = (
    (
        "TriggerReady",
        "a rising Trigger would be taken up. 0 while the station sets up, changes its recipe, or is not heard",
    ),
    ("TriggerAck", "the station has taken the trigger up; 0 again with Trigger"),
    ("ExposureComplete", "the pictures of AcquisitionID are taken. The bridge learns it with the answer, not before"),
    ("ResultsValid", "a result is shown, and stays until it is acknowledged"),
    ("ResultsBufferOverrun", "a result was dropped, as 8 wait; latched until ErrorReset"),
    ("InspectionCompleted", "toggles with each inspection that ends, shown or not"),
    ("MissedAcq", "Trigger rose while TriggerReady was 0: that part is not inspected; latched"),
    ("Error", "see ErrorCode; latched until ErrorReset"),
    ("Online", "the station is heard and can inspect"),
    ("RecipeActive", "CurrentJobID is a recipe at work"),
    ("RecipeReady", "no change of recipe is under way"),
    ("RecipeError", "the recipe that was asked for cannot be used; the one before is at work"),
)
VERDICT_BITS = (
    ("Pass", "the part passes by its own answer"),
    ("Fail", "the part has a fault. Both 0: no verdict, so reject it"),
)

_PLC: tuple[Line, ...] = (
    ("Control", "bits", 1, "see its bits"),
    ("PlcHeartbeat", "word", 1, "any number that changes; where it stands still too long, the handshake is reset"),
    (
        "TriggerNumber",
        "u32",
        1,
        "the PLC's number for this part, echoed; where the line triggers the camera, the line's count",
    ),
    ("RecipeNumber", "word", 1, "recipe for RecipeRequest"),
    ("Reserved", "word", 1, "write 0"),
    ("EncoderCount", "u32", 1, "encoder at the trigger"),
    ("GateDistance", "u32", 1, "encoder counts from the camera to the reject gate"),
    ("PartId", "text", PART_ID_CHARACTERS, "printable ASCII; empty where parts have no id"),
)
_DAEMON: tuple[Line, ...] = (
    ("Status", "bits", 1, "see its bits"),
    ("Heartbeat", "word", 1, "counts on twice a second while the bridge lives"),
    ("PlcHeartbeatEcho", "word", 1, "the PLC's"),
    ("ErrorCode", "word", 1, "0, or the newest cause, as Cause"),
    ("CurrentJobID", "word", 1, "recipe at work, 0 none"),
    ("ResultsWaiting", "word", 1, "results that wait, the shown one among them, 0 to 8"),
    ("AcquisitionID", "u32", 1, "the newest trigger that was taken up"),
    ("Passed", "word", 1, "counts since the bridge began, modulo 65536: inspections that passed"),
    ("Failed", "word", 1, "that failed"),
    ("NoVerdict", "word", 1, "without a verdict"),
    ("Missed", "word", 1, "triggers that were not taken up"),
    ("Overruns", "word", 1, "results that were dropped"),
    ("Late", "word", 1, "answers that came to nothing: after their window, or to triggers that are not ours"),
    ("InspectionID", "u32", 1, "its AcquisitionID; 0 while ResultsValid is 0, as all that follows"),
    ("ResultTriggerNumber", "u32", 1, "echo of TriggerNumber"),
    ("Verdict", "bits", 1, "see its bits"),
    ("Cause", "word", 1, "why there is no verdict, as Cause"),
    ("Evaluation", "word", 1, "1 OK, 2 NOT_OK, 3 NOT_DECIDABLE, 4 UNDEFINED, 0 no answer"),
    ("MeasurementCount", "word", 1, "measurements that follow, at most 16"),
    ("ResultPartId", "text", PART_ID_CHARACTERS, "echo of PartId"),
    ("ScaledMeasurement", "i32", MEASUREMENTS, "value times the scale, rounded; -2147483648 where there is none"),
    ("Measurement", "f32", MEASUREMENTS, "value in the unit of the recipe; NaN where there is none"),
    (
        "InspectionIDRepeated",
        "u32",
        1,
        "must equal InspectionID, else the block was read in the middle of a change: read again",
    ),
)
_BELT: tuple[Line, ...] = (
    ("BeltTriggerNumber", "u32", PARTS, "the newest parts, oldest first: TriggerNumber, 0 none"),
    ("BeltGatePosition", "u32", PARTS, "EncoderCount + GateDistance, modulo 2^32"),
    ("BeltVerdict", "word", PARTS, "1 pass; 0 (no answer yet, or none) and 2 (fault): reject"),
)
_BITS = {"Control": CONTROL_BITS, "Status": STATUS_BITS, "Verdict": VERDICT_BITS}


def _laid_out(start: int, lines: Sequence[Line]) -> tuple[Register, ...]:
    registers, address = [], start
    for name, kind, count, meaning in lines:
        register = Register(name, address, kind, meaning, count, _BITS.get(name, ()))
        registers.append(register)
        address += register.size
    return tuple(registers)


PLC_BLOCK = _laid_out(PLC_START, _PLC)
DAEMON_BLOCK = _laid_out(DAEMON_START, _DAEMON)
BELT_BLOCK = _laid_out(BELT_START, _BELT)
Value = int | str | Sequence[int | float]


def size(block: Sequence[Register]) -> int:
    """Registers of a block."""
    return block[-1].address + block[-1].size - block[0].address


def pack(block: Sequence[Register], values: Mapping[str, Value], order: WordOrder) -> list[int]:
    """Words of a block; what is not named is 0."""
    words: list[int] = []
    for register in block:
        value = values.get(register.name, "" if register.kind == "text" else 0)
        if register.kind == "text":
            raw = str(value).encode("ascii", "replace")[: register.count].ljust(register.count, b"\0")
            words += struct.unpack(f">{register.size}H", raw)
            continue
        several = [value] if isinstance(value, int) else list(value)
        for each in [*several, *[0] * (register.count - len(several))]:
            words += _words(register.kind, each, order)
    return words


def _words(kind: Kind, value: float, order: WordOrder) -> tuple[int, ...]:
    if kind in ("bits", "word"):
        return (int(value) & 0xFFFF,)
    high, low = struct.unpack(">HH", struct.pack(_FORMATS[kind], value if kind == "f32" else int(value)))
    return (high, low) if order == "high_first" else (low, high)


def unpack(
    block: Sequence[Register], words: Sequence[int], order: WordOrder
) -> dict[str, int | str | list[int | float]]:
    """Values of a block's words: text as str, several values as a list."""
    values: dict[str, int | str | list[int | float]] = {}
    for register in block:
        start = register.address - block[0].address
        own = words[start : start + register.size]
        if register.kind == "text":
            raw = struct.pack(f">{len(own)}H", *own)
            values[register.name] = raw.partition(b"\0")[0].decode("ascii", "replace")
        elif register.kind in ("bits", "word"):
            values[register.name] = own[0] if register.count == 1 else list(own)
        else:
            pairs = zip(own[::2], own[1::2], strict=True)
            ordered = [pair if order == "high_first" else pair[::-1] for pair in pairs]
            several = [struct.unpack(_FORMATS[register.kind], struct.pack(">HH", *pair))[0] for pair in ordered]
            values[register.name] = several[0] if register.count == 1 else several
    return values


def bits_word(names: Sequence[tuple[str, str]], are_set: Mapping[str, bool]) -> int:
    """A word of named bits."""
    return sum(1 << place for place, (name, _) in enumerate(names) if are_set.get(name))


def bits_of(names: Sequence[tuple[str, str]], word: int) -> dict[str, bool]:
    """The named bits of a word."""
    return {name: bool(word >> place & 1) for place, (name, _) in enumerate(names)}


def read_inputs(words: Sequence[int], order: WordOrder) -> Inputs:
    """What the PLC's block says."""
    values = unpack(PLC_BLOCK, words, order)
    bits = bits_of(CONTROL_BITS, int(values["Control"]))  # type: ignore[arg-type]  # this register holds a number
    number = {name: value for name, value in values.items() if isinstance(value, int)}
    return Inputs(
        trigger_enable=bits["TriggerEnable"],
        trigger=bits["Trigger"],
        results_ack=bits["ResultsAck"],
        recipe_request=bits["RecipeRequest"],
        error_reset=bits["ErrorReset"],
        heartbeat=number["PlcHeartbeat"],
        recipe=number["RecipeNumber"],
        trigger_number=number["TriggerNumber"],
        encoder=number["EncoderCount"],
        gate=number["GateDistance"],
        part_id=str(values["PartId"]),
    )


def status_words(outputs: Outputs, heartbeat: int, scale: float, order: WordOrder) -> list[int]:
    """The daemon's block."""
    names = ("Passed", "Failed", "NoVerdict", "Missed", "Overruns", "Late")
    bits = {
        "TriggerReady": outputs.trigger_ready,
        "TriggerAck": outputs.trigger_ack,
        "ExposureComplete": outputs.exposure_complete,
        "ResultsValid": outputs.results_valid,
        "ResultsBufferOverrun": outputs.results_buffer_overrun,
        "InspectionCompleted": outputs.inspection_completed,
        "MissedAcq": outputs.missed_acq,
        "Error": outputs.error,
        "Online": outputs.online,
        "RecipeActive": outputs.recipe_active,
        "RecipeReady": outputs.recipe_ready,
        "RecipeError": outputs.recipe_error,
    }
    values: dict[str, Value] = {
        "Status": bits_word(STATUS_BITS, bits),
        "Heartbeat": heartbeat,
        "PlcHeartbeatEcho": outputs.plc_heartbeat,
        "ErrorCode": int(outputs.error_code),
        "CurrentJobID": outputs.current_job_id,
        "ResultsWaiting": outputs.waiting,
        "AcquisitionID": outputs.acquisition_id,
        **dict(zip(names, outputs.counts, strict=True)),
    }
    shown = outputs.shown
    if shown is not None:
        measured = shown.values[:MEASUREMENTS]
        values |= {
            "InspectionID": shown.number,
            "ResultTriggerNumber": shown.asked.trigger_number,
            "Verdict": bits_word(
                VERDICT_BITS, {"Pass": shown.verdict is Verdict.PASS, "Fail": shown.verdict is Verdict.FAIL}
            ),
            "Cause": int(shown.cause),
            "Evaluation": shown.evaluation,
            "MeasurementCount": len(measured),
            "ResultPartId": shown.asked.part_id,
            "ScaledMeasurement": [_scaled(value, scale) for value in measured],
            "Measurement": [_single(value) for value in measured],
            "InspectionIDRepeated": shown.number,
        }
    return pack(DAEMON_BLOCK, values, order)


def belt_words(outputs: Outputs, order: WordOrder) -> list[int]:
    """The belt's block."""
    numbers, positions, verdicts = zip(*outputs.belt, strict=True) if outputs.belt else ((), (), ())
    values = {"BeltTriggerNumber": numbers, "BeltGatePosition": positions, "BeltVerdict": verdicts}
    return pack(BELT_BLOCK, values, order)


def _scaled(value: float | None, scale: float) -> int:
    scaled = math.nan if value is None else value * scale
    return round(scaled) if abs(scaled) < 2**31 - 1 else NO_INTEGER


def _single(value: float | None) -> float:
    """As a single-precision number."""
    return value if value is not None and abs(value) < 3.4e38 else math.nan
