"""Shifts: when they begin, in the machine's time zone."""

from collections.abc import Sequence
from datetime import datetime, timedelta


def shift_starts(shifts: Sequence[str], now: datetime, days: int = 2) -> list[datetime]:
    """The starts of the last days' shifts up to `now`, oldest first; the last one is that of the shift which is on.

    Args:
        shifts: times of the day such as "06:00".
        now: with a time zone.
        days: today and the days before it; with two there is at least one start.
    """
    starts = set()
    for back in range(days):
        day = (now - timedelta(days=back)).date()
        for shift in shifts:
            hour, minute = (int(number) for number in shift.split(":"))
            starts.add(datetime(day.year, day.month, day.day, hour, minute).astimezone())
    return sorted(start for start in starts if start <= now)
