import math
from dataclasses import replace

import pytest

from pipeline.sinks.modbus.handshake import BELT, Handshake
from pipeline.sinks.modbus.registers import (
    BELT_BLOCK,
    DAEMON_BLOCK,
    NO_INTEGER,
    PARTS,
    PLC_BLOCK,
    VERDICT_BITS,
    WordOrder,
    belt_words,
    bits_of,
    pack,
    read_inputs,
    size,
    status_words,
    unpack,
)
from pipeline.sinks.modbus.signals import Cause, Inputs, Inspection, Verdict

SHOWN = Inspection(
    70000, Inputs(trigger_number=66000, part_id="SN-00417"), Verdict.PASS, Cause.none, 1, (12.345, None, 1e30, -2.0)
)


def test_each_block_is_read_in_one_request_and_none_overlap() -> None:
    for block in (PLC_BLOCK, DAEMON_BLOCK, BELT_BLOCK):
        assert size(block) <= 125
    assert PLC_BLOCK[0].address + size(PLC_BLOCK) <= DAEMON_BLOCK[0].address
    assert DAEMON_BLOCK[0].address + size(DAEMON_BLOCK) <= BELT_BLOCK[0].address
    assert PARTS == BELT


def test_the_number_of_the_inspection_is_first_and_last() -> None:
    names = [register.name for register in DAEMON_BLOCK]
    assert names[-1] == "InspectionIDRepeated"
    assert names.index("InspectionID") < names.index("Verdict")


@pytest.mark.parametrize("order", ["high_first", "low_first"])
def test_a_result_comes_back_as_it_was(order: WordOrder) -> None:
    outputs = replace(Handshake(1).outputs(), shown=SHOWN, results_valid=True)
    words = status_words(outputs, 3, 1000.0, order)
    values = unpack(DAEMON_BLOCK, words, order)
    assert values["InspectionID"] == values["InspectionIDRepeated"] == 70000
    assert values["ResultTriggerNumber"] == 66000
    assert values["ResultPartId"] == "SN-00417"
    assert bits_of(VERDICT_BITS, int(str(values["Verdict"]))) == {"Pass": True, "Fail": False}
    scaled, single = values["ScaledMeasurement"], values["Measurement"]
    assert isinstance(scaled, list)
    assert isinstance(single, list)
    assert scaled[:4] == [12345, NO_INTEGER, NO_INTEGER, -2000]
    assert single[0] == pytest.approx(12.345, rel=1e-6)
    assert math.isnan(single[1])
    assert values["MeasurementCount"] == 4


def test_the_word_order_is_that_of_the_wire() -> None:
    outputs = replace(Handshake(1).outputs(), acquisition_id=0x00012345)
    place = next(register.address for register in DAEMON_BLOCK if register.name == "AcquisitionID") - 100
    assert status_words(outputs, 0, 1.0, "high_first")[place : place + 2] == [0x0001, 0x2345]
    assert status_words(outputs, 0, 1.0, "low_first")[place : place + 2] == [0x2345, 0x0001]


def test_without_a_result_its_whole_block_is_zero() -> None:
    words = status_words(Handshake(1).outputs(), 3, 1000.0, "high_first")
    start = next(register.address for register in DAEMON_BLOCK if register.name == "InspectionID") - 100
    assert not any(words[start:])


def test_what_the_plc_writes_is_read() -> None:
    values = {"Control": 0b10011, "PlcHeartbeat": 7, "TriggerNumber": 66000, "RecipeNumber": 3, "EncoderCount": 2**32 - 1,
              "GateDistance": 100, "PartId": "x" * 40}  # fmt: skip
    inputs = read_inputs(pack(PLC_BLOCK, values, "low_first"), "low_first")
    assert inputs == Inputs(True, True, False, False, True, 7, 3, 66000, 2**32 - 1, 100, "x" * 32)


def test_any_words_are_inputs() -> None:
    assert read_inputs([0xFFFF] * size(PLC_BLOCK), "high_first").trigger


def test_the_belt_is_told() -> None:
    outputs = replace(Handshake(1).outputs(), belt=((5, 900, Verdict.NONE), (6, 950, Verdict.PASS)))
    values = unpack(BELT_BLOCK, belt_words(outputs, "high_first"), "high_first")
    for name, begin in (
        ("BeltTriggerNumber", [5, 6, 0]),
        ("BeltGatePosition", [900, 950, 0]),
        ("BeltVerdict", [0, 1, 0]),
    ):
        value = values[name]
        assert isinstance(value, list)
        assert value[:3] == begin
