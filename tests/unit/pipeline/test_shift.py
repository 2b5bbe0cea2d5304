from datetime import UTC, datetime

from pipeline.shift import shift_starts


def test_the_last_start_is_that_of_the_shift_which_is_on() -> None:
    now = datetime(2026, 3, 2, 5, 59, tzinfo=UTC).astimezone()
    local = now.replace(hour=5, minute=59)
    starts = shift_starts(["06:00", "22:00", "14:00"], local)
    assert [(start.day, start.hour) for start in starts] == [(1, 6), (1, 14), (1, 22)]
    later = shift_starts(["06:00", "22:00", "14:00"], local.replace(hour=6, minute=0), days=3)
    assert (later[-1].day, later[-1].hour, len(later)) == (2, 6, 7)
