"""The account of one domain's triggers: what is answered and what is bound. It outlives the ledger, in the journal."""

import msgspec


class Account(msgspec.Struct, frozen=True):
    """What a new ledger must know of the triggers that left no frame.

    Attributes:
        through: every trigger up to this number is answered, or was never owed.
        beyond: answered ones above it.
        offsets: camera to what is added to its counter to get the trigger number, after a resynchronise.
        before: camera to (counter, offset): for frames up to this reading of its counter another offset holds.
        part_ids: bound and not answered yet, by trigger number.
        count: how often the counters have been reset: numbers of another count mean other triggers.
        highest: every trigger up to this number is answered or owed.
        mixed: first and last of the numbers that are of different triggers at different cameras; () where there are none.
        delivered: camera to the trigger number of its newest frame.
        software: trigger numbers that cameras gave to software triggers and that are not answered yet, with their keys.
    """

    through: int
    beyond: tuple[int, ...] = ()
    offsets: dict[str, int] = {}
    before: dict[str, tuple[int, int]] = {}
    part_ids: dict[int, str] = {}
    count: int = 0
    highest: int = 0
    mixed: tuple[int, ...] = ()
    delivered: dict[str, int] = {}
    software: dict[int, int] = {}
