"""Stamps on results."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.clock import iso_utc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_a_stamp_is_the_time_cut_to_the_microsecond(nanoseconds: int) -> None:
    text = iso_utc(nanoseconds)
    assert text.endswith("Z")
    assert len(text) == len("2026-01-01T00:00:00.000000Z")
    assert datetime.fromisoformat(text) - EPOCH == timedelta(microseconds=nanoseconds // 1000)
