"""The frame ring: fixed slots in one plain file under /dev/shm, mapped into every worker.

Ownership, which is the whole protocol:

1. The ledger grants a slot: it writes `granted = generation` and tells the camera's grab worker.
2. Grab fills the payload and the identity, then writes `accepted = generation`. That store is acceptance; the message that
   follows is only a doorbell.
3. The ledger writes `dispatched = generation` and dispatches the slot to an infer worker, which reads it and writes
   `released = generation`.
4. The ledger answers, publishes, and then writes `closed = generation`.
5. A slot may be granted again when it is closed and was never dispatched, or is released, or its reader is dead.

A frame is open while it is accepted and not closed. All words outlive the processes: a new ledger takes the ring as it is,
and a new daemon keeps the header of its forerunner's ring (`left_behind`), so that frames without an answer are answered.
`multiprocessing.shared_memory` is not used: its tracker unlinks a
segment when one of its owners dies.
"""

import contextlib
import errno
import fcntl
import mmap
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import AlreadyRunning, RingError
from pipeline.frame import Frame, FrameInfo, PixelFormat
from pipeline.loss import LOSS_KINDS, LossKind
from pipeline.ring.identity import read_identity, write_identity
from pipeline.ring.layout import MAGIC, PAGE_BYTES, CameraWord, HeaderWord, RingLayout, SlotWord
from pipeline.ring.left_behind import boot_id, keep_header


