"""Which parts' images are worth keeping. Pure: the same answers in the same order give the same choice."""

from collections.abc import Sequence

from pipeline.config import ArchiveSettings
from pipeline.messages import PartAnswer
from pipeline.result import Evaluation, Measurement

NEAR_A_LIMIT = 0.1  # of the tolerance band: a value so close to its limit is worth a look though it is good


class Keeping:
    """Everything that is not OK, every OK near a limit, and one in `archive.sample_ok` of all OK triggers, the first included.

    `sample_ok` = 0 keeps no OK image at all, near a limit or not; `quota_gb` = 0 keeps no image at all.
    """

    def __init__(self, archive: ArchiveSettings) -> None:
        self._sample_ok = archive.sample_ok
        self._has_room = archive.quota_gb > 0.0
        self._ok_count = 0

    def is_worth_keeping(self, answers: Sequence[PartAnswer]) -> bool:
        """Whether the frames of a trigger with these answers are to be kept. To be asked once for each trigger: it counts."""
        if not self._has_room:
            return False
        if any(answer.evaluation is not Evaluation.OK for answer in answers):
            return True
        if not self._sample_ok:
            return False
        is_sample = self._ok_count % self._sample_ok == 0
        self._ok_count += 1
        return is_sample or any(is_near_a_limit(one) for answer in answers for one in answer.measurements)


def is_near_a_limit(measurement: Measurement) -> bool:
    """Whether the value lies within `NEAR_A_LIMIT` of the tolerance band of a limit, inside or outside.

    The band reaches from limit to limit, or from the nominal value to the only limit; without either nothing is near.
    """
    value, lower, upper = measurement.value, measurement.lower, measurement.upper
    low = measurement.nominal if lower is None else lower
    high = measurement.nominal if upper is None else upper
    if value is None or low is None or high is None:
        return False
    margin = NEAR_A_LIMIT * (high - low)
    return any(limit is not None and abs(value - limit) <= margin for limit in (lower, upper))
