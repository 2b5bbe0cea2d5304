"""The function blocks of docs/plc are compiled and run, scan by scan, against the handshake that the bridge has."""

import random

import pytest

from pipeline.sinks.modbus.handshake import Handshake
from pipeline.sinks.modbus.registers import DAEMON_BLOCK, PLC_BLOCK, read_inputs, size, status_words
from pipeline.sinks.modbus.signals import Answer, Inputs, Take, Verdict
from tests.plc_blocks import TEXTS, begin
from tests.structured_text import FunctionBlock, NotStructuredTextError

SCAN_MS = 10
WINDOW_MS = 100
PATIENCE_MS = 300
TROUBLES = (
    "connection lost",  # for some scans, while the values of before stay
    "stale reading",
    "torn reading",
    "no answer",  # within the window
    "slow answer",  # later than the block waits
    "another part's answer",
    "not ready",  # at a moment, perhaps as Trigger rises
    "withdrawn",  # xStart falls before xDone
)


class Cell:
    """A controller with the block in it, the bridge's handshake, and a station that answers most of its triggers."""

    def __init__(self, text: str, troubles: tuple[str, ...], seed: int) -> None:
        self.block = FunctionBlock(text)
        self.passed: list[str] = []
        self.rejected: list[str] = []
        self.okays: set[str] = set()
        self.written: list[list[int]] = []
        self._troubles, self._random = troubles, random.Random(seed)
        self._handshake = Handshake(10 * WINDOW_MS if "slow answer" in troubles else WINDOW_MS)
        self._handshake.station(True, 1)
        self._due: list[tuple[int, Answer]] = []
        self._number, self._sequence, self._lost, self._shut = 0xFFF0, 0, 0, 0
        self._before = self._words()

    def play(self, parts: int) -> None:
        """So many parts, one after the other."""
        values = self.block.values
        values["tPatience"] = PATIENCE_MS
        for now in range(0, parts * 2000, SCAN_MS):
            self._cycle(now)
            if values["xDone"] and values["xStart"]:
                assert values["xPass"] is not values["xReject"]
                (self.passed if values["xPass"] else self.rejected).append(self._part)
                values["xStart"] = False
            elif not values["xStart"] and not values["xDone"]:
                if len(self.passed) + len(self.rejected) >= parts:
                    return
                self._begin()
            elif self._strikes("withdrawn", 0.02):
                self.rejected.append(self._part)
                values["xStart"] = False
        raise AssertionError(f"{len(self.passed) + len(self.rejected)} of {parts} parts came to an end")

    @property
    def _part(self) -> str:
        return f"P-{self._number}"

    def _begin(self) -> None:
        self._number += 1
        begin(self.block, self._number, self._part)

    def _strikes(self, trouble: str, chance: float) -> bool:
        return trouble in self._troubles and self._random.random() < chance

    def _words(self) -> list[int]:
        return status_words(self._handshake.outputs(), 0, 1.0, "high_first")

    def _cycle(self, now: int) -> None:
        self._station(now)
        values = self.block.values
        if self._lost == 0 and self._strikes("connection lost", 0.02):
            self._lost = self._random.randint(1, 4)
            self._handshake.reset()
        values["xConnected"] = self._lost == 0
        if self._lost:
            self._lost -= 1
        else:
            values["aRead"] = self._read()
        self.block.scan(now)
        self.written.append(list(values["aWrite"]))
        if self._strikes("not ready", 0.1):  # between what was read and what is written
            self._shut = 5
            self._handshake.station(False, 1)
        if values["xConnected"]:
            self._take(read_inputs(values["aWrite"], "high_first"), now)

    def _read(self) -> list[int]:
        new, old = self._words(), self._before
        self._before = new
        if self._strikes("stale reading", 0.1):
            return old
        if self._strikes("torn reading", 0.3):
            at = self._random.randrange(len(new))
            return [*new[:at], *old[at:]]
        return new

    def _take(self, inputs: Inputs, now: int) -> None:
        for action in self._handshake.write(inputs, now):
            assert isinstance(action, Take)
            assert action.trigger_number == self._number
            assert action.part_id == self._part
            self._handshake.triggered(action.acquisition, action.acquisition, now)
            self._answer(action, now)

    def _answer(self, asked: Take, now: int) -> None:
        if self._strikes("no answer", 0.2):
            return
        part = "P-0" if self._strikes("another part's answer", 0.2) else asked.part_id
        verdict = self._random.choice([*Verdict, Verdict.PASS])
        after = 2 * PATIENCE_MS if self._strikes("slow answer", 0.2) else self._random.randint(10, 60)
        self._sequence += 1
        place = (1, self._sequence)
        self._due.append((now + after, Answer(place, asked.acquisition, None, 0, 1, part, verdict, 1)))
        if verdict is Verdict.PASS and part == asked.part_id:
            self.okays.add(part)

    def _station(self, now: int) -> None:
        self._shut = max(0, self._shut - 1)
        self._handshake.station(self._shut == 0, 1)
        for when, answer in self._due:
            if when <= now:
                self._handshake.answer(answer, now)
        self._due = [each for each in self._due if each[0] > now]
        self._handshake.tick(now)


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("troubles", [(), *((trouble,) for trouble in TROUBLES), TROUBLES], ids=", ".join)
def test_no_part_passes_without_its_own_ok(kind: str, troubles: tuple[str, ...]) -> None:
    cell = Cell(TEXTS[kind], troubles, 5)
    cell.play(150)
    assert set(cell.passed) <= cell.okays
    assert len({*cell.passed, *cell.rejected}) == 150
    assert len(cell.passed) > 5, "the block goes on after each trouble"
    if not troubles:
        assert set(cell.passed) == cell.okays


