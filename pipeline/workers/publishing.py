"""From answers of the book to the journal and the stream: committed first, then published; the caller then closes the slots."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

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
from pipeline.result import Disposition, Evaluation, Result, ResultState


@dataclass(frozen=True, slots=True)
class Told:
    """What was published for a trigger.

    Attributes:
        seq: number of its first result.
        evaluation: the one that counts, of all parts that were found.
        text: the published JSON; where several parts were found, a list of it.
        images: view to where its image will lie, below the state folder.
        passes: whether each of its results is an answer by which the part passes.
    """

    seq: int
    evaluation: Evaluation
    text: bytes
    images: Mapping[str, str]
    passes: bool


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
        given: list[tuple[int, list[Result], dict[str, str]]] = []  # part number, its results, its images
        rows: list[Row] = []
        frames: list[FrameKey] = []
        for answer in answers:
            first = self.answering.last_seq + 1
            images = self._images(answer, found, copies, first, moment)
            results = self.answering.results(answer, found, moment, journaled=True, images=images)
            given.append((answer.part.number, results, images))
            rows += [_row(result, moment, answer.part.software) for result in results]
            frames += [
                FrameKey(frame.slot, frame.generation, first, len(results)) for frame in answer.part.frames.values()
            ]
        if not self.journal.commit(rows, frames, accounts):
            all_results = [result for _, results, _ in given for result in results]
            rows = [_unjournaled(row, result) for row, result in zip(rows, all_results, strict=True)]
            self.journal.amend(rows)
        for row in rows:
            self.stream.publish_result(row.payload)
            self.counts[row.evaluation.value] = self.counts.get(row.evaluation.value, 0) + 1
        published = iter(rows)
        return {
            number: _told(list(islice(published, len(results))), images, results) for number, results, images in given
        }

    def _images(
        self, answer: Answer, found: Sequence[PartAnswer], copies: Sequence[Copy], seq: int, moment: Moment
    ) -> dict[str, str]:
        """Where the images of this part's views will lie, for those that are to be copied."""
        evaluation = Evaluation.UNDEFINED if answer.loss is not None else _worst(one.evaluation for one in found)
        views = [view for copy in copies for view, frame in answer.part.frames.items() if frame is copy.frame]
        return {view: image_path(self.answering.session, seq, view, moment.utc_ns, evaluation) for view in views}


def _told(rows: list[Row], images: Mapping[str, str], results: Sequence[Result]) -> Told:
    payloads = [row.payload for row in rows]
    text = payloads[0] if len(payloads) == 1 else b"[" + b",".join(payloads) + b"]"
    passes = all(
        result.result_state is ResultState.COMPLETED
        and result.disposition is Disposition.PASS
        and result.purpose not in ("gauge", "setup")  # no product's part: nothing is told to the gate
        for result in results
    )
    return Told(rows[0].seq, _worst(row.evaluation for row in rows), text, images, passes)


def _worst(evaluations: Iterable[Evaluation]) -> Evaluation:
    """The one that counts where there are several: they are declared in that order."""
    return min(evaluations, key=list(Evaluation).index)


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
