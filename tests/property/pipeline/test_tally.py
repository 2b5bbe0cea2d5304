"""The tally of images against a plain list of them."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence.tally import NOTHING, OK, OTHERS, Amount, Tally
from pipeline.result import Evaluation

HOURS = ["2026-01-01/00", "2026-01-01/01", "2026-01-02/00"]
FILES = st.lists(
    st.tuples(
        st.sampled_from(HOURS), st.sampled_from(Evaluation), st.builds(Amount, st.integers(0, 2), st.integers(1, 9))
    )
)


@given(FILES, st.data())
def test_sums_and_the_oldest_are_those_of_what_is_left(
    files: list[tuple[str, Evaluation, Amount]], data: st.DataObject
) -> None:
    tally = Tally()
    for file in files:
        tally.add(*file)
    left = list(files)
    for file in data.draw(st.lists(st.sampled_from(files), unique_by=id)) if files else []:
        left.remove(file)
        tally.remove(*file)
    assert tally.total == sum((amount for _, _, amount in left), NOTHING)
    for hour in HOURS:
        assert tally.of(hour) == sum((amount for one, _, amount in left if one == hour), NOTHING)
    for group in (OK, OTHERS, frozenset({Evaluation.NOT_OK})):
        assert tally.oldest(group) == min((hour for hour, one, _ in left if one in group), default=None)
        later = [hour for hour, one, _ in left if one in group and hour != HOURS[0]]
        assert tally.oldest(group, {HOURS[0]}) == min(later, default=None)


@given(
    FILES, st.sampled_from(HOURS), st.sampled_from(Evaluation), st.builds(Amount, st.integers(0, 2), st.integers(0, 9))
)
def test_what_the_disk_says_replaces_what_was_believed(
    files: list[tuple[str, Evaluation, Amount]], hour: str, evaluation: Evaluation, truth: Amount
) -> None:
    tally = Tally()
    for file in files:
        tally.add(*file)
    tally.put(hour, evaluation, truth)
    others = sum((amount for one, other, amount in files if (one, other) != (hour, evaluation)), NOTHING)
    assert tally.of(hour, {evaluation}) == truth
    assert tally.total == others + truth
