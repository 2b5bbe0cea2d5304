"""What the journal keeps of an answer: the published bytes, and by which frames it can be found again."""

from dataclasses import dataclass

from pipeline.requests import Gap
from pipeline.result import Evaluation


@dataclass(frozen=True, slots=True)
class Row:
    """One published result of the present session.

    Attributes:
        seq: its number in the session; dense, from 1.
        utc_ns: when it was answered; retention and `--since` go by it.
        payload: the bytes that are published.
        software: key of the software trigger that it answers, 0 where the line gave the trigger.
    """

    seq: int
    utc_ns: int
    evaluation: Evaluation
    trigger_number: int | None
    part_id: str
    payload: bytes
    software: int = 0


@dataclass(frozen=True, slots=True)
class FrameKey:
    """A frame of the present ring that is answered: by the results `seq` to `seq + count - 1`."""

    slot: int
    generation: int
    seq: int
    count: int


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what, and when."""

    utc_ns: int
    peer: str
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Page:
    """Results after a cursor, in order, with what is gone between them.

    Attributes:
        session, seq: the last result that is covered, given or gone: the cursor of the next page.
        more: whether there is more now.
        expired: what lay between and is gone. An empty range (`last` < `first`): the journal does not know that session,
            so what came after `first - 1` in it cannot be told.
    """

    payloads: list[bytes]
    session: int
    seq: int
    more: bool
    expired: list[Gap]
