"""The images on the disk, kept within quota, age and free space: OK images go before all others, the oldest first.

What lies there is read from names and sizes alone, in slices, so that new images are written meanwhile. Files of other names
are left alone.
"""

import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config import ArchiveSettings
from pipeline.errors import DatumdError
from pipeline.evidence.image_name import (
    FOLDER,
    IMAGE_SUFFIX,
    TEXT_SUFFIX,
    UNFINISHED_SUFFIX,
    ImageName,
    hour_of,
    parse_stem,
)
from pipeline.evidence.space import Space
from pipeline.evidence.tally import NOTHING, OK, OTHERS, Amount, Tally
from pipeline.result import Evaluation

SLICE = 500  # files looked at before somebody else has a turn
BLOCK_BYTES = 4096  # a file takes whole blocks
MOST_DELETED = 64  # images at a time, before somebody else has a turn
DAY_NS = 86_400_000_000_000
_DATE, _HOUR = re.compile(r"\d{4}-\d{2}-\d{2}"), re.compile(r"\d{2}")
_LATEST = "9999-99-99/99"  # behind every hour


class DiskFull(DatumdError):  # noqa: N818 - names the state that was found
    """What is left of the disk is the journal's."""


class QuotaFull(DatumdError):  # noqa: N818 - names the state that was found
    """All images that are there are kept before the new one."""


