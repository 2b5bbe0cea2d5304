"""A recipe before anything was taught: a network that knows nothing, so that every part is undecided and rejected.

A station runs with it from the first minute: cameras, triggers, page and kept pictures, which are what a part is taught from.
"""

import struct
from collections.abc import Sequence

from pipeline.network import METADATA_KEY, CoarseCard, write_card
from pipeline.recipe_file import ViewSettings
from pipeline.thresholds import Threshold, Thresholds

MIDDLE, UNTAUGHT = "middle", "untaught"
KEYPOINTS = (MIDDLE, UNTAUGHT)
"""The middle of the region, which every picture has, and one that is unsure whatever the picture shows."""
SIDE_PX = 64  # of the image that the network is given
THRESHOLDS = Thresholds(keypoint={UNTAUGHT: Threshold(visible_above=0.9, hidden_below=0.1)})
_SURE = 8.0  # logit
_IR_VERSION, _OPSET = 8, 17
_UINT8, _FLOAT, _INT64 = 2, 1, 7  # TensorProto.DataType
_INT = 2  # AttributeProto.AttributeType


def is_untaught(view: ViewSettings) -> bool:
    """Whether nobody has said yet which keypoints a view has."""
    return tuple(view.keypoints) == KEYPOINTS


def untaught_network() -> bytes:
    """An ONNX file: a coarse network of `KEYPOINTS` that gives the same for every image."""
    count, middle = len(KEYPOINTS), (SIDE_PX - 1) / 2
    card = CoarseCard(keypoints=list(KEYPOINTS), large_wh=(SIDE_PX, SIDE_PX), small_wh=(SIDE_PX, SIDE_PX))
    graph = b"".join(
        [
            _message(1, _node("Shape", ["image"], "batch", start=0, end=1)),
            _message(1, _node("Concat", ["batch", "sizes"], "shape", axis=0)),
            _message(1, _node("Expand", ["places", "shape"], "xy")),
            _message(1, _node("Expand", ["logits", "shape"], "visibility")),
            _text(2, UNTAUGHT),
            _message(5, _tensor("sizes", _INT64, [2], struct.pack("<2q", count, 2))),
            _message(5, _tensor("places", _FLOAT, [1, count, 2], struct.pack("<4f", *[middle] * 4))),
            _message(5, _tensor("logits", _FLOAT, [1, count, 2], struct.pack("<4f", _SURE, -_SURE, 0.0, 0.0))),
            _message(11, _value("image", _UINT8, [SIDE_PX, SIDE_PX, 1])),
            _message(12, _value("xy", _FLOAT, [count, 2])),
            _message(12, _value("visibility", _FLOAT, [count, 2])),
        ]
    )
    metadata = _text(1, METADATA_KEY) + _text(2, write_card(card))
    return _number(1, _IR_VERSION) + _message(7, graph) + _message(8, _number(2, _OPSET)) + _message(14, metadata)


# Messages of onnx.proto3 in the encoding of protocol buffers; the library `onnx` is no part of a station.


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: int) -> bytes:
    found = b"".join(
        _message(5, _text(1, name) + _number(3, value) + _number(20, _INT)) for name, value in attributes.items()
    )
    return b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind) + found


def _tensor(name: str, kind: int, sizes: Sequence[int], raw: bytes) -> bytes:
    return b"".join(_number(1, size) for size in sizes) + _number(2, kind) + _text(8, name) + _message(9, raw)


def _value(name: str, kind: int, sizes: Sequence[int]) -> bytes:
    """A ValueInfoProto whose first size is that of the batch."""
    shape = _message(1, _text(2, "N")) + b"".join(_message(1, _number(1, size)) for size in sizes)
    return _text(1, name) + _message(2, _message(1, _number(1, kind) + _message(2, shape)))


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode())


def _message(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
