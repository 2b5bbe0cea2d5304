"""Which recipe a station starts with."""

import pytest

from pipeline.selection import is_void, recipe_number, remember


@pytest.mark.parametrize("configured", [None, 1])
def test_what_was_selected_survives_a_restart(configured: int | None) -> None:
    kept = remember(2, configured)
    assert recipe_number(kept, configured) == 2
    assert not is_void(kept, configured)


@pytest.mark.parametrize(("then", "now"), [(1, 3), (1, None), (None, 1), (1, 2)])
def test_a_station_file_that_was_changed_since_says_what_is_wanted_now(then: int | None, now: int | None) -> None:
    kept = remember(2, then)
    assert recipe_number(kept, now) == now
    assert is_void(kept, now)


def test_without_a_selection_the_station_file_says_it() -> None:
    for kept in (None, ""):
        assert recipe_number(kept, 1) == 1
        assert recipe_number(kept, None) is None
        assert not is_void(kept, 1)


@pytest.mark.parametrize("kept", ["{", "[]", "7", '{"selected":"2","configured":1}', '{"selected":2}'])
def test_a_text_that_is_none_of_ours_is_no_selection(kept: str) -> None:
    assert recipe_number(kept, 1) == 1
    assert is_void(kept, 1)
