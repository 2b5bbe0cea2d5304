"""What a value says of its limits, with its uncertainty taken into account (ISO 14253-1)."""

from pipeline.result import Evaluation


def decide(value: float, lower: float | None, upper: float | None, guard: float) -> Evaluation:
    """OK where the value lies within both limits by more than `guard`, NOT_OK where beyond one by more, else NOT_DECIDABLE.

    With a guard of 0 every value decides, and one on its limit is within. `guard` is the expanded uncertainty: so many
    standard uncertainties. Of parts on a limit, those that are wrongly accepted, or wrongly refused, are then as many as a
    normal deviate lies beyond that number on one side: 2.3% at 2.
    """
    if (lower is not None and value < lower - guard) or (upper is not None and value > upper + guard):
        return Evaluation.NOT_OK
    if (lower is None or value >= lower + guard) and (upper is None or value <= upper - guard):
        return Evaluation.OK
    return Evaluation.NOT_DECIDABLE
