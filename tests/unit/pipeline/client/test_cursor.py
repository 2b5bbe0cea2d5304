"""The cursor file, also as a user or a full disk may leave it."""

import resource
from pathlib import Path

import pytest

from pipeline.client.cursor import LINE_BYTES, Cursor
from pipeline.errors import AlreadyRunning, ConfigError


def test_positions_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    with Cursor(path) as cursor:
        assert cursor.positions == {}
        cursor.write("L3-S20", (1700000000, 7))
        cursor.write("L3-S2", (1, 0))
        cursor.write("L3-S20", (99_999_999_999_999, 999_999_999_999_999))
    with Cursor(path) as cursor:
        assert cursor.positions == {"L3-S20": (99_999_999_999_999, 999_999_999_999_999), "L3-S2": (1, 0)}
        cursor.write("L3-S2", (2, 5))
        cursor.write("s" * 32, (3, 3))
    assert path.stat().st_size == 3 * LINE_BYTES
    assert all(len(line) == LINE_BYTES for line in path.read_bytes().splitlines(keepends=True))
    with Cursor(path) as cursor:
        assert list(cursor.positions) == ["L3-S20", "L3-S2", "s" * 32]
        assert cursor.positions["L3-S2"] == (2, 5)


@pytest.mark.parametrize(
    "text",
    [
        "not a cursor\n",
        "L3-S20" + " " * 40,
        f"{'L3-S20':32} {'x':>14} {7:>15}\n",
        f"{'L3-S20':32} {-1:>14} {7:>15}\n",
        f"{'L3-S20':32} {1:>14} {7:>15}\n" * 2,
        f"{'L3-S20':32} {1:>14} {7:>15}\n" + "half a li",
        "\0" * LINE_BYTES,
        "é" * 100,
    ],
)
def test_what_is_no_cursor_is_refused_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cursor"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"cursor .*: line \d says no station, session and number; next: rm "):
        Cursor(path)
    assert path.read_text() == text


def test_a_folder_and_a_pipe_are_no_cursors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened: Is a directory"):
        Cursor(tmp_path)
    with pytest.raises(ConfigError, match="is no file"):
        Cursor(Path("/dev/null"))


def test_a_disk_without_room_is_told(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Cursor(tmp_path / "cursor") as cursor:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            with pytest.raises(ConfigError, match=r"cursor .*: cannot be written: File too large"):
                cursor.write("L3-S20", (1, 1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        cursor.write("L3-S20", (1, 1))


def test_one_subscriber_holds_it_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    with Cursor(path), pytest.raises(AlreadyRunning, match="another subscriber goes on from this file"):
        Cursor(path)
    Cursor(path).close()
