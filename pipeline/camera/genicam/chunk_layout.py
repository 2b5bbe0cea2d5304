"""Whether the chunks in a raw buffer follow each other as they should, before GenApi's parser sees them.

That parser (genicam 1.6.0) goes round for ever on a length of -8 in a GigE Vision buffer, and reads beyond the end of one that
is shorter than it is said to be: a camera could hang or end its process.
"""

import struct

TRAILER_BYTES = 8  # chunk id and length, behind each chunk's data
MOST_CHUNKS = 1000
LENGTHS = {"U3V": struct.Struct("<4xI"), "GEV": struct.Struct(">4xI")}  # USB3 Vision, GigE Vision


def is_sound(raw: bytes, size: int, layer: str) -> bool:
    """Walk from the end of `raw[:size]` to its beginning, over chunks as the transport layer `layer` writes them."""
    if not 0 < size <= len(raw):
        return False
    length_at = LENGTHS[layer].unpack_from
    for _ in range(MOST_CHUNKS):
        if size < TRAILER_BYTES:
            return False
        (length,) = length_at(raw, size - TRAILER_BYTES)
        size -= TRAILER_BYTES + length
        if size <= 0:
            return bool(size == 0)
    return False
