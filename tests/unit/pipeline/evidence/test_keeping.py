"""Which parts are worth an image."""

import pytest

from pipeline.config import ArchiveSettings
from pipeline.evidence.keeping import Keeping, is_near_a_limit
from pipeline.messages import PartAnswer
from pipeline.result import Evaluation, Measurement, ResultState


def answer(evaluation: Evaluation = Evaluation.OK, *measurements: Measurement) -> PartAnswer:
    return PartAnswer(ResultState.COMPLETED, evaluation, [], [], list(measurements), {}, {})


def measured(
    value: float | None, lower: float | None, upper: float | None, nominal: float | None = None
) -> Measurement:
    return Measurement("span", value, "mm", nominal, lower, upper, Evaluation.OK)


@pytest.mark.parametrize("evaluation", [one for one in Evaluation if one is not Evaluation.OK])
def test_everything_that_is_not_ok_is_kept_always(evaluation: Evaluation) -> None:
    keeping = Keeping(ArchiveSettings(sample_ok=0))
    assert all(keeping.is_worth_keeping([answer(evaluation)]) for _ in range(50))
    assert keeping.is_worth_keeping([answer(), answer(evaluation)])


def test_one_ok_in_so_many_is_kept_the_first_included_and_others_do_not_count() -> None:
    keeping = Keeping(ArchiveSettings(sample_ok=3))
    kept = []
    for number in range(10):
        keeping.is_worth_keeping([answer(Evaluation.NOT_OK)])
        if keeping.is_worth_keeping([answer(), answer()]):
            kept.append(number)
    assert kept == [0, 3, 6, 9]


def test_an_ok_near_a_limit_is_kept_beside_the_samples() -> None:
    keeping = Keeping(ArchiveSettings(sample_ok=1000))
    good, near = answer(Evaluation.OK, measured(5.0, 0.0, 10.0)), answer(Evaluation.OK, measured(9.5, 0.0, 10.0))
    assert keeping.is_worth_keeping([good])
    assert not keeping.is_worth_keeping([good])
    assert keeping.is_worth_keeping([good, near])


def test_no_ok_is_kept_where_none_is_wanted_and_nothing_where_there_is_no_room() -> None:
    near = answer(Evaluation.OK, measured(9.9, 0.0, 10.0))
    assert not Keeping(ArchiveSettings(sample_ok=0)).is_worth_keeping([near])
    without_room = Keeping(ArchiveSettings(quota_gb=0.0))
    assert not without_room.is_worth_keeping([answer(Evaluation.NOT_OK)])
    assert not without_room.is_worth_keeping([near])


@pytest.mark.parametrize(
    ("measurement", "near"),
    [
        (measured(1.01, 0.0, 10.0), False),
        (measured(1.0, 0.0, 10.0), True),
        (measured(-1.0, 0.0, 10.0), True),
        (measured(9.0, 0.0, 10.0), True),
        (measured(8.99, 0.0, 10.0), False),
        (measured(0.04, None, 0.5, nominal=0.0), False),  # a position: nothing is too small
        (measured(0.46, None, 0.5, nominal=0.0), True),
        (measured(1.05, 1.0, None, nominal=2.0), True),
        (measured(1.95, 1.0, None, nominal=2.0), False),
        (measured(5.0, 5.0, 5.0), True),
        (measured(5.0, None, 5.0), False),  # no band to take a share of
        (measured(5.0, None, None, nominal=5.0), False),
        (measured(None, 0.0, 10.0), False),
    ],
)
def test_near_is_a_tenth_of_the_band(measurement: Measurement, near: bool) -> None:
    assert is_near_a_limit(measurement) is near
