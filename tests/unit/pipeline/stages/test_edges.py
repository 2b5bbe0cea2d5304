"""Edges: where they are found, how far off they say they may be, and when they are not found."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import RecipeError
from pipeline.geometry import Region
from pipeline.lens_model import BrownLens
from pipeline.pixels import mono8_frame
from pipeline.plane_map import PlaneMap
from pipeline.planes import planes_of
from pipeline.recipe_file import RecipeFile, read_recipe_file
from pipeline.result import Evaluation, Keypoint, KeypointState
from pipeline.stages.edges import Edges
from pipeline.stages.measure import Measure
from pipeline.stages.values import FoundEdge, Measured, ViewFindings
from simulator.plane_view import FlatPicture, exposed, see
from tests.sharp_pictures import discs

SIZE = (260, 160)
A, B, RADIUS, LINE = (60.3, 60.8), (190.6, 61.1), 24.0, 120.4
RECIPE = """
format = 1
name = "part"
number = 1
[view.top]
locate = { fixed = [0, 0, 260, 160] }
keypoints = ["a", "b"]
must_be_present = []
scale_mm_per_px = 0.1
scale_sigma_mm_per_px = 0.0
[datum.D]
origin = "a"
x_axis = "b"
[edge_circle]
left = { centre = "a", radius = 2.5, search = 0.6, dark = "inside" }
right = { centre = [13.0, 0.0], datum = "D", radius = 2.4, search = 0.6 }
[edge_line]
floor = { ends = [[-2.0, 6.0], [15.0, 6.0]], datum = "D", search = 0.8 }
[measure]
span = { distance = ["left", "right"] }
bore = { circle = "left" }
height = { distance = ["left", "floor"] }
"""


def recipe(folder: Path, old: str = "", new: str = "") -> RecipeFile:
    assert old in RECIPE
    (folder / "recipe.toml").write_text(RECIPE.replace(old, new))
    return read_recipe_file(folder / "recipe.toml")


def keypoints(
    a: tuple[float, float] = A, b: tuple[float, float] = B, state: KeypointState = KeypointState.visible
) -> tuple[Keypoint, ...]:
    return (Keypoint("a", "top", *a, 0.9, state), Keypoint("b", "top", *b, 0.9, KeypointState.visible))


def look(
    file: RecipeFile, image: NDArray[np.uint8], known: tuple[Keypoint, ...] | None = None
) -> tuple[dict[str, FoundEdge], dict[str, Measured]]:
    known = keypoints() if known is None else known
    edges = Edges(file)("top", mono8_frame(image), known)
    findings = ViewFindings("top", Region(0, 0, *SIZE), (), known, {}, edges=edges)
    measured = Measure(file)({"top": findings})
    return {edge.name: edge for edge in edges}, {one.measurement.name: one for one in measured}


def picture(**how: float) -> NDArray[np.uint8]:
    return discs(SIZE, [(*A, RADIUS), (*B, RADIUS)], below=LINE, blur_px=how.get("blur_px", 0.7))


@pytest.mark.parametrize("blur_px", [0.0, 0.7, 1.2])
def test_edges_are_found_to_a_fiftieth_of_a_pixel(tmp_path: Path, blur_px: float) -> None:
    _, found = look(recipe(tmp_path), picture(blur_px=blur_px), keypoints(a=(61.8, 59.5), b=(189.0, 62.0)))
    values = {name: 10.0 * (one.measurement.value or math.nan) for name, one in found.items()}
    assert values["span"] == pytest.approx(math.dist(A, B), abs=0.02)
    assert values["height"] == pytest.approx(LINE - A[1], abs=0.02)
    # what a lens blurs makes a rim shrink: by half the variance over the radius
    assert values["bore"] == pytest.approx(2.0 * (RADIUS - (blur_px**2 + 0.1) / (2.0 * RADIUS)), abs=0.02)


def test_the_stated_sigma_is_what_repeats_scatter_by(tmp_path: Path) -> None:
    file, rng = recipe(tmp_path), np.random.default_rng(5)
    values, sigmas = [], []
    for _ in range(40):
        a, b = A + rng.uniform(-0.5, 0.5, 2), B + rng.uniform(-0.5, 0.5, 2)
        b = a + (b - a) / math.dist(a, b) * 130.0
        image = discs(SIZE, [(*a, RADIUS), (*b, RADIUS)], below=LINE, noise=4.0, rng=rng)
        rough = keypoints(tuple(a + rng.normal(0, 1.0, 2)), tuple(b + rng.normal(0, 1.0, 2)))
        found = look(file, image, rough)[1]["span"].measurement
        values.append(10.0 * (found.value or math.nan))
        sigmas.append(10.0 * (found.sigma or math.nan))
    assert np.mean(values) == pytest.approx(130.0, abs=0.01)
    scatter = float(np.std(values, ddof=1))
    assert scatter < 0.03
    assert math.sqrt(np.mean(np.square(sigmas))) == pytest.approx(scatter, rel=0.3)  # 40 repeats tell it to 11%


def test_what_covers_a_third_of_a_rim_does_not_move_it(tmp_path: Path) -> None:
    image = picture()
    image[int(A[1]) + 8 : int(A[1]) + 40, 20:100] = 90
    _, found = look(recipe(tmp_path), image)
    assert 10.0 * (found["span"].measurement.value or math.nan) == pytest.approx(math.dist(A, B), abs=0.05)


def test_an_edge_that_is_not_there_is_not_measured(tmp_path: Path) -> None:
    image = discs(SIZE, [(*B, RADIUS)], below=LINE)
    edges, found = look(recipe(tmp_path), image)
    assert edges["left"] == FoundEdge("left")
    assert (found["span"].measurement.value, found["span"].measurement.evaluation) == (None, Evaluation.NOT_DECIDABLE)
    assert (found["span"].lacking, found["span"].lost_edges) == ((), ("left",))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('dark = "inside"', 'dark = "outside"'),
        ('dark = "inside"', "contrast = 150.0"),
        ("radius = 2.5, search = 0.6", "radius = 3.5, search = 0.6"),
        ("radius = 2.5, search = 0.6", "radius = 60.0, search = 0.6"),
        ("radius = 2.5, search = 0.6", "radius = 9e9, search = 8e9"),
    ],
)
def test_another_edge_than_is_meant_is_none(tmp_path: Path, old: str, new: str) -> None:
    edges, _ = look(recipe(tmp_path, old, new), picture())
    assert edges["left"].shape == ()


def test_a_keypoint_that_places_an_edge_and_is_not_visible_is_what_lacks(tmp_path: Path) -> None:
    edges, found = look(recipe(tmp_path), picture(), keypoints(state=KeypointState.hidden))
    assert edges["left"].lacking == ("a",)
    assert [one.name for one in found["bore"].lacking] == ["a"]
    assert found["bore"].lost_edges == ()


@pytest.mark.parametrize("at", [(-40.0, 60.0), (1e7, 0.0), (2.0, 2.0)])
def test_a_place_off_the_picture_is_no_fault(tmp_path: Path, at: tuple[float, float]) -> None:
    edges, _ = look(recipe(tmp_path), picture(), keypoints(a=at))
    assert edges["left"].shape == ()


def test_the_same_picture_gives_the_same_numbers(tmp_path: Path) -> None:
    image = discs(SIZE, [(*A, RADIUS), (*B, RADIUS)], below=LINE, noise=6.0, rng=np.random.default_rng(1))
    file = recipe(tmp_path)
    assert look(file, image)[0] == look(file, image)[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('centre = "a"', 'centre = "right"', "edge_circle.left: is placed by keypoints, and right is an edge"),
        ('centre = "a"', 'centre = "c"', "edge_circle.left: no view has the keypoint 'c'"),
        ('centre = "a"', "centre = [1.0, 2.0]", "edge_circle.left: places [x, y] need the datum"),
        ("radius = 2.4, search = 0.6", "radius = 2.4, search = 3.0", "search 3.0 reaches over the centre"),
        ("floor = {", "left = {", "edge_circle.left: is the name of an edge_circle and of an edge_line"),
        ("floor = {", "a = {", "edge_line.a: is the name of a keypoint, too"),
        ('circle = "left"', 'circle = "floor"', "measure.bore: 'floor' is no edge_circle"),
        ('["left", "right"]', '["left", ["floor", "a"]]', "measure.span: floor is a line, where a point is needed"),
        ('circle = "left"', 'angle = ["left", "floor"]', "measure.bore: angle is between two points or two lines"),
        ('circle = "left"', 'perpendicularity = ["floor", "a"]', "perpendicularity is between two lines: a is a point"),
        ('circle = "left"', 'circle = ["a", "b"]', "measure.bore: circle needs at least 3 points"),
        ('circle = "left"', 'pitch = ["a", "b"]', "measure.bore: pitch needs nominal"),
        ('circle = "left"', 'presence = "left", nominal = 2.0', "of presence nominal is 1 or 0"),
        ('circle = "left"', 'circle = "left", width = 2.0', "width belongs to perpendicularity"),
        ("scale_mm_per_px = 0.1", "", "scale_sigma_mm_per_px needs scale_mm_per_px"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe(tmp_path, old, new)
    assert message in str(caught.value)


TILTED = PlaneMap(
    BrownLens(np.array([1500.0, 1500.0, 250.0, 200.0, -0.3, 0.1, 0.001, -0.001, 0.0])),
    np.array([0.45, -0.35, 0.1, -12.0, -9.0, 85.0]),
    np.eye(17) * 1e-12,
)


def test_rims_are_circles_in_mm_however_the_lens_draws_them(tmp_path: Path) -> None:
    """Two holes on a plane that leans by 30 degrees before a lens with distortion."""
    texel, holes, radius = 0.02, ((6.0, 8.0), (18.0, 9.0)), 2.5
    rows, columns = (np.indices((900, 1200)) + 0.5) * texel
    depth = np.max([radius - np.hypot(columns - x, rows - y) for x, y in holes], axis=0)
    levels = 180.0 - 130.0 * np.clip(depth / texel + 0.5, 0.0, 1.0)
    seen = see(TILTED, FlatPicture(np.rint(levels).astype(np.uint8), texel), (500, 400), around=180.0, blur_px=0.5)
    file = recipe(tmp_path, "scale_mm_per_px = 0.1\nscale_sigma_mm_per_px = 0.0", 'unit = "mm"')
    drawn = TILTED.to_px(np.array(holes)) + np.array([[0.8, -0.9], [-0.5, 1.0]])
    known = keypoints(*((float(x), float(y)) for x, y in drawn))
    file = msgspec.structs.replace(
        file,
        edge_circle={
            name: msgspec.structs.replace(file.edge_circle["left"], centre=at)
            for name, at in zip(("left", "right"), "ab", strict=True)
        },
        edge_line={},
        measure={name: file.measure[name] for name in ("span", "bore")},
    )
    planes = planes_of(file, {"top": TILTED})
    edges = Edges(file, planes)("top", mono8_frame(exposed(seen, 1.0, np.random.default_rng(1))), known)
    findings = ViewFindings("top", Region(0, 0, 500, 400), (), known, {}, edges=edges)
    span, bore = (one.measurement for one in Measure(file, planes)({"top": findings}))
    px = 85.0 / 1500.0  # about so many mm is a pixel
    assert span.value == pytest.approx(math.dist(*holes), abs=0.02 * px)
    assert bore.value == pytest.approx(2.0 * radius, abs=0.05 * px)
    assert 0.0 < (span.sigma or 0.0) < 0.02 * px
    middle = np.mean(edges[0].outline_px[:-1], axis=0)
    assert np.hypot(*(middle - TILTED.to_px([holes[0]])[0])) > 0.02  # an ellipse's middle is not the hole's
