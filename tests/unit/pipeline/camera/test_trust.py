import pytest

from pipeline.camera.genicam.trust import NumberTrust
from pipeline.errors import CameraError


def believed(trust: NumberTrust, *seen: tuple[int | None, int | None]) -> list[bool]:
    """Of (number, counter at that moment) each."""
    return [trust.believes(number, lambda counter=counter: counter) for number, counter in seen]  # type: ignore[misc]  # a default in a lambda has no type


def test_numbers_that_follow_each_other_ask_nothing_of_the_camera() -> None:
    trust = NumberTrust(40, "camera")

    def refuse() -> int:
        raise AssertionError("the counter was read")

    assert [trust.believes(number, refuse) for number in (41, 42, 43)] == [True] * 3


def test_a_gap_is_believed_up_to_the_counter() -> None:
    assert believed(NumberTrust(0, "camera"), (3, 3), (7, 9), (11, 10), (12, 12)) == [True, True, False, True]


def test_one_damaged_number_does_not_cost_the_next_ones() -> None:
    assert believed(NumberTrust(0, "camera"), (1, 1), (1002, 2), (3, 3), (0, 4), (5, 5), (-7, 6), (7, 7)) == [
        True, False, True, False, True, False, True,
    ]  # fmt: skip


def test_a_number_that_comes_twice_is_false() -> None:
    assert believed(NumberTrust(0, "camera"), (1, 1), (1, 2), (3, 3)) == [True, False, True]


def test_a_counter_that_was_reset_is_followed() -> None:
    assert believed(NumberTrust(56, "camera"), (57, 57), (1, 1), (2, 2)) == [True, True, True]


def test_a_reset_that_shows_late_is_believed_when_the_next_number_confirms_it() -> None:
    assert believed(NumberTrust(2, "camera"), (3, 3), (1, 8), (2, 8), (3, 8)) == [True, False, True, True]


def test_without_a_counter_only_what_cannot_be_a_count_is_refused() -> None:
    assert believed(NumberTrust(None, "camera"), (5, None), (1000, None), (6, None), (-1, None)) == [
        True, True, True, False,
    ]  # fmt: skip


def test_a_whole_frame_without_a_number_is_none_and_three_of_them_are_told() -> None:
    trust = NumberTrust(0, "camera SIM-0")
    assert believed(trust, (1, 1), (None, 2), (None, 3), (4, 4), (None, 5), (None, 6)) == [
        True, False, False, True, False, False,
    ]  # fmt: skip
    with pytest.raises(
        CameraError, match="camera SIM-0: sent 3 whole frames in a row without a trigger number; allowed"
    ):
        believed(trust, (None, 7))


def test_a_chunk_and_a_counter_of_different_things_are_told() -> None:
    trust = NumberTrust(0, "camera SIM-0")
    message = r"camera SIM-0: numbers frames 57 to 59 while its counter stands at 3; allowed: .* of one counter"
    assert believed(trust, (57, 1), (58, 2)) == [False, False]
    with pytest.raises(CameraError, match=message):
        believed(trust, (59, 3))
