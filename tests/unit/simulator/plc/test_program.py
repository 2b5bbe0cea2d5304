"""The played PLC against the handshake itself, without sockets: both are pure."""

import random
from dataclasses import replace

import pytest

from pipeline.sinks.modbus.handshake import Handshake
from pipeline.sinks.modbus.registers import read_inputs, status_words
from pipeline.sinks.modbus.signals import Answer, Take, Verdict
from simulator.plc.program import Fault, PlcProgram

WINDOW = 20


def played(parts: int, faults: tuple[Fault, ...], seed: int) -> tuple[PlcProgram, set[str], Handshake]:
    """So many parts at a station that answers most of them; which it has passed."""
    random_ = random.Random(seed)
    program = PlcProgram("T", 60, lambda _: random_.choice(faults) if faults and random_.random() < 0.3 else None)
    handshake = Handshake(WINDOW)
    handshake.station(True, 1)
    okays: set[str] = set()
    due: list[tuple[int, Answer]] = []
    seq = 0
    for now in range(parts * 400):
        if program.counts.parts > parts:
            break
        for answer in [answer for when, answer in due if when <= now]:
            handshake.answer(answer, now)
        due = [each for each in due if each[0] > now]
        if program.wants_reconnect:
            handshake.reset()
            program.disconnected(now)
        handshake.tick(now)
        words = program.scan(status_words(handshake.outputs(), 0, 1.0, "high_first"), now)
        for action in handshake.write(read_inputs(words, "high_first"), now):
            assert isinstance(action, Take)
            handshake.triggered(action.acquisition, action.acquisition, now)
            verdict = random_.choice([*Verdict, Verdict.PASS])
            seq += 1
            due.append((now + 5, Answer((1, seq), action.acquisition, None, 0, 1, action.part_id, verdict, 1)))
            if verdict is Verdict.PASS:
                okays.add(action.part_id)
    return program, okays, handshake


@pytest.mark.parametrize("faults", [(), *((fault,) for fault in Fault), tuple(Fault)], ids=str)
def test_no_part_passes_without_its_own_ok_whatever_the_plc_does_wrong(faults: tuple[Fault, ...]) -> None:
    program, okays, handshake = played(120, faults, 3)
    counts = program.counts
    assert counts.parts > 120, "the program goes on after each fault"
    assert counts.disagreements == []
    assert set(counts.passed_ids) <= okays
    assert len(set(counts.passed_ids)) == len(counts.passed_ids)
    assert sum(counts.ends.values()) == counts.parts - 1
    if not faults:
        assert set(counts.passed_ids) == okays
    else:
        assert set(counts.faults) == set(faults)
    if faults == (Fault.overrun,):
        assert handshake.overruns > 0
    if faults == (Fault.early_trigger,):
        assert 0 <= counts.faults[Fault.early_trigger] - handshake.missed <= 1, "the last part has only begun"


def test_a_bridge_that_answers_for_another_part_is_told() -> None:
    program = PlcProgram("T", 60, lambda _: None)
    handshake = Handshake(WINDOW)
    handshake.station(True, 1)
    for now in range(40):
        words = program.scan(status_words(handshake.outputs(), 0, 1.0, "high_first"), now)
        inputs = read_inputs(words, "high_first")

        for action in handshake.write(replace(inputs, part_id="X-1"), now):
            assert isinstance(action, Take)
            handshake.triggered(action.acquisition, 1, now)
            handshake.answer(Answer((1, 1), 1, None, 0, 1, "X-1", Verdict.PASS, 1), now)
    assert program.counts.disagreements[0] == "trigger 1 is answered for part X-1"
    assert program.counts.passed_ids == []
