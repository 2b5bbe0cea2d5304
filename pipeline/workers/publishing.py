"""From answers of the book to the journal and the stream: committed first, then published; the caller then closes the slots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from pipeline import result as result_schema
from pipeline.clock import monotonic_ns, utc_ns
from pipeline.evidence.image_name import image_path
from pipeline.ledger.account import Account
from pipeline.ledger.actions import Answer, Copy
from pipeline.ledger.answers import Answering, Moment
from pipeline.ledger.journal import Journal
from pipeline.ledger.journal_rows import FrameKey, Row
from pipeline.ledger.wire import ResultStream
from pipeline.messages import PartAnswer
from pipeline.result import Evaluation, Result


@dataclass(frozen=True, slots=True)
class Told:
    """What was published of a part: number and evaluation of its first result, the bytes, where each view's image will lie."""

    seq: int
    evaluation: Evaluation
    payload: bytes
    images: Mapping[str, str]


@dataclass(slots=True)
class Publishing:
    """Numbers, journals and publishes the answers of one turn together."""

    answering: Answering
    journal: Journal
    stream: ResultStream
    counts: dict[str, int] = field(default_factory=dict)

    def publish(
        self,
        answers: Sequence[Answer],
        found: Sequence[PartAnswer],
        copies: Sequence[Copy],
        accounts: Mapping[str, Account],
    ) -> dict[int, Told]:
        """Answer these parts; `found` is what infer found of the one without a loss. Part number to what was told.

        Every answer is in the journal, or known not to be, before any of them is published.
        """
        moment = Moment(monotonic_ns(), utc_ns())
        told: dict[int, Told] = {}
        results: list[Result] = []
        rows: list[Row] = []
        frames: list[FrameKey] = []
        for answer in answers:
            first = self.answering.last_seq + 1
            images = self._images(answer, found, copies, first, moment)
            given = self.answering.results(answer, found, moment, journaled=True, images=images)
            results += given
            rows += [_row(result, moment, answer.part.software) for result in given]
            frames += [
                FrameKey(frame.slot, frame.generation, first, len(given)) for frame in answer.part.frames.values()
            ]
            told[answer.part.number] = Told(first, given[0].result_evaluation, rows[-len(given)].payload, images)
        if not self.journal.commit(rows, frames, accounts):
            rows = [_unjournaled(row, result) for row, result in zip(rows, results, strict=True)]
            self.journal.amend(rows)
        for row in rows:
            self.stream.publish_result(row.payload)
            self.counts[row.evaluation.value] = self.counts.get(row.evaluation.value, 0) + 1
        return told

    def _images(
        self, answer: Answer, found: Sequence[PartAnswer], copies: Sequence[Copy], seq: int, moment: Moment
    ) -> dict[str, str]:
        """Where the images of this part's views will lie, for those that are to be copied."""
        evaluation = found[0].evaluation if answer.loss is None and found else Evaluation.UNDEFINED
        views = [view for copy in copies for view, frame in answer.part.frames.items() if frame is copy.frame]
        return {view: image_path(self.answering.session, seq, view, moment.utc_ns, evaluation) for view in views}


def _row(result: Result, moment: Moment, software: int | None) -> Row:
    return Row(
        result.seq,
        moment.utc_ns,
        result.result_evaluation,
        result.trigger_number,
        result.part_id,
        result_schema.encode(result),
        software or 0,
    )


def _unjournaled(row: Row, result: Result) -> Row:
    """The same answer, that says of itself that it is not on the disk."""
    return replace(row, payload=result_schema.encode(msgspec.structs.replace(result, journaled=False)))
