"""datumd calibrate board, lens and plane, end to end before a camera whose lens is known."""

import re
import struct
import zlib
from argparse import ArgumentParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration import calibrate_command, rehearsal
from calibration.board import Board
from calibration.board_view import find_board
from pipeline.calibration_file import read_calibration
from pipeline.errors import DatumdError
from pipeline.plane_map import PlaneMap

WH = (480, 360)
BOARD = str(rehearsal.BOARD)
STATION = """
format = 1
station = "s"
recipes = "."
[camera.a]
type = "synthetic"
view = "top"
width = 480
height = 360
rate_hz = 0
frames = "calibration.rehearsal:plane"
"""


def run(*arguments: object) -> int:
    parser = ArgumentParser()
    calibrate_command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["calibrate", *map(str, arguments)])
    return int(args.run(args))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight views, and a station before whose camera the board lies in its plane."""
    folder = tmp_path_factory.mktemp("calibrated")
    rng = np.random.default_rng(6)
    (folder / "views").mkdir()
    for number in range(8):
        pose = rehearsal.view_pose(*WH, rng)
        cv2.imwrite(str(folder / "views" / f"{number}.png"), rehearsal.seen_board(rehearsal.lens(*WH), pose, WH, rng))
    cv2.imwrite(str(folder / "views" / "9-empty.png"), np.full(WH[::-1], 90, np.uint8))
    (folder / "station.toml").write_text(STATION)
    (folder / "views.toml").write_text(STATION.replace(":plane", ":views"))
    return folder


def test_from_boards_to_millimetres(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "top.toml"
    assert run("lens", "--images", folder / "views", "--serial", "seed 0", "--board", BOARD, "-o", file) == 0
    told = capsys.readouterr().out
    assert "9-empty.png: no board found" in told
    assert "missing: 4 more" in told or "missing: the board" in told
    assert (
        run("plane", "--calibration", file, "--camera", folder / "station.toml", "--board", BOARD, "--length-sigma", 0)
        == 0
    )
    assert "next: in the station file" in capsys.readouterr().out
    found = read_calibration(file)
    assert (found.camera, found.image_wh) == ("seed 0", WH)
    plane, true = found.plane_map(), PlaneMap(rehearsal.lens(*WH), rehearsal.plane_pose(*WH))
    px = np.array([[60.0, 50.0], [420.0, 60.0], [240.0, 180.0], [70.0, 300.0]])
    off_mm = plane.to_mm(px) - true.to_mm(px)
    scale = np.sqrt(np.linalg.det(true.jacobian(px)))
    assert np.abs(off_mm / scale[:, None]).max() < 0.1
    assert np.abs(off_mm.ravel() / np.sqrt(np.diag(plane.covariance_mm2(px)))).max() < 4.0
    for page in ("top.lens.html", "top.plane.html"):
        text = (folder / page).read_text()
        assert "<svg" in text
        assert "seed 0" in text


def test_the_assistant_keeps_what_is_new_and_still_and_says_what_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = folder / "kept"
    asked = (
        "lens",
        "--camera",
        folder / "views.toml",
        "--board",
        BOARD,
        "--pictures",
        kept,
        "-o",
        folder / "live.toml",
    )
    assert run(*asked, "--views", 5) == 0
    told = capsys.readouterr().out
    assert [path.name for path in sorted(kept.iterdir())] == [f"view-{n:03}.png" for n in range(1, 6)]
    assert "hold it still" in told
    assert "known already; next: " in told
    assert re.search(r"view 1: \d+ points to 0\.0\d+ px; \d+% of the picture seen; next: the board", told)
    with pytest.raises(DatumdError, match="holds something already"):
        run(*asked, "--force")


def test_what_cannot_be_calibrated_ends_with_one_line(folder: Path, tmp_path: Path) -> None:
    views, out = folder / "views", tmp_path / "x.toml"
    lens = ("lens", "--images", views, "--board", BOARD, "-o", out)
    with pytest.raises(DatumdError, match="--serial"):
        run(*lens)
    with pytest.raises(DatumdError, match="0 views of the board"):
        run("lens", "--images", views, "--serial", 1, "--board", "dots:30x30:8mm", "-o", out)
    with pytest.raises(DatumdError, match="no such folder"):
        run("lens", "--images", tmp_path / "none", "--serial", 1, "--board", BOARD, "-o", out)
    with pytest.raises(DatumdError, match="--view is 'side'"):
        run("lens", "--camera", folder / "views.toml", "--view", "side", "--board", BOARD, "-o", out)
    plane = ("plane", "--image", views / "0.png", "--board", BOARD)
    with pytest.raises(DatumdError, match="no such calibration"):
        run(*plane, "--calibration", out, "--length-sigma", 0.001)
    with pytest.raises(DatumdError, match="--length-sigma"):
        run(*plane, "--calibration", out, "--length-sigma", "nan")


def test_a_board_is_printed_at_its_true_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("board", "charuco:7x5:20mm", "-o", tmp_path / "b.pdf") == 0
    assert "140 x 100 mm" in capsys.readouterr().out
    content = (tmp_path / "b.pdf").read_bytes()
    stream = zlib.decompress(content[content.index(b"stream\n") + 7 : content.index(b"\nendstream")]).decode()
    boxes = np.array([line.split()[:4] for line in stream.splitlines() if line.endswith("re f")], float)[:-3]
    across, down = boxes[:, 0].min(), boxes[:, 1].min()
    assert (boxes[:, 0] + boxes[:, 2]).max() - across == pytest.approx(140.0, abs=1e-4)
    assert (boxes[:, 1] + boxes[:, 3]).max() - down == pytest.approx(100.0, abs=1e-4)
    drawn = np.full((1000, 1400), 255, np.uint8)  # ten texels a mm
    for x, y, w, h in (boxes - (across, down, 0, 0)) * 10:
        drawn[round(y) : round(y + h), round(x) : round(x + w)] = 0
    view = find_board(Board.parse("charuco:7x5:20mm"), "printed", np.pad(drawn, 100, constant_values=255))
    assert view is not None
    assert view.xy_sensor_px == pytest.approx(view.points_mm * 10 + 99.5, abs=0.6)
    assert stream.startswith("2.834645669 0 0 -2.834645669 0 595.2755")  # mm, from the top; a4 across is 210 mm high
    assert run("board", "dots:6x5:5mm", "-o", tmp_path / "b.png") == 0
    png = (tmp_path / "b.png").read_bytes()
    (per_metre,) = struct.unpack(">I", png[png.index(b"pHYs") + 4 :][:4])
    image = cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    assert image.shape[1] / per_metre == pytest.approx(0.04, rel=1e-4)  # six dots and white around, 5 mm each
    with pytest.raises(DatumdError, match=r"--paper a4.*a3"):
        run("board", "charuco:20x10:20mm", "-o", tmp_path / "c.pdf")
    with pytest.raises(DatumdError, match="is there already"):
        run("board", "-o", tmp_path / "b.png")