def size_on_disk(*sizes: int) -> int:
    """Bytes that files of these sizes take."""
    return sum(-(-size // BLOCK_BYTES) * BLOCK_BYTES for size in sizes)


@dataclass(slots=True)
class _Victims:
    """Images of one hour, the oldest first, that go next."""

    hour: str = ""
    files: deque[tuple[str, Evaluation, Amount]] = field(default_factory=deque)


class DiskRing:
    """Knows what lies in the folder, and deletes. Used by one thread."""

    def __init__(self, folder: Path, archive: ArchiveSettings) -> None:
        """`folder` is the state folder; nothing is read yet."""
        self._folder = folder
        self._root = folder / FOLDER
        self._quota_bytes = round(archive.quota_gb * 1e9)
        self._keep_ns = {one: int(archive.days(one) * DAY_NS) for one in Evaluation}
        self._tally = Tally()
        self._known_to = ""  # hours up to this one have been looked at
        self._fresh: set[str] = set()  # stems written into hours that have not been looked at
        self._victims: dict[frozenset[Evaluation], _Victims] = {}
        self._stuck: dict[str, str] = {}

    @property
    def total(self) -> Amount:
        """All images, as far as they are known."""
        return self._tally.total

    @property
    def is_known(self) -> bool:
        """Whether the whole folder has been looked at."""
        return self._known_to == _LATEST

    @property
    def fault(self) -> str:
        """Why old images stay, "" where they go as they should."""
        return next((f"cannot delete old images: {text}" for text in self._stuck.values()), "")

    def scan(self) -> Iterator[None]:
        """Look at the whole folder anew, the oldest hour first, a slice at a step; leftovers of a crash are removed."""
        self._tally, self._known_to, self._fresh = Tally(), "", set()
        self._victims.clear()
        return self._scan()

    def _scan(self) -> Iterator[None]:
        for date in self._subfolders("", _DATE):
            for hour in self._subfolders(date, _HOUR):
                yield from self._scan_hour(f"{date}/{hour}")
        self._known_to = _LATEST
        self._fresh = set()

    def _scan_hour(self, hour: str) -> Iterator[None]:
        found: dict[Evaluation, Amount] = {}
        try:
            with os.scandir(self._root / hour) as entries:
                for count, entry in enumerate(entries):
                    file = _image_file(entry, hour)
                    if file is not None and file[0].stem not in self._fresh:
                        evaluation = file[0].evaluation
                        found[evaluation] = found.get(evaluation, NOTHING) + file[1]
                    if count % SLICE == SLICE - 1:
                        yield
        except OSError as error:
            self._note(hour, error)
        for evaluation, amount in found.items():
            self._tally.add(hour, evaluation, amount)
        self._known_to = hour
        yield

    def make_room(self, size_bytes: int, evaluation: Evaluation) -> None:
        """Delete what must go before an image is written.

        Raises:
            DiskFull, QuotaFull: it must not be written.
            OSError: the file system says nothing of its free space.
        """
        groups = (OK,) if evaluation in OK else (OK, OTHERS)
        left = MOST_DELETED
        while left and self._must_shrink(size_bytes) and any(self._evict(group, _LATEST) for group in groups):
            left -= 1
        is_being_cleared = not left or not self.is_known
        space = self.space()
        if space.is_full_for(size_bytes) or (evaluation in OK and space.is_short_of(size_bytes) and left):
            raise DiskFull(f"disk full: {space}")
        if not is_being_cleared and self._tally.total.size_bytes + size_bytes > self._quota_bytes:
            raise QuotaFull(
                f"archive.quota_gb is too small: {self._tally.total.images} images are kept before this one"
            )

    def stored(self, name: ImageName, size_bytes: int) -> None:
        """An image and its text have been written."""
        if name.hour > self._known_to:
            self._fresh.add(name.stem)
        self._tally.add(name.hour, name.evaluation, Amount(1, size_bytes))

    def tidy(self, now_utc_ns: int) -> bool:
        """Delete some of what is too old or too much. Returns whether there may be more to delete."""
        for _ in range(MOST_DELETED):
            if not self._evict_expired(now_utc_ns) and not (
                self._must_shrink(0) and (self._evict(OK, _LATEST) or self._evict(OTHERS, _LATEST))
            ):
                return False
        return True

    def try_again(self) -> None:
        """What could not be deleted may be deletable by now."""
        self._stuck.clear()

    def _must_shrink(self, size_bytes: int) -> bool:
        return self._tally.total.size_bytes + size_bytes > self._quota_bytes or self.space().is_short_of(size_bytes)

    def space(self) -> Space:
        """Of the file system that the images lie on. Raises OSError."""
        return Space.of(self._root if self._root.is_dir() else self._folder)

    def _evict_expired(self, now_utc_ns: int) -> bool:
        return any(
            self._evict(frozenset({evaluation}), hour_of(max(0, now_utc_ns - keep_ns)))
            for evaluation, keep_ns in self._keep_ns.items()
        )

    def _evict(self, group: frozenset[Evaluation], before: str) -> bool:
        """Delete the oldest image of these evaluations that lies in an hour before `before`. False: there is none."""
        victims = self._victims.setdefault(group, _Victims())
        while not victims.files:
            hour = self._tally.oldest(group, self._stuck)
            if hour is None or hour >= before or hour > self._known_to:
                return False
            self._list(victims, hour, group)
        if victims.hour >= before:
            return False
        stem, evaluation, amount = victims.files.popleft()
        try:
            (self._root / victims.hour / (stem + IMAGE_SUFFIX)).unlink(missing_ok=amount.images == 0)
            (self._root / victims.hour / (stem + TEXT_SUFFIX)).unlink(missing_ok=amount.images > 0)
        except FileNotFoundError:  # somebody else deletes here too: look again
            victims.files.clear()
            return True
        except OSError as error:
            self._note(victims.hour, error)
            victims.files.clear()
            return True
        self._tally.remove(victims.hour, evaluation, amount)
        self._leave_if_empty(victims.hour)
        return True

    def _list(self, victims: _Victims, hour: str, group: frozenset[Evaluation]) -> None:
        """Ask the disk what an hour holds of these evaluations, and believe it."""
        found: dict[str, tuple[Evaluation, Amount]] = {}
        try:
            with os.scandir(self._root / hour) as entries:
                for entry in entries:
                    file = _image_file(entry, hour)
                    if file is not None and file[0].evaluation in group:
                        before = found.get(file[0].stem, (None, NOTHING))[1]
                        found[file[0].stem] = (file[0].evaluation, before + file[1])
        except FileNotFoundError:
            pass
        except OSError as error:
            self._note(hour, error)
            return
        for evaluation in group:
            amounts = (amount for one, amount in found.values() if one is evaluation)
            self._tally.put(hour, evaluation, sum(amounts, NOTHING))
        victims.hour, victims.files = hour, deque((stem, *found[stem]) for stem in sorted(found))

    def _leave_if_empty(self, hour: str) -> None:
        if self._tally.of(hour) == NOTHING:
            with suppress(OSError):  # there is something else in it, or a new image
                (self._root / hour).rmdir()
                (self._root / hour).parent.rmdir()

    def _subfolders(self, folder: str, pattern: re.Pattern[str]) -> list[str]:
        try:
            with os.scandir(self._root / folder) as entries:
                return sorted(one.name for one in entries if pattern.fullmatch(one.name) and one.is_dir())
        except OSError as error:
            self._note(folder or FOLDER, error)
            return []

    def _note(self, place: str, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self._stuck[place] = f"{place}: {error.strerror}"


def _image_file(entry: os.DirEntry[str], hour: str) -> tuple[ImageName, Amount] | None:
    """Whose file it is and what it takes, None for what is none of ours. Unfinished and empty files are removed."""
    name = entry.name
    is_unfinished = name.endswith(UNFINISHED_SUFFIX)
    stem, _, suffix = name.removesuffix(UNFINISHED_SUFFIX).rpartition(".")
    found = parse_stem(stem) if f".{suffix}" in {IMAGE_SUFFIX, TEXT_SUFFIX} else None
    if found is None or found.hour != hour or not entry.is_file(follow_symlinks=False):
        return None
    try:
        size = entry.stat(follow_symlinks=False).st_size
        if size and not is_unfinished:
            return found, Amount(int(name.endswith(IMAGE_SUFFIX)), size_on_disk(size))
        os.unlink(entry.path)  # noqa: PTH108 - there may be a million entries
    except OSError:
        pass  # gone, or cannot go: either way nothing that counts
    return None
