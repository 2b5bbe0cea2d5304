from dataclasses import replace

import pytest

from benchmarks.chaos.answers import Answer
from benchmarks.chaos.chooser import Selection
from benchmarks.chaos.reckoning import Reckoning, reckon
from benchmarks.chaos.scene import RECIPES, first_dot_px
from benchmarks.chaos.subscriber import Got, Record, Told
from simulator.line_log import LoggedEdge

SESSION, PID = 7, 100
MS = 1_000_000


def edge(number: int, part: int | None) -> LoggedEdge:
    part_id = None if part is None else f"part-{part}"
    return LoggedEdge(number, number * 10 * MS, part_id, ("SIM-0", "SIM-1"), {}, None, {})


# Three parts, and an edge that no part caused after the second; it shows the second part once more.
EDGES = [edge(1, 1), edge(2, 2), edge(3, None), edge(4, 3)]
PICTURES = {1: 0, 2: 1, 3: 1, 4: 2}


def answer(number: int, seq: int) -> Answer:
    dot = first_dot_px(PICTURES[number])
    return Answer(
        session=SESSION,
        seq=seq,
        trigger=number,
        is_last=True,
        part_id=EDGES[number - 1].part_id or "",
        is_verdict=True,
        outcome="OK",
        recipe=1,
        keypoints=frozenset(RECIPES[1]),
        dots_px={"top": dot, "side": dot},
        answered_ns=(number * 10 + 5) * MS,
    )


ANSWERS = [answer(number, number) for number in (1, 2, 3, 4)]
SELECTED = [Selection(1, 0, 1)]


def got(seq: int, pid: int = PID, session: int = SESSION) -> Got:
    return Got(session, seq, seq, 0, pid)


RECORDS: list[Record] = [got(seq) for seq in (1, 2, 3, 4)]


def reckoned(
    answers: list[Answer] = ANSWERS, records: list[Record] = RECORDS, selections: list[Selection] = SELECTED
) -> Reckoning:
    return reckon(EDGES, answers, records, selections, [])


def faults(reckoning: Reckoning) -> dict[str, list[object]]:
    return {kind: found for kind, found in reckoning.faults().items() if found}


def changed(number: int, **values: object) -> list[Answer]:
    return [replace(found, **values) if found.trigger == number else found for found in ANSWERS]  # type: ignore[arg-type]  # fields by name


def test_a_run_in_which_everything_fits_is_good() -> None:
    reckoning = reckoned()
    assert faults(reckoning) == {}
    assert reckoning.is_good
    assert reckoning.outcomes == {"OK": 4}
    assert (reckoning.absent_ids, reckoning.gaps_told, reckoning.in_hand) == (0, 0, 0)


def test_a_trigger_without_an_answer() -> None:
    reckoning = reckoned(ANSWERS[:2] + ANSWERS[3:], RECORDS[:2] + RECORDS[3:])
    assert faults(reckoning) == {"unanswered": [3]}
    assert not reckoning.is_good


def test_a_trigger_with_answers_in_two_sessions() -> None:
    again = replace(answer(2, 1), session=SESSION + 1)
    reckoning = reckoned([*ANSWERS, again], [*RECORDS, got(1, session=SESSION + 1)])
    assert faults(reckoning) == {"answered twice": [2]}


@pytest.mark.parametrize("number", [None, 99])
def test_an_answer_for_no_trigger_of_the_line(number: int | None) -> None:
    extra = replace(answer(1, 5), trigger=number)
    assert list(faults(reckoned([*ANSWERS, extra], [*RECORDS, got(5)]))) == ["answers to no trigger"]


def test_a_result_that_the_subscriber_did_not_get_unless_it_was_told_so() -> None:
    records = RECORDS[:1] + RECORDS[2:]
    assert faults(reckoned(records=records)) == {"missing at the subscriber": [(SESSION, 2)]}
    told = Told(SESSION, 2, 2, PID)
    assert faults(reckoned(records=[*records, told])) == {"told as lost, but in the journal": [(SESSION, 2)]}
    told = Told(SESSION, 5, 6, PID)  # numbers that no result has: that may be
    reckoning = reckoned(records=[*RECORDS, told])
    assert faults(reckoning) == {}
    assert reckoning.gaps_told == 2


def test_a_result_that_only_the_subscriber_knows() -> None:
    assert faults(reckoned(records=[*RECORDS, got(5)])) == {"at the subscriber, not in the journal": [(SESSION, 5)]}


def test_a_result_given_twice_is_allowed_only_to_a_subscriber_that_died_with_it_in_hand() -> None:
    reckoning = reckoned(records=[*RECORDS[:2], got(2, PID + 1), *RECORDS[2:]])
    assert faults(reckoning) == {}
    assert reckoning.in_hand == 1
    twice = {"given twice to the subscriber": [(SESSION, 2)]}
    assert faults(reckoned(records=[*RECORDS[:2], got(2), *RECORDS[2:]])) == twice
    assert faults(reckoned(records=[*RECORDS[:3], got(2, PID + 1), *RECORDS[3:]])) == twice


def test_a_result_given_after_a_later_one() -> None:
    records = [RECORDS[0], RECORDS[2], RECORDS[1], RECORDS[3]]
    assert faults(reckoned(records=records)) == {"given in the wrong order": [(SESSION, 2)]}


def test_part_ids() -> None:
    assert faults(reckoned(changed(4, part_id="part-2"))) == {"part ids on the wrong part": [4]}
    assert faults(reckoned(changed(3, part_id="part-2"))) == {"part ids on the wrong part": [3]}
    reckoning = reckoned(changed(4, part_id=""))
    assert faults(reckoning) == {}
    assert reckoning.absent_ids == 1


def test_a_verdict_on_another_part_shows_by_the_places_of_its_dots() -> None:
    wrong = {"top": first_dot_px(PICTURES[4]), "side": first_dot_px(PICTURES[2])}
    assert faults(reckoned(changed(4, dots_px=wrong))) == {"verdicts on the wrong part": [4]}
    assert faults(reckoned(changed(4, dots_px={}))) == {}


def test_the_recipe_is_the_one_selected_last() -> None:
    second = changed(4, recipe=2, keypoints=frozenset(RECIPES[2]))
    wrong = {"inspected by the wrong recipe": [4]}
    assert faults(reckoned(second)) == wrong
    assert faults(reckoned(changed(4, keypoints=frozenset("abef")))) == wrong
    between = [Selection(1, 0, 1), Selection(2, 31 * MS, 32 * MS)]
    assert faults(reckoned(second, selections=between)) == {}
    assert faults(reckoned(selections=between)) == wrong
    meanwhile = [Selection(1, 0, 1), Selection(2, 42 * MS, 43 * MS)]  # after the edge and before the answer
    assert faults(reckoned(second, selections=meanwhile)) == {}
    refused = [Selection(1, 0, 1), Selection(2, 31 * MS, 32 * MS, "nobody answered")]
    assert faults(reckoned(selections=refused)) == faults(reckoned(second, selections=refused)) == {}