def test_both_dialects_do_the_same() -> None:
    cells = [Cell(text, TROUBLES, 7) for text in TEXTS.values()]
    for cell in cells:
        cell.play(150)
    assert cells[0].written == cells[1].written


@pytest.mark.parametrize("kind", TEXTS)
def test_each_statement_is_run(kind: str) -> None:
    ran: set[int] = set()
    for troubles in (*((trouble,) for trouble in TROUBLES), TROUBLES):
        cell = Cell(TEXTS[kind], troubles, 9)
        cell.play(60 if len(troubles) == 1 else 300)
        ran |= cell.block.ran
    assert ran == cell.block.lines


@pytest.mark.parametrize(
    "checks",
    [
        ["(aRead[R_Verdict] = 16#0001)"],
        [
            "(aRead[R_ResultTriggerNumber] = wHigh) AND (aRead[R_ResultTriggerNumber + 1] = wLow)",
            "(aRead[R_ResultPartId + iWord] = aPartId[iWord])",
        ],
    ],
    ids=["verdict", "whose result it is"],
)
def test_a_block_that_checks_less_passes_parts_that_are_not_ok(checks: list[str]) -> None:
    text = TEXTS["st"]
    for check in checks:
        assert check in text
        text = text.replace(check, "TRUE")
    cell = Cell(text, TROUBLES, 5)
    cell.play(150)
    assert set(cell.passed) - cell.okays


def test_the_arrays_and_places_are_those_of_the_registers() -> None:
    block = FunctionBlock(TEXTS["st"])
    assert len(block.values["aWrite"]) == size(PLC_BLOCK)
    assert len(block.values["aRead"]) == size(DAEMON_BLOCK)
    places = {name: value for name, value in block.values.items() if name.startswith(("W_", "R_"))}
    assert len(places) == 10
    for name, place in places.items():
        registers = PLC_BLOCK if name.startswith("W_") else DAEMON_BLOCK
        (found,) = (each for each in registers if each.name == name[2:])
        assert place == found.address - registers[0].address


@pytest.mark.parametrize(
    "statement",
    [
        "iStep := xStart;",  # INT of BOOL
        "wHigh := udiNumber;",  # WORD of UDINT
        "W_Control := 1;",  # a constant
        "wHigh := aRead[udiNumber];",  # an index that is no INT
        "IF wStatus THEN END_IF;",
        "iStep := iStep AND 1;",
        "iNone := 1;",
        "iStep := 1",
    ],
)
def test_what_a_compiler_refuses_is_refused(statement: str) -> None:
    text = TEXTS["st"].replace("uiHeart := uiHeart + 1;", statement)
    with pytest.raises(NotStructuredTextError):
        FunctionBlock(text)
