"""Points in time as a user types them."""

import re
from datetime import UTC, datetime

from pipeline.errors import ConfigError

LATEST_NS = 2**63 - 1
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])", re.ASCII)
_STAMP = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d)?)?", re.ASCII)


def utc_ns_of(text: str, option: str, now_utc_ns: int) -> int:
    """Nanoseconds since 1970 UTC of RFC 3339 text, of a date (midnight UTC), or of a span back from now such as 30m, 2h, 7d.

    What is out of the range of the journal's clock, 1970 to 2262, is its nearest end.

    Raises:
        ConfigError: it is none of these.
    """
    span = _SPAN.fullmatch(text)
    if span:
        return max(0, now_utc_ns - int(float(span[1]) * SECONDS[span[2]] * 1e9))
    try:
        if not _STAMP.fullmatch(text):
            raise ValueError(text)
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ConfigError(
            f"{text!r} is no time",
            where=option,
            allowed="2026-03-01, 2026-03-01T06:30:00Z, or a span back such as 30m, 2h, 7d",
        ) from None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return min(max(0, (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000), LATEST_NS)
