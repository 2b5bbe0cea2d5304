"""Which recipe a station starts with: the one last selected through control, unless the station file was changed since."""

from pathlib import Path

import msgspec

from pipeline.errors import JournalError
from pipeline.ledger.journal_reader import JournalReader

SETTING = "recipe"  # its name among the journal's settings


class Selection(msgspec.Struct, frozen=True):
    """What the journal keeps: the number that was `selected`, and what the station file said at that time."""

    selected: int
    configured: int | None


def remember(selected: int, configured: int | None) -> str:
    """The text that the journal keeps when a recipe is selected through control."""
    return msgspec.json.encode(Selection(selected, configured)).decode()


def recipe_number(kept: str | None, configured: int | None) -> int | None:
    """The number to start with: what was selected, or `configured` where nothing was or the station file was changed since.

    Args:
        kept: what `remember` gave; None or "" where nothing was selected. A text that is none of ours counts as nothing.
        configured: the station file's `recipe`; a daemon has resolved None, the folder's only one, before it starts.
    """
    selection = _read(kept)
    return selection.selected if selection and selection.configured == configured else configured


def is_void(kept: str | None, configured: int | None) -> bool:
    """Whether `kept` has no say any more. The ledger then empties it, or a station file changed back would bring it to life."""
    selection = _read(kept)
    return bool(kept) and (selection is None or selection.configured != configured)


def kept_selection(folder: Path) -> str | None:
    """What the journal in a station's state folder keeps; None where there is nothing, or nothing that can be read."""
    reader = JournalReader.open(folder)
    try:
        return reader.setting(SETTING)
    except JournalError:
        return None
    finally:
        reader.close()


def _read(kept: str | None) -> Selection | None:
    try:
        return msgspec.json.decode(kept, type=Selection) if kept else None
    except msgspec.DecodeError:
        return None
