"""Chunks in a raw buffer, sound and not; GenApi's own parser takes what we call sound."""

import functools
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.camera.genicam.chunk_layout import MOST_CHUNKS, is_sound
from pipeline.camera.genicam.vendor import VENDOR_ERRORS, Untyped, genapi

ORDER = {"U3V": "<", "GEV": ">"}
layers = pytest.mark.parametrize("layer", ["U3V", "GEV"])


def laid(layer: str, chunks: Iterable[tuple[int, bytes]]) -> bytes:
    """Chunks of (id, data) as the transport layer lays them."""
    return b"".join(data + struct.pack(f"{ORDER[layer]}II", kind, len(data)) for kind, data in chunks)


@layers
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8), st.binary(max_size=20))
def test_chunks_one_after_the_other(layer: str, chunks: list[bytes], behind: bytes) -> None:
    raw = laid(layer, enumerate(chunks))
    assert is_sound(raw + behind, len(raw), layer)


@layers
@pytest.mark.parametrize("length", [1, 8, 0xFFFFFFF8, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000])
def test_a_length_that_leads_elsewhere(layer: str, length: int) -> None:
    raw = bytes(4) + struct.pack(f"{ORDER[layer]}II", 0xDA700001, length)
    assert not is_sound(raw, len(raw), layer)


@layers
def test_a_size_that_is_not_the_buffers(layer: str) -> None:
    raw = laid(layer, [(1, b"1234")])
    for size in (-1, 0, 7, len(raw) - 1, len(raw) + 1, 2**63):
        assert not is_sound(raw, size, layer)
    many = laid(layer, [(1, b"")] * (MOST_CHUNKS + 1))
    assert not is_sound(many, len(many), layer)


@layers
@pytest.mark.time_limit_s(20)
@given(raw=st.binary(max_size=60), chunks=st.lists(st.binary(max_size=10), max_size=4))
def test_what_is_sound_the_vendors_parser_takes(layer: str, raw: bytes, chunks: list[bytes]) -> None:
    whole = raw + laid(layer, ((0xDA700001 + place, data) for place, data in enumerate(chunks)))
    if is_sound(whole, len(whole), layer):
        adapter(layer).attach_buffer(whole, len(whole))
    elif layer == "U3V":  # that of GigE Vision may go round for ever
        with pytest.raises(VENDOR_ERRORS):
            adapter(layer).attach_buffer(whole, len(whole))


@functools.cache
def adapter(layer: str) -> Untyped:
    nodes = genapi.NodeMap()
    nodes.load_xml_from_string((Path(__file__).parents[4] / "simulator/gentl/camera.xml").read_text())
    return getattr(genapi, f"ChunkAdapter{layer}")(nodes)
