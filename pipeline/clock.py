"""The two clocks: monotonic for durations and health, UTC wall time for stamps on results."""

import time
from datetime import UTC, datetime
from functools import lru_cache


def monotonic_ns() -> int:
    """Nanoseconds of CLOCK_MONOTONIC: the same clock in every process of this machine."""
    return time.monotonic_ns()


def utc_ns() -> int:
    """Nanoseconds since 1970-01-01 UTC."""
    return time.time_ns()


def iso_utc(nanoseconds: int) -> str:
    """RFC 3339 text of a UTC time in nanoseconds, to the microsecond."""
    seconds, rest_ns = divmod(nanoseconds, 1_000_000_000)
    return f"{_iso_second(seconds)}.{rest_ns // 1_000:06d}Z"


@lru_cache(maxsize=8)  # every result carries several stamps, nearly all of the same second
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None).isoformat()
