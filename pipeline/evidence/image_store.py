"""Writes images and their texts below the state folder, and keeps the folder within its bounds."""

import errno
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.clock import monotonic_ns, utc_ns
from pipeline.config import ArchiveSettings
from pipeline.evidence.disk_ring import DiskFull, DiskRing, QuotaFull, size_on_disk
from pipeline.evidence.image_name import FOLDER, IMAGE_SUFFIX, TEXT_SUFFIX, UNFINISHED_SUFFIX, ImageName
from pipeline.evidence.tally import Amount

log = logging.getLogger(__name__)

Bytes = bytes | memoryview
CHECK_NS = 1_000_000_000
TRY_AGAIN_NS = 60_000_000_000
PROBE = ".probe" + UNFINISHED_SUFFIX


class ImageStore:
    """The folder of images. Used by one thread; nothing here raises for the disk's sake, `fault` says it."""

    def __init__(self, folder: Path, archive: ArchiveSettings) -> None:
        """`folder` is the state folder, which is there; the folder of images is made."""
        self._folder = folder
        self._root = folder / FOLDER
        self._ring = DiskRing(folder, archive)
        self._scan: Iterator[None] | None = self._ring.scan()
        self._fault = self._refusal = ""
        self._checked_ns = self._tried_ns = self._quiet_until_ns = 0
        self._is_told = False
        self._probe()

    @property
    def total(self) -> Amount:
        """All images, as far as they are known."""
        return self._ring.total

    @property
    def fault(self) -> str:
        """What is wrong at present, "" = nothing."""
        return self._fault or self._refusal or self._ring.fault

    def write(self, name: ImageName, png: Bytes, text: bytes) -> str:
        """Write an image and its text. Returns why it is lost, "" where it is not."""
        size_bytes = size_on_disk(len(png), len(text))
        try:
            if not self._root.is_dir():
                self._begin_anew()
            self._ring.make_room(size_bytes, name.evaluation)
            self._write_files(name, png, text)
        except QuotaFull as refusal:
            self._refusal = str(refusal)
            return self._refusal
        except DiskFull as full:
            return self._say(str(full))
        except OSError as error:
            return self._say(_words(error, self._root))
        self._ring.stored(name, size_bytes)
        self._refusal = ""
        return self._say("")

    def step(self) -> bool:
        """Some work on what lies there already. Returns whether there is more to do at once."""
        if self._scan is not None:
            if next(self._scan, self) is self:
                log.info("%d images, %.3f GB", self.total.images, self.total.size_bytes / 1e9)
                self._scan = None
            return True
        now = monotonic_ns()
        if now - self._checked_ns < CHECK_NS:
            return False
        if now - self._tried_ns >= TRY_AGAIN_NS:
            self._tried_ns = now
            self._ring.try_again()
        try:
            if self._root.is_dir() and self._ring.tidy(utc_ns()):
                return True
        except OSError as error:
            self._say(_words(error, self._root))
        self._checked_ns = now
        if self._fault:
            self._probe()
        return False

    def _begin_anew(self) -> None:
        """Make the folder, but not what it should lie in: that may be a disk which is not mounted at present."""
        self._root.mkdir(mode=0o750)
        self._scan = self._ring.scan()

    def _write_files(self, name: ImageName, png: Bytes, text: bytes) -> None:
        """The text first, so that an image is never without; unfinished ones have names of their own."""
        stem = self._folder / name.path
        finished: list[tuple[Path, Bytes]] = [
            (Path(f"{stem}{TEXT_SUFFIX}"), text),
            (Path(f"{stem}{IMAGE_SUFFIX}"), png),
        ]
        unfinished = [Path(f"{path}{UNFINISHED_SUFFIX}") for path, _ in finished]
        try:
            stem.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            for (_, content), path in zip(finished, unfinished, strict=True):
                path.write_bytes(content)
            for (path, _), from_path in zip(finished, unfinished, strict=True):
                from_path.replace(path)
        except OSError:
            for path in (*unfinished, finished[0][0]):
                with suppress(OSError):
                    path.unlink()
            raise

    def _probe(self) -> None:
        """Find out whether the folder can be written to by now."""
        path = self._root / PROBE
        try:
            if not self._root.is_dir():
                self._begin_anew()
            path.write_bytes(b"\0" * 4096)
            space = self._ring.space()
            self._say(f"disk full: {space}" if space.is_full_for(0) else "")
        except OSError as error:
            self._say(_words(error, self._root))
        finally:
            with suppress(OSError):
                path.unlink()

    def _say(self, fault: str) -> str:
        """Note how it is; the log hears of each change, but of a fault that comes and goes once in a while."""
        if fault and not self._fault and monotonic_ns() >= self._quiet_until_ns:
            log.error("%s", fault)
            self._quiet_until_ns = monotonic_ns() + TRY_AGAIN_NS
            self._is_told = True
        elif self._fault and not fault and self._is_told:
            log.info("images can be stored again")
            self._is_told = False
        self._fault = fault
        return fault


def _words(error: OSError, root: Path) -> str:
    """One line."""
    kind = "disk full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "cannot write images"
    return f"{kind}: {error.strerror}: {error.filename or root}"
