"""The shared file between the line process and the simulated cameras; `gentl/line_state.h` is the same layout in C.

The line writes header, edges, faults and content. The camera, that is the process that holds the device open, writes
its registers, software triggers and tallies. Every word has one writer, so there are no locks: a word that announces
others (magic, ``valid``, ``edge_count``, a slot's sequence) is stored after them.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import platform
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DatumdError
from simulator.line_file import draft, make_file

MAGIC = 0x314D4953444D5444
LAYOUT = 2
MAX_DEVICES = 4
MAX_SLOTS = 512
EDGE_RING = 1024
SOFTWARE_RING = 256

HEADER_SIZE = 4096
DEVICE_SIZE = 78848
EDGES = 1024
EDGE_SIZE = 64
SOFTWARE = 66560
SOFTWARE_SIZE = 16
REGISTERS = 70656
SLOT_SEQUENCE = 74752

_HEADER = struct.Struct("<QIIIIIIQQQQdQ")
_EDGE = struct.Struct("<QQQQQIId")  # without `reserved`
_SUPERSEDED = _HEADER.size - 8
_WAKE, _EDGE_COUNT, _LOSS_COUNT, _LOST_UNTIL, _HANG_UNTIL = 0, 8, 16, 24, 32
_LINE_ZERO, _POWER_LOSSES, _RETURN_WIDTH, _RETURN_FORMAT = 40, 48, 56, 64
_TALLIES, _LINE_BASE, _POWERED_ON = 256, 320, 336
_WORD = 2**64
_USER_OUTPUT_VALUE = 0x284
_ACQUIRING = 0x298
_PAGE = 4096
_FUTEX_WAKE = 1
_FUTEX_CALL = {"x86_64": 202, "aarch64": 98, "riscv64": 98}


@dataclass(frozen=True, slots=True)
class Tallies:
    """What a camera has counted since it got power, over all processes that had it open."""

    software_triggers: int
    exposed: int
    delivered: int
    incomplete: int
    dropped: int
    underrun: int
    overrun: int
    torn: int


@dataclass(frozen=True, slots=True)
class SoftwareTrigger:
    """One software trigger that a camera accepted."""

    device: int
    number: int
    monotonic_ns: int


class LineState:
    """The line's side of the shared file.

    Args:
        path: where to make it, on a memory file system. A file of an older line is replaced; its cameras are then lost.
        devices: number of cameras, 1 to 4.
        width: of the sensor in pixels, a multiple of 4.
        height: of the sensor in pixels, even.
        channels: 1 for grey content, 3 for RGB.
        slots: images held per camera, 1 to 512.
        nominal_exposure_us: exposure at which content arrives unchanged.
        counters: where the line counters of the cameras stand before the first edge, 0 for those not named.

    Raises:
        DatumdError: a size out of range, or no room at ``path``.
    """

    def __init__(
        self,
        path: Path,
        *,
        devices: int,
        width: int,
        height: int,
        channels: int = 1,
        slots: int = 16,
        nominal_exposure_us: float = 1000.0,
        counters: Sequence[int] = (),
    ) -> None:
        _check(devices=devices, slots=slots, width=width, height=height)
        self.path, self.devices, self.slots = path, devices, slots
        self.shape = (height, width) if channels == 1 else (height, width, channels)
        self._stride = _round_up(width * height * channels, _PAGE)
        self._content = _round_up(HEADER_SIZE + devices * DEVICE_SIZE, _PAGE)
        size = self._content + devices * slots * self._stride
        self._software_seen = [0] * devices
        self._fence = threading.Lock()
        self._syscall = ctypes.CDLL(None).syscall
        self._futex = _FUTEX_CALL.get(platform.machine())
        _supersede(path)
        self._file, self._map = make_file(path, size)
        self._words = memoryview(self._map).cast("Q")
        self._halves = memoryview(self._map).cast("I")
        header = (0, LAYOUT, devices, width, height, channels, slots, self._content, self._stride, size)
        _HEADER.pack_into(self._map, 0, *header, time.monotonic_ns(), nominal_exposure_us, 0)
        for device, counter in enumerate(counters):
            self._words[self._word(device, _LINE_ZERO)] = -counter % _WORD
        self._order()
        self._words[0] = MAGIC
        # `path` names the file only now, so that a camera never maps a half-made one
        self._inode = draft(path).stat().st_ino
        draft(path).replace(path)

    def _order(self) -> None:
        """Keep the stores before this line before those after it, on processors that would not."""
        with self._fence:
            pass

    def _device(self, device: int) -> int:
        return HEADER_SIZE + device * DEVICE_SIZE

    def _word(self, device: int, offset: int) -> int:
        return (self._device(device) + offset) // 8

    def edge_count(self, device: int) -> int:
        """Edges that have passed this camera."""
        return self._words[self._word(device, _EDGE_COUNT)]

    def put_image(self, device: int, slot: int, image: NDArray[np.uint8]) -> None:
        """Replace the content of a slot; a camera that reads it meanwhile notices.

        Args:
            device: index of the camera.
            slot: 0 to slots - 1.
            image: uint8 of shape ``self.shape``.
        """
        if image.shape != self.shape or image.dtype != np.uint8:
            raise ValueError(f"content is uint8 {self.shape}, not {image.dtype} {image.shape}")
        sequence = self._word(device, SLOT_SEQUENCE) + slot
        self._words[sequence] |= 1
        self._order()
        start = self._content + (device * self.slots + slot) * self._stride
        self._map[start : start + image.size] = image.tobytes()
        self._order()
        self._words[sequence] += 1

    def make_edge(
        self, device: int, *, trigger_number: int, stamp_ns: int, slot: int, faults: int, light: float
    ) -> int:
        """Raise the camera's Line1 once. Returns what its line counter reads now, the first edge 1."""
        number = self.edge_count(device) + 1
        entry = self._device(device) + EDGES + (number - 1) % EDGE_RING * EDGE_SIZE
        sequence = self._words[self._word(device, SLOT_SEQUENCE) + slot]
        self._words[entry // 8] = 0
        self._order()
        _EDGE.pack_into(self._map, entry, 0, number, trigger_number, stamp_ns, sequence, slot, faults, light)
        self._order()
        self._words[entry // 8] = number
        self._order()
        self._words[self._word(device, _EDGE_COUNT)] = number
        self._wake(device)
        return self.line_counter(device)

    def line_counter(self, device: int) -> int:
        """What the camera's line counter reads now."""
        is_reset_known = (
            self._words[self._word(device, _POWERED_ON)] == 1 + self._words[self._word(device, _POWER_LOSSES)]
        )
        base = self._words[self._word(device, _LINE_BASE)] if is_reset_known else 0
        return (self.edge_count(device) - self._words[self._word(device, _LINE_ZERO)] - base) % _WORD

    def lose(self, device: int, seconds: float, *, width: int = 0, pixel_format: int = 0, power: bool = False) -> None:
        """Take the camera off the bus; it can be opened again after ``seconds``.

        Args:
            device: index of the camera.
            seconds: how long it stays away.
            width: of the pictures that it then gives, until it is lost once more; 0: as it was set up.
            pixel_format: of those pictures, a PFNC number; 0: as it was set up.
            power: it loses its power, and with that its settings and its counts.
        """
        self._words[self._word(device, _RETURN_WIDTH)] = width
        self._words[self._word(device, _RETURN_FORMAT)] = pixel_format
        if power:
            self._words[self._word(device, _LINE_ZERO)] = self.edge_count(device)
            self._words[self._word(device, _POWER_LOSSES)] += 1
        self._words[self._word(device, _LOST_UNTIL)] = time.monotonic_ns() + int(seconds * 1e9)
        self._order()
        self._words[self._word(device, _LOSS_COUNT)] += 1
        self._wake(device)

    def hang(self, device: int, seconds: float) -> None:
        """Let the producer's wait for this camera block for ``seconds``, whatever its timeout."""
        self._words[self._word(device, _HANG_UNTIL)] = time.monotonic_ns() + int(seconds * 1e9)
        self._wake(device)

    def _wake(self, device: int) -> None:
        self._order()
        at = self._device(device) + _WAKE
        self._halves[at // 4] = (self._halves[at // 4] + 1) & 0xFFFFFFFF
        if self._futex is not None:  # elsewhere the camera looks by itself every 20 ms
            word = ctypes.c_uint32.from_buffer(self._map, at)
            self._syscall(self._futex, ctypes.byref(word), _FUTEX_WAKE, 2**31 - 1, None, None, 0)

    def tallies(self, device: int) -> Tallies:
        """What the camera has counted."""
        first = self._word(device, _TALLIES)
        return Tallies(*self._words[first : first + 8])

    def is_high(self, device: int, output: int) -> bool:
        """Whether the camera's user output is set, 0 being UserOutput1: what a wire to a gate would show."""
        return self._halves[(self._device(device) + REGISTERS + _USER_OUTPUT_VALUE) // 4 + output] != 0

    def is_grabbing(self, device: int) -> bool:
        """Whether a living process has this camera open and has started its acquisition."""
        acquiring = self._halves[(self._device(device) + REGISTERS + _ACQUIRING) // 4] != 0
        return acquiring and self._is_owned(device)

    def _is_owned(self, device: int) -> bool:
        """The owner holds a lock on byte ``device`` of the file, which the kernel takes from it when it dies."""
        question = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, device, 1, 0)
        answer = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, question)
        return bool(struct.unpack("hhqqi", answer)[0] != fcntl.F_UNLCK)

    def new_software_triggers(self) -> list[SoftwareTrigger]:
        """Software triggers that the cameras accepted since the last call; older than 256 back are not remembered."""
        found = []
        for device in range(self.devices):
            count = self.tallies(device).software_triggers
            for number in range(max(self._software_seen[device], count - SOFTWARE_RING) + 1, count + 1):
                entry = self._device(device) + SOFTWARE + (number - 1) % SOFTWARE_RING * SOFTWARE_SIZE
                found.append(SoftwareTrigger(device, number, self._words[entry // 8 + 1]))
            self._software_seen[device] = count
        return found

    def close(self, *, unlink: bool = True) -> None:
        """Let go of the file; with ``unlink`` the cameras are no longer found, open ones stay as they are."""
        if unlink and self._is_ours():
            self.path.unlink(missing_ok=True)
        self._words.release()
        self._halves.release()
        self._map.close()
        os.close(self._file)

    def _is_ours(self) -> bool:
        """Whether the path still leads to this line's file, not to that of a line which came after it."""
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False


def _round_up(size: int, step: int) -> int:
    return (size + step - 1) // step * step


def _check(*, devices: int, slots: int, width: int, height: int) -> None:
    if not 1 <= devices <= MAX_DEVICES:
        raise DatumdError(f"{devices} cameras", where="simulated line", allowed=f"1 to {MAX_DEVICES}")
    if not 1 <= slots <= MAX_SLOTS:
        raise DatumdError(f"{slots} content images per camera", where="simulated line", allowed=f"1 to {MAX_SLOTS}")
    if width < 4 or width % 4 or height < 2 or height % 2:
        allowed = "a width that is a multiple of 4 and an even height"
        raise DatumdError(f"a sensor of {width}x{height}", where="simulated line", allowed=allowed)


def _supersede(path: Path) -> None:
    """Tell the cameras of an older line at this path that their line is gone."""
    try:
        with path.open("r+b") as old, mmap.mmap(old.fileno(), HEADER_SIZE) as header:
            if int.from_bytes(header[:8], "little") == MAGIC:
                header[_SUPERSEDED : _SUPERSEDED + 8] = (1).to_bytes(8, "little")
    except (OSError, ValueError):
        return  # no older line
