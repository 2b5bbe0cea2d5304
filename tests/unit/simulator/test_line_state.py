import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DatumdError
from simulator.line_state import DEVICE_SIZE, EDGE_RING, EDGES, HEADER_SIZE, MAGIC, LineState


@pytest.fixture
def state(tmp_path: Path) -> Iterator[LineState]:
    made = LineState(tmp_path / "state", devices=2, width=16, height=8, slots=3)
    yield made
    made.close()


def edge(state: LineState, device: int, **changes: float) -> int:
    values = {"trigger_number": 1, "stamp_ns": 5, "slot": 0, "faults": 0} | changes
    return state.make_edge(device, light=1.0, **{name: int(value) for name, value in values.items()})


def entry(state: LineState, device: int, number: int) -> tuple[int, ...]:
    at = HEADER_SIZE + device * DEVICE_SIZE + EDGES + (number - 1) % EDGE_RING * 64
    return struct.unpack_from("<QQQQQII", state.path.read_bytes(), at)


def test_each_camera_counts_its_own_edges(state: LineState) -> None:
    assert [edge(state, 0), edge(state, 0), edge(state, 1), edge(state, 0)] == [1, 2, 1, 3]
    assert (state.edge_count(0), state.edge_count(1)) == (3, 1)


def test_counters_may_start_apart_and_begin_again_without_power(tmp_path: Path) -> None:
    state = LineState(tmp_path / "apart", devices=3, width=16, height=8, counters=[0, 700])
    assert [edge(state, device) for device in (0, 1, 2, 1)] == [1, 701, 1, 702]
    state.lose(1, 0.0)
    assert edge(state, 1) == 703
    state.lose(1, 0.0, power=True)
    assert state.line_counter(1) == 0
    assert [edge(state, 1), edge(state, 0)] == [1, 2]
    assert state.edge_count(1) == 4  # edges pass all the same
    state.close()


def test_an_edge_names_its_content_as_it_is_then(state: LineState) -> None:
    for _ in range(3):
        state.put_image(1, 2, np.zeros((8, 16), np.uint8))
    number = edge(state, 1, trigger_number=40, stamp_ns=77, slot=2, faults=5)
    assert entry(state, 1, number) == (1, 1, 40, 77, 6, 2, 5)  # a slot's sequence goes up by two with each image


def test_the_ring_of_edges_wraps(state: LineState) -> None:
    for _ in range(EDGE_RING + 2):
        last = edge(state, 0)
    assert entry(state, 0, last)[:2] == (EDGE_RING + 2, EDGE_RING + 2)
    assert entry(state, 0, 3)[0] == 3


def test_content_of_another_size_is_refused(state: LineState) -> None:
    with pytest.raises(ValueError, match=r"content is uint8 \(8, 16\)"):
        state.put_image(0, 0, np.zeros((8, 12), np.uint8))


@pytest.mark.parametrize(
    ("devices", "width", "height", "slots", "message"),
    [
        (0, 16, 8, 1, "0 cameras; allowed: 1 to 4"),
        (5, 16, 8, 1, "5 cameras; allowed: 1 to 4"),
        (1, 18, 8, 1, "a sensor of 18x8; allowed: a width that is a multiple of 4 and an even height"),
        (1, 16, 7, 1, "a sensor of 16x7"),
        (1, 16, 8, 513, "513 content images per camera; allowed: 1 to 512"),
    ],
)
def test_sizes_out_of_range_are_refused(
    tmp_path: Path, devices: int, width: int, height: int, slots: int, message: str
) -> None:
    with pytest.raises(DatumdError, match=message):
        LineState(tmp_path / "state", devices=devices, width=width, height=height, slots=slots)
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_the_file_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatumdError, match=r"no room for the simulated cameras \(\d+ MB\).*next: use a smaller --pool"):
        LineState(tmp_path / "absent" / "state", devices=1, width=16, height=8)
    with pytest.raises(DatumdError, match="no room for the simulated cameras"):
        LineState(tmp_path / "state", devices=4, width=1 << 24, height=1 << 20, slots=512)
    assert list(tmp_path.iterdir()) == []


def test_a_later_line_takes_the_name_and_keeps_its_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    old = LineState(path, devices=1, width=16, height=8)
    new = LineState(path, devices=1, width=16, height=8)
    old.close()
    assert int.from_bytes(path.read_bytes()[:8], "little") == MAGIC
    new.close()
    assert list(tmp_path.iterdir()) == []


def test_nobody_grabs_from_a_camera_that_nobody_opened(state: LineState) -> None:
    assert not state.is_grabbing(0)
    assert state.new_software_triggers() == []
    assert state.tallies(0).exposed == 0
