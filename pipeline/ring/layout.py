"""Where everything lies in the frame ring's file: pure arithmetic, no memory is touched here.

    header page │ camera blocks │ slot headers │ (page) payload 0 │ payload 1 │ …

All words are native 64-bit integers. Each word has exactly one writing process, and the words of one writer share no cache
line with those of another.
"""

from dataclasses import dataclass
from enum import IntEnum

PAGE_BYTES = 4096
WORD_BYTES = 8
CAMERA_WORDS = 64
SLOT_WORDS = 32
MAGIC = int.from_bytes(b"datumdR2", "little")


class HeaderWord(IntEnum):
    """Words of the header page, written once by the supervisor before any worker starts; but for `session`, the ledger's."""

    magic = 0
    ring_id = 1
    boot_id = 2
    slots = 3
    slot_bytes = 4
    cameras = 5
    session = 8


class CameraWord(IntEnum):
    """Words of a camera's block; written by that camera's grab worker alone."""

    frames = 0
    triggers_counted = 1
    counts_triggers = 2
    last_frame_monotonic_ns = 3
    width = 4  # of the pictures that the camera gave when it first came up in this run
    height = 5
    pixel_format = 6  # 0 until then
    losses = 8  # and one word more for each kind in LOSS_KINDS


class SlotWord(IntEnum):
    """Words of a slot's header. Ledger: first cache line; grab: second and third; infer: fourth."""

    granted = 0
    closed = 1
    granted_camera = 2  # index of the camera that the slot was granted to, written before `granted`
    dispatched = 3  # generation under which infer was told to read it
    reader = 4  # row of that infer worker in the process list, written before `dispatched`
    recipe = 5  # number of the recipe that it was told to inspect by, likewise
    again = 6  # generation that was dispatched more than once: `released` may be of an earlier time
    accepted = 8
    camera = 9
    flags = 10
    trigger_number = 11
    frame_id = 12
    camera_ns = 13
    exposure_ns = 14
    received_monotonic_ns = 15
    received_utc_ns = 16
    width = 17
    height = 18
    pixel_format = 19
    released = 24


class SlotFlag(IntEnum):
    """Bits of SlotWord.flags: which optional parts of the identity are known."""

    trigger_number = 1
    camera_ns = 2
    exposure = 4


@dataclass(frozen=True, slots=True)
class RingLayout:
    """Sizes of one ring.

    Args:
        slots: number of frames that fit.
        slot_bytes: largest payload, in bytes.
        cameras: number of camera blocks.
    """

    slots: int
    slot_bytes: int
    cameras: int

    @classmethod
    def of(cls, words: memoryview) -> "RingLayout":
        """The layout that a ring's header page tells."""
        return cls(words[HeaderWord.slots], words[HeaderWord.slot_bytes], words[HeaderWord.cameras])

    def camera_word(self, camera: int, word: int) -> int:
        """Index (in words from the start of the file) of a word of a camera's block."""
        return (PAGE_BYTES // WORD_BYTES) + camera * CAMERA_WORDS + word

    def slot_word(self, slot: int, word: int) -> int:
        """Index (in words from the start of the file) of a word of a slot's header."""
        return self.camera_word(self.cameras, 0) + slot * SLOT_WORDS + word

    def payload_offset(self, slot: int) -> int:
        """Byte offset of a slot's payload; page-aligned, so that it can be pinned for a GPU."""
        first = _round_up(self.slot_word(self.slots, 0) * WORD_BYTES)
        return first + slot * _round_up(self.slot_bytes)

    @property
    def total_bytes(self) -> int:
        """Size of the file."""
        return self.payload_offset(self.slots)


def _round_up(count: int) -> int:
    return (count + PAGE_BYTES - 1) // PAGE_BYTES * PAGE_BYTES
