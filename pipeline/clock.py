"""The two clocks: monotonic for durations and health, UTC wall time for stamps on results."""

import time
from datetime import UTC, datetime


def monotonic_ns() -> int:
    """Nanoseconds of CLOCK_MONOTONIC: the same clock in every process of this machine."""
    return time.monotonic_ns()


def utc_ns() -> int:
    """Nanoseconds since 1970-01-01 UTC."""
    return time.time_ns()


def iso_utc(nanoseconds: int) -> str:
    """RFC 3339 text of a UTC time in nanoseconds, to the microsecond."""
    stamp = datetime.fromtimestamp(nanoseconds // 1_000 / 1e6, tz=UTC)
    return stamp.isoformat(timespec="microseconds").replace("+00:00", "Z")
