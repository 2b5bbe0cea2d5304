"""How many images lie in the folder and how large they are, by hour and evaluation. Pure; hours are texts as DATE/HOUR.

By hour and not by file, so that a million images cost no memory: which files an hour holds is asked of the disk when one of
them has to go.
"""

from collections.abc import Collection
from dataclasses import dataclass

from pipeline.result import Evaluation

OK = frozenset({Evaluation.OK})
OTHERS = frozenset(Evaluation) - OK


@dataclass(frozen=True, slots=True)
class Amount:
    """Images, and bytes of them and their texts."""

    images: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.images + other.images, self.size_bytes + other.size_bytes)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.images - other.images, self.size_bytes - other.size_bytes)


NOTHING = Amount()


class Tally:
    """Amounts by hour and evaluation, and their sum."""

    def __init__(self) -> None:
        self.total = NOTHING
        self._hours: dict[str, dict[Evaluation, Amount]] = {}

    def of(self, hour: str, evaluations: Collection[Evaluation] = frozenset(Evaluation)) -> Amount:
        """What lies in an hour."""
        amounts = self._hours.get(hour, {})
        return sum((amounts.get(evaluation, NOTHING) for evaluation in evaluations), NOTHING)

    def add(self, hour: str, evaluation: Evaluation, amount: Amount) -> None:
        """More has come."""
        self.put(hour, evaluation, self.of(hour, {evaluation}) + amount)

    def remove(self, hour: str, evaluation: Evaluation, amount: Amount) -> None:
        """Some of it has gone."""
        self.put(hour, evaluation, self.of(hour, {evaluation}) - amount)

    def put(self, hour: str, evaluation: Evaluation, amount: Amount) -> None:
        """An hour holds exactly this of an evaluation."""
        amounts = self._hours.setdefault(hour, {})
        self.total += amount - amounts.pop(evaluation, NOTHING)
        if amount != NOTHING:
            amounts[evaluation] = amount
        elif not amounts:
            del self._hours[hour]

    def oldest(self, evaluations: Collection[Evaluation], skipped: Collection[str] = ()) -> str | None:
        """The oldest hour that holds something of these evaluations and is not among `skipped`."""
        return min(
            (
                hour
                for hour, amounts in self._hours.items()
                if hour not in skipped and any(evaluation in amounts for evaluation in evaluations)
            ),
            default=None,
        )
