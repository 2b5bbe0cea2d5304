"""What an ONNX file says of its network, read without a library: tensors, metadata, and that its weights are inside."""

import hashlib
from collections.abc import Iterator
from itertools import count

import numpy as np

from engines.errors import EngineRefused
from engines.spec import NetworkSpec, TensorSpec

# Field numbers of onnx.proto3. Of these messages the fields that lead to a tensor, and to which kind of message.
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "tensor": {},
}
_TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16}
_VARINT, _FIXED64, _MESSAGE, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers
_EXTERNAL = 1  # TensorProto.DataLocation
_DEEPEST = 100  # as protocol buffers allow
_MOST_FIELDS = 1 << 18  # of all messages that are walked through; networks of a hundred layers have some thousand
_TOO_MANY = f"has more than {_MOST_FIELDS} fields"
_LARGEST_SIZE = (1 << 31) - 1


def read_spec(network: bytes) -> NetworkSpec:
    """The tensors, hash and metadata of a network, as its file declares them.

    Args:
        network: the bytes of an ONNX file.

    Raises:
        EngineRefused: no ONNX file; a weight outside of it, which is not in its hash; a tensor of another type, or with
            a free size that is not its first.
    """
    model = memoryview(network)
    _refuse_external(model, "model", 0, count())
    graphs = [graph for number, graph in _messages(model) if number == 7]
    if len(graphs) != 1:
        raise EngineRefused("is no ONNX file: it holds no graph")
    fields = list(_messages(graphs[0]))
    weights = {_text(tensor, 8) for number, tensor in fields if number == 5}
    inputs = (_tensor(value) for number, value in fields if number == 11 and _text(value, 1) not in weights)
    return NetworkSpec(
        inputs=tuple(inputs),
        outputs=tuple(_tensor(value) for number, value in fields if number == 12),
        sha256=hashlib.sha256(network).hexdigest(),
        metadata={_text(entry, 1): _text(entry, 2) for number, entry in _messages(model) if number == 14},
    )


def is_quantised(network: bytes) -> bool:
    """Whether a network rounds to integers (Q/DQ). False of what is no ONNX file, which a backend then refuses."""
    try:
        _refuse_external(memoryview(network), "model", 0, count())
        graphs = [graph for _, graph in _of(memoryview(network), 7)]
        return any(_text(node, 4) == "QuantizeLinear" for graph in graphs for _, node in _of(graph, 1))
    except EngineRefused:
        return False


def _refuse_external(message: memoryview, kind: str, depth: int, walked: Iterator[int]) -> None:
    """Raises EngineRefused: a weight outside, or more than is walked through; `walked` counts the fields of all messages."""
    if depth > _DEEPEST:
        raise EngineRefused("is no ONNX file: it is nested too deeply")
    inside, is_external = _INSIDE[kind], False
    for number, _, part in _fields(message):
        if next(walked) >= _MOST_FIELDS:
            raise EngineRefused(_TOO_MANY)
        if kind == "tensor" and number == 14:
            is_external = part == _EXTERNAL  # the last one counts
        if number in inside and isinstance(part, memoryview):
            _refuse_external(part, inside[number], depth + 1, walked)
    if is_external:
        raise EngineRefused(f"keeps the weight {_text(message, 8)!r} outside of the file", "export it in one file")


def _tensor(value: memoryview) -> TensorSpec:
    """From a ValueInfoProto."""
    name, shape = _text(value, 1), []
    types = [tensor for _, kind in _of(value, 2) for _, tensor in _of(kind, 1)]
    kind = _number(types[-1], 1) if types else 0
    if kind not in _TYPES:
        allowed = ", ".join(np.dtype(dtype).name for dtype in _TYPES.values())
        raise EngineRefused(f"tensor {name} has the ONNX type {kind}; allowed: {allowed}")
    for _, sizes in _of(types[-1], 2):
        shape += [
            _number(size, 1) if any(number == 1 for number, _, _ in _fields(size)) else None
            for _, size in _of(sizes, 1)
        ]
    if not shape or None in shape[1:]:
        raise EngineRefused(f"tensor {name} has the shape {shape}; only the first size may be left open")
    return TensorSpec(name, np.dtype(_TYPES[kind]), tuple(shape))


def _text(message: memoryview, wanted: int) -> str:
    """The last value of a field, as protocol buffers have it."""
    values = [bytes(value) for _, value in _of(message, wanted)]
    try:
        return values[-1].decode() if values else ""
    except UnicodeDecodeError as problem:
        raise EngineRefused(f"its metadata is no text ({problem.reason})") from None


def _number(message: memoryview, wanted: int) -> int:
    values = [value for number, wire, value in _fields(message) if number == wanted and wire == _VARINT]
    value = int(values[-1]) if values else 0
    if value > _LARGEST_SIZE:
        raise EngineRefused(f"has a size or type of {value}; allowed: {_LARGEST_SIZE}")
    return value


def _of(message: memoryview, wanted: int) -> Iterator[tuple[int, memoryview]]:
    return ((number, part) for number, part in _messages(message) if number == wanted)


def _messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and bytes of every field that has a length."""
    for number, _, value in _fields(message):
        if isinstance(value, memoryview):
            yield number, value


def _fields(message: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and value of every field of a message. Source: the encoding of protocol buffers."""
    place = walked = 0
    while place < len(message):
        walked += 1
        if walked > _MOST_FIELDS:
            raise EngineRefused(_TOO_MANY)
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, place = _varint(message, place)
            yield number, wire, value
            continue
        if wire == _MESSAGE:
            size, place = _varint(message, place)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise EngineRefused("is no ONNX file")
        if place + size > len(message):
            raise EngineRefused("is no ONNX file, or the end of it is missing")
        yield number, wire, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise EngineRefused("is no ONNX file, or the end of it is missing")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise EngineRefused("is no ONNX file")
