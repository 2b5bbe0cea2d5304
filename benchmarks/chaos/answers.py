"""The answers of a run as the journal has them, cut down to what the reckoning compares."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import result as result_schema
from pipeline.ledger.journal_reader import JournalReader
from pipeline.result import KeypointState, Result, ResultState

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """One result.

    Attributes:
        is_last: of the results of its trigger.
        outcome: the evaluation; for a loss its reasons.
        keypoints: names, of all views.
        dots_px: view to the place of its first keypoint in sensor px, where that is visible.
        answered_ns: monotonic.
    """

    session: int
    seq: int
    trigger: int | None
    is_last: bool
    part_id: str
    is_verdict: bool
    outcome: str
    recipe: int
    keypoints: frozenset[str]
    dots_px: dict[str, tuple[float, float]]
    answered_ns: int

    @property
    def place(self) -> tuple[int, int]:
        """Its identity on the wire."""
        return self.session, self.seq

    def __str__(self) -> str:
        return f"{self.session}-{self.seq} trigger {self.trigger} {self.part_id or 'no part id'} {self.outcome}"


def answer_of(result: Result) -> Answer:
    """What matters of a result."""
    is_verdict = result.result_state is ResultState.COMPLETED
    reasons = ", ".join(sorted(f"{reason.code}{':' if reason.view else ''}{reason.view}" for reason in result.reasons))
    dots: dict[str, tuple[float, float]] = {}
    seen = set()
    for point in result.keypoints:
        if point.view not in seen and point.state is KeypointState.visible and None not in (point.x, point.y):
            dots[point.view] = (point.x or 0.0, point.y or 0.0)
        seen.add(point.view)
    return Answer(
        session=result.session,
        seq=result.seq,
        trigger=result.trigger_number,
        is_last=result.part_index == result.part_count - 1,
        part_id=result.part_id,
        is_verdict=is_verdict,
        outcome=result.result_evaluation.value if is_verdict else reasons,
        recipe=result.recipe_id,
        keypoints=frozenset(point.name for point in result.keypoints),
        dots_px=dots,
        answered_ns=result.times["answered_monotonic_ns"],
    )


def read_answers(folder: Path) -> Iterator[Answer]:
    """All that the journal in `folder` has, in the order of session and seq."""
    reader = JournalReader.open(folder)
    try:
        session = seq = 0
        more = True
        while more:
            page = reader.page(session, seq, PAGE)
            session, seq, more = page.session, page.seq, page.more
            yield from (answer_of(result_schema.decode(payload)) for payload in page.payloads)
    finally:
        reader.close()
