import json
from pathlib import Path

import pytest

from pipeline.errors import DataError
from training.review.marked import read_marked

WH = (320, 240)


def write(path: Path, **values: object) -> Path:
    file = {"points": [{"name": "a", "x": 10.5, "y": 20.0}, {"name": "b", "x": -0.5, "y": 239.5}], **values}
    path.write_text(json.dumps(file))
    return path


def test_points_are_read_as_they_stand(tmp_path: Path) -> None:
    file = write(tmp_path / "points.json", image="x.png", width=320, height=240, part="plate", box=[1, 2, 30, 40])
    marked = read_marked(file, tmp_path / "x.png", WH)
    assert (marked.names, marked.part, marked.box) == (("a", "b"), "plate", (1.0, 2.0, 30.0, 40.0))
    assert marked.xy_px.tolist() == [[10.5, 20.0], [-0.5, 239.5]]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"points": []}, "points"),
        ({"points": [{"name": "a", "x": 1, "y": 1}, {"name": "a", "x": 2, "y": 2}]}, "each name once"),
        ({"points": [{"name": "a", "x": 320, "y": 1}]}, "320 x 240"),
        ({"points": [{"name": "a", "x": None, "y": 1}]}, "points"),
        ({"points": [{"name": "", "x": 1, "y": 1}]}, "name"),
        ({"width": 640, "height": 480}, "640 x 480"),
        ({"box": [0, 0, 400, 10]}, "box"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_next_command(
    tmp_path: Path, values: dict[str, object], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        read_marked(write(tmp_path / "points.json", **values), tmp_path / "x.png", WH)


@pytest.mark.parametrize("text", ["", "[]", "{", "NaN", '{"points": 3}', "\ud800".encode("utf-8", "surrogatepass")])
def test_no_json_of_points_is_refused(tmp_path: Path, text: str | bytes) -> None:
    file = tmp_path / "points.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match="datumd mark"):
        read_marked(file, tmp_path / "x.png", WH)


def test_coco_gives_the_visible_points_of_the_photograph(square_set: Path) -> None:
    marked = read_marked(square_set, square_set.parent / "images" / "002.png", (192, 160))
    assert marked.names == ("upper_left", "upper_right")  # the third is missing on this one
    assert marked.box is not None
    assert marked.xy_px[1, 0] - marked.xy_px[0, 0] == marked.box[2]
    with pytest.raises(DataError, match="0 parts"):
        read_marked(square_set, square_set.parent / "images" / "other.png", (192, 160))
