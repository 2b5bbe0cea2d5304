"""What a daemon that was killed leaves of its frame ring: the words that say which frames had no answer yet.

The next daemon makes its ring anew, in the same file and perhaps with another layout, but keeps the header of the old one (a
few KiB) in a file beside it until its ledger has answered those frames. The pictures are of no more use: their deadline is over.
"""

import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pipeline.frame import FrameInfo
from pipeline.ring.identity import read_identity
from pipeline.ring.layout import MAGIC, PAGE_BYTES, WORD_BYTES, HeaderWord, RingLayout, SlotWord

log = logging.getLogger(__name__)


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

    The file is removed by whoever has answered for its frames. One that is none of ours, or damaged, has none.
    """
    files = [left for left in ring.parent.glob(f"{ring.name}.*.left") if _is_ours(left)]
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


def _is_ours(left: Path) -> bool:
    status = left.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid()


def _open_frames(left: Path) -> list[LeftFrame]:
    content = left.read_bytes()
    words = memoryview(content[: len(content) // WORD_BYTES * WORD_BYTES]).cast("Q")
    is_header = len(content) >= PAGE_BYTES and words[HeaderWord.magic] == MAGIC
    layout = RingLayout.of(words) if is_header else None
    if layout is None or len(content) != layout.payload_offset(0):
        log.error("%s is no header of a frame ring: nothing in it is answered", left)
        return []
    frames = []
    for slot in range(layout.slots):
        base = layout.slot_word(slot, 0)
        accepted, granted = words[base + SlotWord.accepted], words[base + SlotWord.granted]
        if accepted and accepted == granted != words[base + SlotWord.closed]:
            info = read_identity(words, base)
            frames.append(LeftFrame(words[HeaderWord.ring_id], slot, accepted, words[base + SlotWord.camera], info))
    return sorted(frames, key=lambda frame: frame.info.received_monotonic_ns)
