"""What a camera and its producer deliver: sizes, formats, numbers and chunks of a buffer, up to the ring and to grey levels.

GenApi's own parser of chunks is fed, too. An input is JSON (what the buffer says of itself), SPLIT, and the raw buffer.
"""

import functools
import random
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pipeline.camera.genicam.account import FrameAccount
from pipeline.camera.genicam.chunks import Chunks, exposure_us
from pipeline.camera.genicam.device import Buffer, DeviceLabel
from pipeline.camera.genicam.node import DeviceNode
from pipeline.camera.genicam.picture import describe
from pipeline.camera.genicam.trust import NumberTrust
from pipeline.camera.genicam.vendor import genapi, gentl
from pipeline.camera.image_size import LARGEST_PIXELS
from pipeline.camera_settings import Feature
from pipeline.errors import CameraError, CameraLost
from pipeline.frame import Frame, FrameInfo
from pipeline.pixels import whole_grey8
from pipeline.ring.identity import read_identity, write_identity
from tests.fuzz.mutation import mutate, vary_json
from tests.fuzz.target import Target, refused

SPLIT = b"\n#####\n"
UNSIGNED = 2**64
MOST_PIXELS = 1 << 16
HEADER_WORDS = 64
CAMERA_XML = Path(__file__).parents[3] / "simulator/gentl/camera.xml"


class _VendorBuffer:
    """Like gentl's Buffer: unsigned numbers, or its exception where the producer does not tell."""

    def __init__(self, said: dict[str, Any], raw: bytes) -> None:
        self._said = said
        self.raw_buffer = raw
        self.chunk_data_info_list: list[int] = []
        self.tl_type = str(said.get("tl_type"))

    def is_complete(self) -> bool:
        return bool(self._said.get("is_complete", True))

    def __getattr__(self, name: str) -> int:
        value = self._said.get(name)
        if not isinstance(value, int):
            raise gentl.NotAvailableException(name)
        return value % UNSIGNED


@dataclass(frozen=True, slots=True)
class _Node:
    """A feature that has any value at all."""

    name: str
    value: Feature

    def read(self, *, fresh: bool = False) -> Feature:  # noqa: ARG002 - the protocol's signature
        return self.value

    def allowed(self) -> str:
        return "Mono8, Mono12p"


@dataclass(frozen=True, slots=True)
class _Device:
    """What `describe` and `Buffer` want of a device."""

    said: dict[str, Any]
    label = DeviceLabel("id", "vendor", "model", "serial")
    where = "camera"

    @property
    def nodes(self) -> "_Device":
        return self

    @property
    def ticks_per_s(self) -> int | None:
        value = self.said.get("ticks_per_s")
        return value % UNSIGNED if isinstance(value, int) else None

    def find(self, name: str) -> _Node | None:
        value = self.said.get(name)
        return _Node(name, value) if isinstance(value, bool | int | float | str) else None

    def names(self) -> Iterable[str]:
        return list(self.said)


@functools.cache
def _vendor() -> tuple[Any, dict[str, Any]]:
    nodes = genapi.NodeMap()
    nodes.load_xml_from_string(CAMERA_XML.read_text())
    return nodes, {layer: getattr(genapi, f"ChunkAdapter{layer}")(nodes) for layer in ("U3V", "GEV", "Generic")}


def execute(data: bytes) -> Hashable:
    """The way of a buffer from the producer to the inspector, as GenicamCamera goes it."""
    text, _, raw = data.partition(SPLIT)
    try:
        said = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        said = {}
    said = said if isinstance(said, dict) else {}
    device: Any = _Device(said)
    nodes, adapters = _vendor()
    found: list[Hashable] = []
    adapter = adapters.get(str(said.get("tl_type")), adapters["Generic"])
    buffer = Buffer(_VendorBuffer(said, raw), None, adapter, device)
    read = Chunks(DeviceNode("number", nodes.ChunkCounterValue, "c"), DeviceNode("us", nodes.ChunkExposureTime, "c"))
    number, exposure = read.read(buffer)
    found.append((number is None, exposure is None))
    said_node: Any = _Node("number", said.get("number", 0))
    hostile = Chunks(said_node, said_node).read(buffer)
    number, exposure = hostile if hostile != (None, None) else (number, exposure)
    try:
        info = describe(device, counts_triggers=True)
        assert 0 < info.width * info.height <= LARGEST_PIXELS
        buffer.check_shape(info.width, info.height, info.pixel_format)
        _deliver(
            buffer,
            FrameInfo(
                info.width,
                info.height,
                info.pixel_format,
                buffer.frame_id or 0,
                _believed(said, number),
                exposure_us(said.get("ExposureTime")) if exposure is None else exposure,
                buffer.camera_ns,
                1,
                2,
            ),
        )
        found.append(("good", info.pixel_format))
    except (CameraError, CameraLost) as error:
        found.append(refused(error))
    return tuple(found)


def _believed(said: dict[str, Any], number: int | None) -> int | None:
    """The number where it can be believed; the account of losses hears of it, too."""
    counter = said.get("counter")
    counter = counter if type(counter) is int and 0 <= counter < 2**63 else None
    account, trust = FrameAccount(4, 0), NumberTrust(counter, "camera")
    frame_ids = said.get("frame_ids")
    for frame_id in frame_ids[:20] if isinstance(frame_ids, list) else []:
        if isinstance(frame_id, int):
            losses = account.complete(frame_id % UNSIGNED, number, frame_id % 1000)
            assert all(loss.count > 0 for loss in losses)
    return number if number is not None and trust.believes(number, lambda: counter) else None


def _deliver(buffer: Buffer, info: FrameInfo) -> None:
    """Into the ring, whose header must give back what was written, and on to grey levels."""
    words = memoryview(bytearray(8 * HEADER_WORDS)).cast("Q")
    write_identity(words, 0, 0, info)
    again = read_identity(words, 0)
    assert (again.width, again.height, again.trigger_number) == (info.width, info.height, info.trigger_number)
    if info.width * info.height > MOST_PIXELS:
        return
    slot = memoryview(bytearray(info.payload_bytes))
    buffer.copy_to(slot, info.payload_bytes)
    grey = whole_grey8(Frame(info, slot))
    assert grey.shape == (info.height, info.width)
    assert grey.dtype == np.uint8


def vary(data: bytes, rng: random.Random) -> bytes:
    """Vary what is said, or the raw bytes."""
    text, _, raw = data.partition(SPLIT)
    if rng.random() < 0.5:
        return vary_json(text, rng) + SPLIT + raw
    return text + SPLIT + mutate(raw, rng, [])


TARGET = Target("gentl", execute, vary)