class FrameRing:
    """A mapped ring. Made once by the supervisor (`create`), attached by the workers (`attach`)."""

    def __init__(self, path: Path, descriptor: int, layout: RingLayout) -> None:
        self.path = path
        self.layout = layout
        self._descriptor = descriptor
        self._memory = mmap.mmap(descriptor, layout.total_bytes)
        self._words = memoryview(self._memory).cast("B").cast("Q")

    @classmethod
    def create(cls, path: Path, layout: RingLayout, before: Callable[[], None] | None = None) -> "FrameRing":
        """Lock, size and format the file. The lock is held until `close` and refuses a twin daemon.

        What a daemon that was killed left is kept for the ledger, but for the pictures: see `left_behind`. `before` is called
        with the lock held and nothing touched yet: then is the time to wait for the last of its processes.

        Raises:
            AlreadyRunning: another process holds the lock.
            RingError: the file system has not enough room, or the file cannot be made.
        """
        descriptor = _open_locked(path)
        try:
            if before is not None:
                before()
            keep_header(descriptor, path)
            os.ftruncate(descriptor, 0)
            os.posix_fallocate(descriptor, 0, layout.total_bytes)
        except OSError as error:
            path.unlink(missing_ok=True)
            os.close(descriptor)
            if error.errno not in {errno.ENOSPC, errno.ENOMEM, errno.EFBIG}:
                raise RingError(f"cannot make the frame ring: {error.strerror}", where=str(path)) from error
            wanted, free = layout.total_bytes / 2**20, _free_bytes(path.parent) / 2**20
            raise RingError(
                f"no room for a frame ring of {wanted:.0f} MiB ({layout.slots} slots of {layout.slot_bytes / 2**20:.1f} MiB)",
                where=str(path.parent),
                allowed=f"at most {free:.0f} MiB are free",
                next_command=f"mount -o remount,size={int(wanted * 2)}M {path.parent}, or lower ring.slot_mb in station.toml",
            ) from error
        ring = cls(path, descriptor, layout)
        words = ring._words
        words[HeaderWord.ring_id] = secrets.randbits(63)
        words[HeaderWord.boot_id] = boot_id()
        words[HeaderWord.slots] = layout.slots
        words[HeaderWord.slot_bytes] = layout.slot_bytes
        words[HeaderWord.cameras] = layout.cameras
        words[HeaderWord.magic] = MAGIC
        return ring

    @classmethod
    def attach(cls, path: Path) -> "FrameRing":
        """Map a ring that the supervisor made. Raises RingError when there is none or it is not a ring of this version."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise RingError(
                f"no frame ring: {error.strerror}", where=str(path), next_command="datumd run STATION.toml"
            ) from error
        header = memoryview(os.pread(descriptor, PAGE_BYTES, 0))
        words = header.cast("Q") if len(header) == PAGE_BYTES else None
        if words is None or words[HeaderWord.magic] != MAGIC:
            os.close(descriptor)
            raise RingError("not a frame ring of this version", where=str(path), next_command="datumd run STATION.toml")
        return cls(path, descriptor, RingLayout.of(words))

    @property
    def ring_id(self) -> int:
        """Random number of this formatting of the file."""
        return self._words[HeaderWord.ring_id]

    @property
    def is_in_place(self) -> bool:
        """Whether the file at `path` still is this ring."""
        return _is_at(self._descriptor, self.path)

    @property
    def session(self) -> int:
        """The present ledger's session, 0 before there was one; where it changes there is a new ledger."""
        return self._words[HeaderWord.session]

    def payload(self, slot: int) -> memoryview:
        """A writable view of a slot's whole payload, `layout.slot_bytes` long."""
        start = self.layout.payload_offset(slot)
        return memoryview(self._memory)[start : start + self.layout.slot_bytes]

    # The ledger's words

    def begin_session(self, session: int) -> None:
        """Ledger: there is a new ledger, and it knows all that lies in the ring; the workers say their hellos again."""
        self._words[HeaderWord.session] = session

    def grant(self, slot: int, generation: int, camera: int) -> None:
        """Ledger: give the slot to a camera under a new generation."""
        self._words[self.layout.slot_word(slot, SlotWord.granted_camera)] = camera
        self._words[self.layout.slot_word(slot, SlotWord.granted)] = generation

    def dispatch(self, slot: int, generation: int, reader: int, recipe: int) -> None:
        """Ledger: an infer worker, `reader` by its row in the process list, is about to be told to inspect the slot."""
        self._words[self.layout.slot_word(slot, SlotWord.reader)] = reader
        self._words[self.layout.slot_word(slot, SlotWord.recipe)] = recipe
        if self.word(slot, SlotWord.dispatched) == generation:
            self._words[self.layout.slot_word(slot, SlotWord.again)] = generation
        self._words[self.layout.slot_word(slot, SlotWord.dispatched)] = generation

    def close_slot(self, slot: int, generation: int) -> None:
        """Ledger: the frame has been answered."""
        self._words[self.layout.slot_word(slot, SlotWord.closed)] = generation

    # Grab's words

    def accept(self, slot: int, generation: int, camera: int, info: FrameInfo) -> None:
        """Grab: write the identity, then the word that makes the frame exist."""
        base = self.layout.slot_word(slot, 0)
        words = self._words
        write_identity(words, base, camera, info)
        words[base + SlotWord.accepted] = generation
        words[self.layout.camera_word(camera, CameraWord.frames)] += 1
        words[self.layout.camera_word(camera, CameraWord.last_frame_monotonic_ns)] = info.received_monotonic_ns

    def count_loss(self, camera: int, kind: LossKind, count: int) -> None:
        """Grab: count frames that the camera or its transport lost."""
        self._words[self.layout.camera_word(camera, CameraWord.losses + LOSS_KINDS.index(kind))] += count

    def set_triggers_counted(self, camera: int, number: int) -> None:
        """Grab: keep the last value of the camera's line counter where it outlives this process."""
        self._words[self.layout.camera_word(camera, CameraWord.triggers_counted)] = number
        self._words[self.layout.camera_word(camera, CameraWord.counts_triggers)] = 1

    def picture(self, camera: int) -> tuple[int, int, PixelFormat] | None:
        """Width, height and format of the pictures that a camera gave when it first came up in this run; None before."""
        words = (CameraWord.width, CameraWord.height, CameraWord.pixel_format)
        width, height, pixel_format = (self.camera_word(camera, word) for word in words)
        return (width, height, PixelFormat(pixel_format)) if pixel_format else None

    def set_picture(self, camera: int, width: int, height: int, pixel_format: PixelFormat) -> None:
        """Grab: what pictures the camera gives, kept where it outlives this process."""
        self._words[self.layout.camera_word(camera, CameraWord.width)] = width
        self._words[self.layout.camera_word(camera, CameraWord.height)] = height
        self._words[self.layout.camera_word(camera, CameraWord.pixel_format)] = pixel_format

    # Infer's word

    def release(self, slot: int, generation: int) -> None:
        """Infer: the payload has been read for the last time."""
        self._words[self.layout.slot_word(slot, SlotWord.released)] = generation

    # Everybody reads

    def word(self, slot: int, word: SlotWord) -> int:
        """The value of a word of a slot's header."""
        return self._words[self.layout.slot_word(slot, word)]

    def is_open(self, slot: int) -> bool:
        """Whether the slot holds a frame that has no answer yet."""
        accepted = self.word(slot, SlotWord.accepted)
        return accepted != 0 and accepted != self.word(slot, SlotWord.closed)

    def info(self, slot: int) -> FrameInfo:
        """The identity of the frame in a slot."""
        return read_identity(self._words, self.layout.slot_word(slot, 0))

    def frame(self, slot: int) -> Frame:
        """The frame in a slot; its payload is a view of shared memory, valid until the slot is released."""
        info = self.info(slot)
        return Frame(info, self.payload(slot)[: info.payload_bytes])

    @property
    def payloads(self) -> memoryview:
        """The memory of all payloads, page by page. Let go of it before the ring is closed."""
        return memoryview(self._memory)[self.layout.payload_offset(0) :]

    def camera_word(self, camera: int, word: CameraWord) -> int:
        """The value of a word of a camera's block."""
        return self._words[self.layout.camera_word(camera, word)]

    def camera_frames(self, camera: int) -> int:
        """Frames accepted from a camera since the ring was made."""
        return self.camera_word(camera, CameraWord.frames)

    def camera_losses(self, camera: int) -> dict[LossKind, int]:
        """Losses of a camera since the ring was made, kinds that did not occur left out."""
        start = self.layout.camera_word(camera, CameraWord.losses)
        return {kind: count for i, kind in enumerate(LOSS_KINDS) if (count := self._words[start + i])}

    def keep_unanswered(self) -> None:
        """Supervisor, at the end: where a frame is open, as the ledger could not answer it, keep the header for the next daemon.

        Raises:
            OSError: there is no room.
        """
        if any(self.is_open(slot) for slot in range(self.layout.slots)):
            keep_header(self._descriptor, self.path)

    def close(self, *, unlink: bool = False) -> None:
        """Unmap; with `unlink`, remove the file before the lock goes, so that nobody attaches to a dead ring."""
        if unlink:
            self.path.unlink(missing_ok=True)
        self._words.release()
        with contextlib.suppress(BufferError):  # a frame is still being looked at: the mapping goes with its last view
            self._memory.close()
        os.close(self._descriptor)


def _open_locked(path: Path) -> int:
    """Open (making it if needed) and lock the file; the file locked must still be the one at `path`."""
    for _ in range(10):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise RingError(f"cannot make the frame ring: {error.strerror}", where=str(path)) from error
        if os.fstat(descriptor).st_uid != os.getuid():  # anybody may put a file in /dev/shm, and read what lies in it
            os.close(descriptor)
            raise RingError(
                "belongs to somebody else", where=str(path), next_command=f"rm {path}, as its owner or root"
            )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise AlreadyRunning(
                "another datumd of this station is running",
                where=str(path),
                allowed="one daemon a station",
                next_command="stop it, or give this one another `station` name",
            ) from error
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)
    raise RingError("the frame ring's file keeps being replaced", where=str(path))


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _free_bytes(folder: Path) -> int:
    usage = os.statvfs(folder)
    return usage.f_bavail * usage.f_frsize
