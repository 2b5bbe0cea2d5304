from pathlib import Path

import pytest

from pipeline.sinks.lines import grammar
from pipeline.sinks.lines.conversation import STATUS_NS, Conversation
from pipeline.sinks.lines.grammar import BEGIN, END, RecipeLine, TriggerLine, page_table
from pipeline.sinks.modbus.handshake import DEPTH
from pipeline.sinks.modbus.signals import Answer, Cause, SelectRecipe, Take, Verdict

WINDOW_NS = 1_000_000_000


def answer(place: int, key: int, part_id: str = "", verdict: Verdict = Verdict.PASS) -> Answer:
    evaluation = {Verdict.PASS: 1, Verdict.FAIL: 2, Verdict.NONE: 3}[verdict]
    return Answer((1, place), key, None, 0, 1, part_id, verdict, evaluation, (12.3456789, None, 1e12))


class Played:
    """A conversation with a station that can inspect, and the lines that the controller has read."""

    def __init__(self, *, own_trigger: bool = False) -> None:
        self.said: list[str] = []
        self.conversation = Conversation(WINDOW_NS, self.said.append, own_trigger=own_trigger)
        self.conversation.station(True, 3)
        self.conversation.begin(0)

    def lines(self) -> list[str]:
        said = [line for line in self.said if not line.startswith("STATUS")]
        self.said.clear()
        return said


def test_each_trigger_has_its_own_result_with_its_id() -> None:
    played = Played()
    assert played.said == ["STATUS 1 3 0"]
    assert played.conversation.hear("TRIGGER 41 SN 7", 10) == [Take(1, 41, "SN 7")]
    played.conversation.triggered(1, 900, 20)
    played.conversation.answer(answer(1, 900, "SN 7"), 30)
    assert played.lines() == ["TAKEN 41", "RESULT 41 PASS 0 OK 3 12.3457 - - SN 7"]
    played.conversation.hear("TRIGGER 42", 40)
    played.conversation.answer(answer(2, 901, verdict=Verdict.FAIL), 50)  # before the reply that tells its key
    played.conversation.triggered(2, 901, 60)
    assert played.lines() == ["TAKEN 42", "RESULT 42 FAIL 0 NOT_OK 3 12.3457 - -"]


def test_without_an_answer_in_the_window_there_is_no_verdict_and_a_late_one_is_none() -> None:
    played = Played()
    played.conversation.hear("TRIGGER 1 A", 0)
    played.conversation.triggered(1, 7, 1)
    played.conversation.tick(WINDOW_NS)
    assert played.lines() == ["TAKEN 1", f"RESULT 1 NONE {Cause.window} - 0 A"]
    played.conversation.answer(answer(1, 7, "A"), WINDOW_NS + 1)
    assert played.lines() == []


def test_two_open_triggers_of_one_number_have_both_no_verdict() -> None:
    played = Played()
    played.conversation.hear("TRIGGER 5 A", 0)
    played.conversation.triggered(1, 7, 1)
    assert played.conversation.hear("TRIGGER 5 B", 2) == []
    played.conversation.answer(answer(1, 7, "A"), 3)
    assert played.lines() == [
        "TAKEN 5",
        f"RESULT 5 NONE {Cause.number_twice} - 0 B",
        f"RESULT 5 NONE {Cause.number_twice} - 0 A",
    ]
    assert played.conversation.hear("TRIGGER 5 C", 4) == [Take(2, 5, "C")]


def test_what_is_not_taken_up_is_answered_at_once() -> None:
    played = Played()
    for number in range(DEPTH):
        assert played.conversation.hear(f"TRIGGER {number}", number)
    assert played.said[-1] == f"STATUS 0 3 {DEPTH}"
    assert played.conversation.hear(f"TRIGGER {DEPTH}", 99) == []
    assert played.lines() == [f"RESULT {DEPTH} NONE {Cause.early_trigger} - 0"]
    played.conversation.refused(1, Cause.no_reply, 100)
    assert played.lines() == [f"RESULT 0 NONE {Cause.no_reply} - 0"]
    played.conversation.station(False, 3)
    assert played.conversation.hear("TRIGGER 77", 101) == []
    assert played.lines() == [f"RESULT 77 NONE {Cause.early_trigger} - 0"]


def test_an_answer_for_another_part_is_no_verdict() -> None:
    played = Played()
    played.conversation.hear("TRIGGER 5 A", 0)
    played.conversation.triggered(1, 7, 1)
    played.conversation.answer(answer(1, 7, "B"), 2)
    assert played.lines()[-1] == f"RESULT 5 NONE {Cause.other_part} - 0 A"


def test_a_new_connection_hears_nothing_of_before() -> None:
    played = Played()
    played.conversation.hear("TRIGGER 5 A", 0)
    played.conversation.triggered(1, 7, 1)
    played.lines()
    played.conversation.begin(2)
    assert played.said == ["STATUS 1 3 0"]
    played.conversation.answer(answer(1, 7, "A"), 3)
    assert played.lines() == []


def test_recipes_are_asked_for_and_told() -> None:
    played = Played()
    assert played.conversation.hear("RECIPE 4", 0) == [SelectRecipe(4)]
    assert played.said[-1] == "STATUS 0 3 0"
    assert played.conversation.hear("TRIGGER 1", 1) == []
    played.lines()
    played.conversation.station(True, 4)
    played.conversation.tick(2)
    assert played.said == ["RECIPE 4 OK", "STATUS 1 4 0"]
    played.lines()
    played.conversation.hear("RECIPE 9", 3)
    played.conversation.recipe_refused(9)
    assert played.lines() == ["RECIPE 9 REFUSED"]


def test_somebody_lives_is_said_once_a_second() -> None:
    played = Played()
    played.conversation.tick(STATUS_NS - 1)
    assert len(played.said) == 1
    played.conversation.tick(STATUS_NS)
    assert len(played.said) == 2
    played.conversation.hear("STATUS", STATUS_NS + 1)
    assert len(played.said) == 3


def test_a_line_of_the_lines_own_trigger_is_bound_by_its_number() -> None:
    played = Played(own_trigger=True)
    assert played.conversation.hear("TRIGGER 41 SN-7", 10) == [Take(1, 41, "SN-7")]
    played.conversation.triggered(1, 41, 20)
    played.conversation.answer(Answer((1, 1), None, 41, 0, 1, "SN-7", Verdict.PASS, 1), 30)
    assert played.lines() == ["TAKEN 41", "RESULT 41 PASS 0 OK 0 SN-7"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "trigger 1",
        "TRIGGER",
        "TRIGGER -1",
        "TRIGGER 01",
        "TRIGGER 4294967296",
        "TRIGGER 1  \x07",
        "RECIPE 70000",
        "TRIGGER 1\t2",
    ],
)
def test_what_is_no_line_asks_for_nothing(line: str) -> None:
    played = Played()
    assert played.conversation.hear(line, 0) == []
    assert [said[:5] for said in played.lines()] == ["ERROR"]


def test_lines_are_read_as_they_are_meant() -> None:
    assert grammar.read("TRIGGER 4294967295  a b") == TriggerLine(4294967295, " a b")
    assert grammar.read("TRIGGER 0") == TriggerLine(0, "")
    assert grammar.read("RECIPE 12") == RecipeLine(12)


def test_the_page_has_the_table_of_the_code() -> None:
    text = (Path(__file__).parents[5] / "docs/lines.md").read_text()
    assert text[text.index(BEGIN) : text.index(END) + len(END)] == page_table()
