"""The memory in which frames wait to be written."""

import pytest

from pipeline.evidence.buffers import MOST_BUFFERS, MOST_BYTES, BufferPool
from pipeline.result import Evaluation

OK, NOT_OK = Evaluation.OK, Evaluation.NOT_OK


@pytest.mark.parametrize(
    ("buffer_bytes", "count"),
    [(1, MOST_BUFFERS), (MOST_BYTES // MOST_BUFFERS, MOST_BUFFERS), (MOST_BYTES // 3, 3), (4 * MOST_BYTES, 1)],
)
def test_there_are_as_many_as_fit_and_one_at_least(buffer_bytes: int, count: int) -> None:
    assert BufferPool(buffer_bytes).count == count


def test_half_of_it_is_not_for_good_parts() -> None:
    pool = BufferPool(MOST_BYTES // 4)
    taken = [pool.take(OK), pool.take(OK)]
    assert pool.take(OK) is None
    taken += [pool.take(NOT_OK), pool.take(NOT_OK)]
    assert pool.take(NOT_OK) is None
    assert len({id(buffer) for buffer in taken if buffer is not None}) == pool.taken == 4
    for buffer in taken[1:]:
        assert buffer is not None
        pool.give_back(buffer)
    assert pool.taken == 1
    again = pool.take(OK)
    assert any(again is buffer for buffer in taken)  # used again, not made anew
