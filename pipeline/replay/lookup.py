"""A result by its id, with what was kept of it: out of the journal and the texts beside images."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline import result as result_schema
from pipeline.errors import DataError
from pipeline.evidence import record
from pipeline.evidence.image_name import parse_path
from pipeline.ledger.journal_reader import JournalReader
from pipeline.ledger.journal_rows import AuditEntry
from pipeline.replay.archive import ArchivedPart, find_parts, results_of
from pipeline.result import Result

JOURNAL = "journal.db"
MOST_AUDITS = 1_000_000  # more than are kept
_ID = re.compile(r"(\d{1,18})-(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Found:
    """A result, and what there is of it.

    Attributes:
        asked: the result.
        results: all those of its trigger that are known, one for each part that was found.
        images: view to its image's file, of those that are there.
        missing: view to why there is no image.
        source: where the result was found.
        doubt: what makes it doubtful that this is what was published; empty where nothing does.
    """

    asked: Result
    results: list[Result]
    images: dict[str, Path]
    missing: dict[str, str]
    source: str
    doubt: str = ""

    @property
    def part(self) -> ArchivedPart:
        """Its images."""
        return ArchivedPart(self.results[0].session, self.results[0].seq, self.images)


def look_up(state_folder: Path, result_id: str) -> Found:
    """Find a result.

    Args:
        state_folder: a station's, or a copy of it.
        result_id: SESSION-SEQ, as results bear it.

    Raises:
        DataError: it is no id, or neither the journal nor an image knows such a result.
        JournalError: the journal cannot be read.
    """
    parsed = _ID.fullmatch(result_id)
    if parsed is None:
        raise DataError(f"{result_id!r} is no id of a result", allowed="SESSION-SEQ, such as 1769866000-42")
    session, seq = int(parsed[1]), int(parsed[2])
    journaled = _journaled(state_folder, session, seq)
    if journaled is None:
        return _beside_image(state_folder, session, seq, result_id)
    named = {view.view: view.image_uri for view in journaled.views if parse_path(view.image_uri) is not None}
    images = {view: state_folder / uri for view, uri in named.items() if (state_folder / uri).is_file()}
    missing = {view.view: _why_missing(view.image_uri) for view in journaled.views if view.view not in images}
    results, doubt = [journaled], ""
    if images:
        results, doubt = _beside(next(iter(images.values())), journaled)
    return Found(journaled, results, images, missing, "the journal", doubt)


def _beside(image: Path, journaled: Result) -> tuple[list[Result], str]:
    """The results of the whole trigger, as an image's text has them but for the one that the journal has; and a doubt."""
    try:
        told = results_of(record.read_text(image).result, image)
    except DataError as problem:
        return [journaled], str(problem)
    if journaled in told:
        return told, ""
    known = [journaled if one.seq == journaled.seq else one for one in told]
    return known if journaled in known else [journaled], "the text beside the image is not what the journal has"


def audits_since(state_folder: Path, utc_ns: int) -> list[AuditEntry]:
    """What was changed from that time on, the oldest first; nothing where there is no journal. Raises JournalError."""
    if not (state_folder / JOURNAL).exists():
        return []
    reader = JournalReader.open(state_folder)
    try:
        return [entry for entry in reader.audits(MOST_AUDITS) if entry.utc_ns > utc_ns]
    finally:
        reader.close()


def _journaled(state_folder: Path, session: int, seq: int) -> Result | None:
    if not (state_folder / JOURNAL).exists():
        return None
    reader = JournalReader.open(state_folder)
    try:
        page = reader.page(session, seq - 1, 1) if session and seq else None
    finally:
        reader.close()
    for payload in page.payloads if page else []:
        found = result_schema.decode(payload)
        if (found.session, found.seq) == (session, seq):
            return found
    return None


def _beside_image(state_folder: Path, session: int, seq: int, result_id: str) -> Found:
    """Of a result that the journal does not have (any more): an image bears the number of the trigger's first result."""
    unknown = DataError(
        f"there is no result {result_id}: it may have expired",
        where=str(state_folder),
        next_command="datumd export STATION.toml --since 2h",
    )
    try:
        parts = [part for part in find_parts(state_folder) if part.session == session and part.seq <= seq]
    except DataError:
        raise unknown from None
    if not parts:
        raise unknown
    part = max(parts, key=lambda one: one.seq)
    image = next(iter(part.images.values()))
    results = results_of(record.read_text(image).result, image)
    asked = next((one for one in results if one.seq == seq), None)
    if asked is None:
        raise unknown
    missing = {view.view: _why_missing(view.image_uri) for view in asked.views if view.view not in part.images}
    return Found(asked, results, part.images, missing, "the text beside its image")


def _why_missing(image_uri: str) -> str:
    if not image_uri:
        return "was not kept (of OK parts a sample is, archive.sample_ok)"
    return f"is not there any more, or was lost: {image_uri}"
