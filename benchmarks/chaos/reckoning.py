"""Compares what the line did, what the journal has and what the subscriber got: the point of a chaos run."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from benchmarks.chaos.answers import Answer
from benchmarks.chaos.chooser import Selection
from benchmarks.chaos.scene import RECIPES, SHIFT_LIMIT_PX, SHIFTS_PX, first_dot_px
from benchmarks.chaos.subscriber import Got, Record, Told
from simulator.line_log import LoggedEdge

Place = tuple[int, int]


@dataclass(slots=True)
class Reckoning:
    """What does not fit, by kind, each with those that it concerns; and what is counted only.

    Attributes:
        unanswered: triggers of the line without an answer.
        twice: triggers with more than one answer, in all sessions together.
        unknown: answers for triggers that the line has not made.
        missing: results in the journal that the subscriber neither got nor was told of.
        unjournaled: results that the subscriber got and the journal does not have.
        wrongly_told: results that the subscriber was told to be lost, though the journal has them.
        given_twice: results that the subscriber got twice although it was not killed with them in hand.
        disordered: results that the subscriber got after a later one.
        wrong_ids: triggers answered with the part id of another.
        wrong_verdicts: triggers whose verdict was found in the picture of another part.
        wrong_recipe: triggers inspected by another recipe than the one selected, or by both.
        leaked: shared memory, sockets and processes that are left.
        outcomes: answers by evaluation or loss.
        absent_ids: answers without the part id that the line had told, or tried to.
        gaps_told: results that the subscriber was told to be lost.
        in_hand: results given twice because the subscriber was killed with them in hand.
    """

    unanswered: list[int] = field(default_factory=list)
    twice: list[int] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    missing: list[Place] = field(default_factory=list)
    unjournaled: list[Place] = field(default_factory=list)
    wrongly_told: list[Place] = field(default_factory=list)
    given_twice: list[Place] = field(default_factory=list)
    disordered: list[Place] = field(default_factory=list)
    wrong_ids: list[int] = field(default_factory=list)
    wrong_verdicts: list[int] = field(default_factory=list)
    wrong_recipe: list[int] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    absent_ids: int = 0
    gaps_told: int = 0
    in_hand: int = 0

    def faults(self) -> dict[str, list[object]]:
        """The kinds that must be empty, in the order of the table."""
        return {
            "unanswered": list(self.unanswered),
            "answered twice": list(self.twice),
            "answers to no trigger": list(self.unknown),
            "missing at the subscriber": list(self.missing),
            "at the subscriber, not in the journal": list(self.unjournaled),
            "told as lost, but in the journal": list(self.wrongly_told),
            "given twice to the subscriber": list(self.given_twice),
            "given in the wrong order": list(self.disordered),
            "part ids on the wrong part": list(self.wrong_ids),
            "verdicts on the wrong part": list(self.wrong_verdicts),
            "inspected by the wrong recipe": list(self.wrong_recipe),
            "leaked shared memory, sockets, processes": list(self.leaked),
        }

    @property
    def is_good(self) -> bool:
        """Whether everything fits."""
        return not any(self.faults().values())


def reckon(
    edges: Sequence[LoggedEdge],
    answers: Sequence[Answer],
    records: Iterable[Record],
    selections: Sequence[Selection],
    leaked: list[str],
) -> Reckoning:
    """All comparisons. `edges` in order of their numbers, `answers` and `records` in the order in which they were written."""
    reckoning = Reckoning(leaked=leaked)
    _count_answers(reckoning, edges, answers)
    _compare_parts(reckoning, edges, answers)
    _compare_recipes(reckoning, edges, answers, selections)
    _compare_subscriber(reckoning, answers, list(records))
    return reckoning


def _count_answers(reckoning: Reckoning, edges: Sequence[LoggedEdge], answers: Sequence[Answer]) -> None:
    counts = Counter(answer.trigger for answer in answers if answer.is_last)
    numbers = {edge.trigger_number for edge in edges}
    reckoning.unanswered = sorted(numbers - counts.keys())
    reckoning.twice = sorted(number for number in numbers if counts[number] > 1)
    reckoning.unknown = [str(answer) for answer in answers if answer.trigger not in numbers]
    reckoning.outcomes = Counter(answer.outcome for answer in answers if answer.is_last)


def _compare_parts(reckoning: Reckoning, edges: Sequence[LoggedEdge], answers: Sequence[Answer]) -> None:
    """Part ids and pictures: each picture has its dots in places of their own."""
    pictures = pictures_of(edges)
    ids = {edge.trigger_number: edge.part_id or "" for edge in edges}
    for answer in answers:
        if answer.trigger is None or answer.trigger not in ids:
            continue
        if answer.part_id and answer.part_id != ids[answer.trigger]:
            reckoning.wrong_ids.append(answer.trigger)
        reckoning.absent_ids += bool(ids[answer.trigger] and not answer.part_id)
        x, y = first_dot_px(pictures[answer.trigger])
        if any(abs(seen[0] - x) + abs(seen[1] - y) > SHIFT_LIMIT_PX for seen in answer.dots_px.values()):
            reckoning.wrong_verdicts.append(answer.trigger)


def pictures_of(edges: Sequence[LoggedEdge]) -> dict[int, int]:
    """Trigger number to the picture that the cameras saw: an edge that no part caused shows the last part once more."""
    found = {}
    parts = 0
    for edge in edges:
        parts += edge.part_id is not None
        found[edge.trigger_number] = max(parts - 1, 0) % len(SHIFTS_PX)
    return found


def _compare_recipes(
    reckoning: Reckoning, edges: Sequence[LoggedEdge], answers: Sequence[Answer], selections: Sequence[Selection]
) -> None:
    """The keypoints' names tell the recipe; after a selection was confirmed, and before the next one, it must be that one."""
    made_ns = {edge.trigger_number: edge.monotonic_ns for edge in edges}
    windows = [
        (selection.number, selection.told_ns, following.asked_ns)
        for selection, following in pairwise([*selections, Selection(0, 2**63, 0)])
        if not selection.error
    ]
    verdicts = [
        (made_ns[answer.trigger], answer) for answer in answers if answer.is_verdict and answer.trigger in made_ns
    ]
    at = 0
    for edge_ns, answer in sorted(verdicts, key=lambda pair: pair[0]):
        wrong = answer.keypoints != frozenset(RECIPES.get(answer.recipe, ()))
        while at < len(windows) and windows[at][2] <= edge_ns:
            at += 1
        # Its part was opened at some time between edge and answer: both have to lie between two selections.
        if at < len(windows) and windows[at][1] < edge_ns and answer.answered_ns < windows[at][2]:
            wrong |= answer.recipe != windows[at][0]
        if wrong and answer.trigger is not None:
            reckoning.wrong_recipe.append(answer.trigger)


def _compare_subscriber(reckoning: Reckoning, answers: Sequence[Answer], records: list[Record]) -> None:
    journaled = {answer.place for answer in answers}
    got: set[Place] = set()
    told: dict[int, list[tuple[int, int]]] = defaultdict(list)
    last: Got | None = None
    for record in records:
        if isinstance(record, Told):
            told[record.session].append((record.first, record.last))
            reckoning.gaps_told += record.last - record.first + 1
        elif isinstance(record, Got):
            place = (record.session, record.seq)
            if last is not None and place <= (last.session, last.seq):
                if place == (last.session, last.seq) and record.pid != last.pid:
                    reckoning.in_hand += 1
                elif place in got:
                    reckoning.given_twice.append(place)
                else:
                    reckoning.disordered.append(place)
            got.add(place)
            last = record
    lost = {place for place in journaled if any(a <= place[1] <= b for a, b in told[place[0]])}
    reckoning.wrongly_told = sorted(lost)
    reckoning.missing = sorted(journaled - got - lost)
    reckoning.unjournaled = sorted(got - journaled)
