"""What a person writes about masters in recipe.toml: parts that are known, and when the station must show that it knows them."""

from typing import Annotated, Literal

import msgspec

from pipeline.result import Evaluation

Due = Literal["shift", "recipe_change", "restart"]
MasterId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[\x20-\x7e]*\Z")]


class MastersSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Master parts. Until each has been inspected, and found to be what it is, the station is not Ready and no part passes.

    Attributes:
        parts: part id to what must be found: "OK", "NOT_OK" or "NOT_DECIDABLE", the last two with a reason after a space,
            as results print it: "NOT_OK pin_span.high". A part with one of these ids is a master, however it is triggered.
        due: at the start of each shift of the station, when the recipe is selected in place of another, when the daemon starts.
        grace_min: for so long after the start of a shift the masters of the last one are good.
        drift: control limits about each measurement of the masters that are OK, in standard deviations; 0 = no watch.
    """

    parts: Annotated[dict[MasterId, str], msgspec.Meta(min_length=1, max_length=32)]
    due: list[Due] = msgspec.field(default_factory=lambda: ["recipe_change", "restart"])
    grace_min: Annotated[float, msgspec.Meta(ge=0.0, le=480.0)] = 0.0
    drift: Annotated[float, msgspec.Meta(ge=0.0, le=10.0)] = 3.0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for part, expected in self.parts.items():
            word = expected.partition(" ")[0]
            if word not in (Evaluation.OK, Evaluation.NOT_OK, Evaluation.NOT_DECIDABLE):
                raise ValueError(
                    f"{part}: {expected!r} is no finding; allowed: OK, NOT_OK REASON, NOT_DECIDABLE REASON"
                )
            if word == Evaluation.OK and expected != word:
                raise ValueError(f"{part}: a part that is OK has no reason")
        if not self.due:
            raise ValueError("due is empty: then leave masters out")

    def expected(self, part: str) -> tuple[Evaluation, str]:
        """What must be found of a master, and the reason; "" where any will do."""
        word, _, reason = self.parts[part].partition(" ")
        return Evaluation(word), reason

    def reasons(self) -> list[str]:
        """Every reason that must be found, `NAME.CODE`."""
        return [reason for part in self.parts for reason in [self.expected(part)[1]] if reason]
