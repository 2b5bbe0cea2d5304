"""Names of stored images: they say all that is needed to keep within the quota, so that a restart reads names alone.

images/2026-01-31/13/20260131T132507.123456Z-NOT_OK-1769866000-42-top.png     and beside it the same name with .json

Date and hour are UTC. Names sort by time. The folders keep the number of files in each small.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from pipeline.result import Evaluation

FOLDER = "images"
IMAGE_SUFFIX, TEXT_SUFFIX, UNFINISHED_SUFFIX = ".png", ".json", ".part"
HOUR_NS = 3_600_000_000_000
_VIEW = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_STEM = re.compile(
    r"(?P<day>\d{8})T(?P<hour>\d{2})\d{4}\.\d{6}Z-(?P<evaluation>OK|NOT_OK|NOT_DECIDABLE|UNDEFINED)-\d{1,19}-\d{1,19}-"
    rf"{_VIEW.pattern}"
)


@dataclass(frozen=True, slots=True)
class ImageName:
    """What a stem says: the folder it belongs to, as DATE/HOUR, and the evaluation of the part."""

    stem: str
    hour: str
    evaluation: Evaluation

    @property
    def path(self) -> str:
        """Relative to the state folder, without a suffix."""
        return f"{FOLDER}/{self.hour}/{self.stem}"


def image_path(session: int, seq: int, view: str, utc_ns: int, evaluation: Evaluation) -> str:
    """Where the image of a view is to be stored, relative to the state folder. `utc_ns` is the time of the part.

    Raises:
        ValueError: `view` is no name of a view, and could lead elsewhere.
    """
    if not _VIEW.fullmatch(view):
        raise ValueError(f"{view!r} is no name of a view")
    seconds, rest_ns = divmod(utc_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    stamp = f"{moment:%Y%m%dT%H%M%S}.{rest_ns // 1000:06d}Z"
    stem = f"{stamp}-{evaluation.value}-{session}-{seq}-{view}"
    return f"{FOLDER}/{moment:%Y-%m-%d/%H}/{stem}{IMAGE_SUFFIX}"


def parse_stem(stem: str) -> ImageName | None:
    """What a file's name without its suffix says; None where it is none of ours."""
    found = _STEM.fullmatch(stem)
    if not found:
        return None
    day = found["day"]
    return ImageName(stem, f"{day[:4]}-{day[4:6]}-{day[6:]}/{found['hour']}", Evaluation(found["evaluation"]))


def parse_path(path: str) -> ImageName | None:
    """As `parse_stem`, of a whole relative path; None too where the folder is not the one that belongs to the name."""
    relative = PurePosixPath(path)
    name = parse_stem(relative.name.removesuffix(IMAGE_SUFFIX))
    return name if name is not None and path == name.path + IMAGE_SUFFIX else None


def hour_of(utc_ns: int) -> str:
    """DATE/HOUR of a time; compares as text as times do."""
    return f"{datetime.fromtimestamp(utc_ns // 1_000_000_000, tz=UTC):%Y-%m-%d/%H}"
