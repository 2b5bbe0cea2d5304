"""What a daemon that was killed leaves of its frame ring: the words that say which frames had no answer yet.

The next daemon makes its ring anew, in the same file and perhaps with another layout, but keeps the header of the old one (a
few KiB) in a file beside it until its ledger has answered those frames. The pictures are of no more use: their deadline is over.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.frame import FrameInfo
from pipeline.ring.identity import read_identity
from pipeline.ring.layout import MAGIC, PAGE_BYTES, HeaderWord, RingLayout, SlotWord


@dataclass(frozen=True, slots=True)
class LeftFrame:
    """A frame that was accepted and not closed. `camera` is its index in the station file of that time."""

    ring_id: int
    slot: int
    generation: int
    camera: int
    info: FrameInfo


def left_behind(ring: Path) -> list[tuple[Path, list[LeftFrame]]]:
    """Each file that was kept beside the ring's, oldest first, with its frames in order of receipt.

    The file is removed by whoever has answered for its frames.
    """
    files = [left for left in ring.parent.glob(f"{ring.name}.*.left") if left.lstat().st_uid == os.getuid()]
    return [(left, _open_frames(left)) for left in sorted(files, key=lambda left: left.stat().st_mtime_ns)]


def keep_header(descriptor: int, ring: Path) -> None:
    """Keep the words of the ring in the open file, if it is one and was in use since this machine booted."""
    header = memoryview(os.pread(descriptor, PAGE_BYTES, 0))
    words = header.cast("Q") if len(header) == PAGE_BYTES else None
    if words is None or words[HeaderWord.magic] != MAGIC or words[HeaderWord.boot_id] != boot_id():
        return
    layout = RingLayout.of(words)
    if not words[HeaderWord.session] or os.fstat(descriptor).st_size != layout.total_bytes:
        return
    left = ring.with_name(f"{ring.name}.{words[HeaderWord.ring_id]:x}.left")
    fresh = left.with_suffix(".new")
    fresh.write_bytes(os.pread(descriptor, layout.payload_offset(0), 0))
    fresh.rename(left)


def boot_id() -> int:
    """A number that changes when the machine boots."""
    text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    return int(text.replace("-", "")[:15], 16)


def _open_frames(left: Path) -> list[LeftFrame]:
    words = memoryview(left.read_bytes()).cast("B").cast("Q")
    layout = RingLayout.of(words)
    frames = []
    for slot in range(layout.slots):
        base = layout.slot_word(slot, 0)
        accepted, granted = words[base + SlotWord.accepted], words[base + SlotWord.granted]
        if accepted and accepted == granted != words[base + SlotWord.closed]:
            info = read_identity(words, base)
            frames.append(LeftFrame(words[HeaderWord.ring_id], slot, accepted, words[base + SlotWord.camera], info))
    return sorted(frames, key=lambda frame: frame.info.received_monotonic_ns)
