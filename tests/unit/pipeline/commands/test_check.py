"""`datumd check`: one line for each thing, and what is wrong at the end."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli import main
from pipeline.ledger.journal import Journal
from pipeline.selection import SETTING, remember
from tests.recipes import frame_with_part, make_recipe
from tests.stations import write_station


@pytest.fixture
def station(tmp_path: Path, free_port: Callable[[], int]) -> Path:
    make_recipe(tmp_path / "recipes" / "first", ["top"], number=1, rest='[measure]\nw = { distance = ["a", "b"] }')
    make_recipe(tmp_path / "recipes" / "second", ["top"], number=2)
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "1.png"), frame_with_part())
    camera = 'recipe = 2\n[camera.top]\ntype = "folder"\npath = "pictures"\n'
    return write_station(tmp_path, "check", tmp_path / "recipes", free_port(), free_port(), camera)


def checked(station: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str], str]:
    code = main(["check", str(station)])
    shown = capsys.readouterr()
    return code, shown.out.splitlines(), shown.err


def test_everything_in_order_is_told_line_by_line(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, errors = checked(station, capsys)
    assert (code, errors) == (0, "")
    assert all(line.startswith("ok    ") for line in lines)
    text = "\n".join(lines)
    assert "camera top: " in text
    assert "recipe first: first, number 1, configuration " in text
    assert "warning: measurements are judged without a guard band" in text
    assert "within 0.000 px on 1 reference frame(s), onnxruntime" in text
    assert "addresses: " in text
    assert "recipe to start with: second, number 2" in text


def test_a_recipe_that_nobody_started_is_checked_too(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (station.parent / "recipes" / "first" / "recipe.toml").open("a") as file:
        file.write("# a small edit\n")
    code, lines, errors = checked(station, capsys)
    assert code == 2
    assert [line.split(":")[0] for line in lines if line.startswith("WRONG")] == ["WRONG recipe first"]
    assert "first/recipe.toml: was changed since the recipe was sealed; next: datumd seal " in errors
    assert any(line.startswith("ok    recipe second") for line in lines)


def test_the_recipe_that_was_selected_through_control_is_named(
    station: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(station.parent / "state", remember(1, 2))
    assert checked(station, capsys)[1][-2] == (
        "ok    recipe to start with: first, number 1, selected through control; the station file says 2"
    )
    (station.parent / "recipes" / "first").rename(station.parent / "first")
    code, lines, errors = checked(station, capsys)
    assert code == 2
    assert lines[-2].startswith("WRONG recipe to start with: ")
    assert "recipes: has no recipe of number 1; allowed: 2 (second)" in errors
    (station.parent / "first").rename(station.parent / "recipes" / "first")
    station.write_text(station.read_text().replace("recipe = 2\n", "recipe = 1\n"))  # changed since
    assert checked(station, capsys)[1][-2] == "ok    recipe to start with: first, number 1"


def keep(folder: Path, selection: str) -> None:
    """As a ledger does when a recipe is selected."""
    folder.mkdir(exist_ok=True)
    journal = Journal.open(folder, ring_id=1, ring_session=0, retention=lambda _: 7.0)
    journal.set_setting(SETTING, selection)
    journal.close()


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 500])
def test_a_journal_that_cannot_be_read_keeps_no_selection(
    station: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    (station.parent / "state").mkdir()
    (station.parent / "state" / "journal.db").write_bytes(damage)
    code, lines, _ = checked(station, capsys)
    assert (code, lines[-2]) == (0, "ok    recipe to start with: second, number 2")


def test_several_things_wrong_are_all_told(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (station.parent / "pictures" / "1.png").unlink()
    (station.parent / "pictures").rmdir()
    (station.parent / "recipes" / "second" / "recipe.lock").unlink()
    code, lines, errors = checked(station, capsys)
    assert code == 2
    wrong = [line.split(":")[0] for line in lines if line.startswith("WRONG")]
    assert wrong == ["WRONG camera top", "WRONG recipe second"]
    assert "2 things are wrong, see above" in errors


def test_views_of_recipe_and_cameras_must_agree(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    station.write_text(station.read_text().replace("[camera.top]", "[camera.left]"))
    code, _, _ = checked(station, capsys)
    assert code == 2


def test_pictures_that_do_not_fit_into_the_ring_show_before_running(
    station: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    station.write_text(f"{station.read_text()}[ring]\nslot_mb = 0.0625\n")  # 65536 bytes, exactly one picture
    assert checked(station, capsys)[0] == 0
    station.write_text(station.read_text().replace("0.0625", "0.0624"))
    code, _, errors = checked(station, capsys)
    assert code == 2
    assert (
        "ring.slot_mb: is 0.0624: a picture of camera top (256 x 256) takes 65536 bytes; allowed: 0.063 at least"
        in errors
    )


def test_a_video_is_looked_at_too(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = cv2.VideoWriter(str(station.parent / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (256, 256))
    writer.write(np.zeros((256, 256, 3), np.uint8))
    writer.release()
    text = station.read_text().replace('"folder"', '"video"').replace('"pictures"', '"a.avi"')
    station.write_text(text + "[ring]\nslot_mb = 0.1\n")
    code, lines, _ = checked(station, capsys)
    assert code == 0
    assert f"ok    camera top: {station.parent / 'a.avi'}, 256 x 256 Mono8" in lines
    station.write_text(station.read_text().replace('"a.avi"', '"a.avi"\npixel_format = "RGB8"'))
    code, _, errors = checked(station, capsys)
    assert code == 2
    assert "takes 196608 bytes" in errors


@pytest.mark.parametrize(
    ("key", "locate"), [("fixed", ""), ("nests", "{ nests = [[0, 0, 128, 128], [0, 0, 256, 256]] }")]
)
def test_a_region_that_reaches_out_of_the_pictures_shows_before_running(
    key: str, locate: str, station: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(station.parent / "recipes" / "first")
    shutil.rmtree(station.parent / "recipes" / "first-frames")
    make_recipe(station.parent / "recipes" / "first", ["top"], number=1, locate=locate)
    assert checked(station, capsys)[0] == 0
    cv2.imwrite(str(station.parent / "pictures" / "1.png"), frame_with_part()[:, :255])
    code, lines, errors = checked(station, capsys)
    assert code == 2
    assert [line.split(":")[0] for line in lines if line.startswith("WRONG")] == [
        "WRONG recipe first",
        "WRONG recipe second",
    ]
    (line,) = [line for line in lines if line.startswith("WRONG recipe first")]
    assert (
        f"recipe.toml: view.top.locate.{key}: the region [0, 0, 256, 256] reaches out of the camera's picture" in line
    )
    assert line.endswith("allowed: x, y, width, height within 255 x 256")
    assert "2 things are wrong" in errors


def test_a_camera_that_pictures_are_sent_to_needs_its_token(
    station: Path, free_port: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    sent_to = f'type = "http"\ntoken = "http.token"\nbind = "127.0.0.1:{port}"\nwidth = 256\nheight = 256'
    station.write_text(station.read_text().replace('type = "folder"\npath = "pictures"', sent_to))
    code, _, errors = checked(station, capsys)
    assert code == 2
    assert "http.token: cannot be read" in errors
    token = station.parent / "http.token"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    token.chmod(0o600)
    code, lines, errors = checked(station, capsys)
    assert (code, errors) == (0, "")
    assert f"ok    camera top: POST http://127.0.0.1:{port}/inspect, 256 x 256 Mono8" in lines
