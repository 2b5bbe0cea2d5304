"""Names of images: what they say comes back, and they sort as their times do."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.evidence.image_name import hour_of, image_path, parse_path
from pipeline.result import Evaluation

TIMES_NS = st.integers(0, 4_000_000_000_000_000_000)  # until 2096
NUMBERS = st.integers(0, 2**63 - 1)
VIEWS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


@given(NUMBERS, NUMBERS, VIEWS, TIMES_NS, st.sampled_from(Evaluation))
def test_a_path_says_its_hour_and_evaluation(
    session: int, seq: int, view: str, utc_ns: int, evaluation: Evaluation
) -> None:
    path = image_path(session, seq, view, utc_ns, evaluation)
    name = parse_path(path)
    assert name is not None
    assert (name.evaluation, name.hour, name.path + ".png") == (evaluation, hour_of(utc_ns), path)
    assert path.endswith(f"-{session}-{seq}-{view}.png")


@given(TIMES_NS, TIMES_NS, st.sampled_from(Evaluation), st.sampled_from(Evaluation))
def test_paths_sort_as_times_do(first_ns: int, second_ns: int, one: Evaluation, other: Evaluation) -> None:
    first, second = image_path(1, 1, "a", first_ns, one), image_path(1, 2, "a", second_ns, other)
    if first_ns // 1000 < second_ns // 1000:
        assert first < second
        assert hour_of(first_ns) <= hour_of(second_ns)
