"""Recipe files: what may be written, and the line that says what may not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import RecipeError
from pipeline.lock import LARGEST_FILE_BYTES, MOST_FILES
from pipeline.recipe import (
    NO_GUARD_BAND,
    NOTHING_JUDGED,
    Recipe,
    choose,
    find_recipes,
    load_recipe,
    recipe_folders,
    warnings_of,
)
from pipeline.recipe_file import read_recipe_file
from pipeline.thresholds import Threshold, Thresholds, read_thresholds, write_thresholds
from tests.recipes import make_recipe

GOOD = """
format = 1
name = "connector-6pin"
number = 7
[view.top]
locate = { fixed = [320, 210, 640, 512] }
keypoints = ["left", "right", "pin"]
must_be_present = ["pin"]
image = { grey = [60, 180], saturated_percent = 1.0, sharpness = 0.6 }
scale_mm_per_px = 0.05
[view.side]
locate = { blob = { dark_on_light = true, area_px = [40000, 90000] }, count = 1 }
keypoints = ["tip", "base_left", "base_right", "pin"]
[datum]
A = { origin = "left", x_axis = "right" }
[measure]
width    = { distance = ["left", "right"], nominal = 24.00, tolerance = 0.10 }
position = { position = "pin", view = "top", datum = "A", nominal = [5.65, 3.20], diameter = 0.15 }
tilt     = { angle = ["left", "right"], nominal = 0.0, tolerance = [-0.5, 1] }
height   = { distance = ["tip", ["base_left", "base_right"]] }
"""


def read(folder: Path, text: str) -> None:
    path = folder / "recipe.toml"
    path.write_text(text)
    read_recipe_file(path)


def test_a_good_recipe_is_read(tmp_path: Path) -> None:
    read(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("locate = { fixed", "locat = { fixed", "view.top.locat: unknown key; allowed: locate, keypoints, "),
        (
            "[datum]",
            "[zones]\n[datum]",
            "zones: unknown key; allowed: format, name, number, view, datum, measure, zone",
        ),
        ("number = 7", 'number = "7"', "number: found '7'; allowed: a whole number at least 0, at most 65535"),
        ("number = 7", "", "number: is missing; allowed: a whole number"),
        ("format = 1", "format = 2", "format: found 2; allowed: 1"),
        (
            "[320, 210, 640, 512]",
            "[320, 210, 640]",
            "view.top.locate.fixed: found [320, 210, 640]; allowed: [a number,",
        ),
        ("[320, 210, 640, 512]", "[320, 210, 0, 512]", "view.top.locate.fixed[2]: found 0; allowed: a number above 0"),
        ("[60, 180]", "[60, 300]", "view.top.image.grey[1]: found 300; allowed: a number at least 0.0, at most 255.0"),
        (
            "{ fixed = [320, 210, 640, 512] }",
            "{}",
            "view.top.locate: needs exactly one of fixed, nests, blob; found none",
        ),
        ("512] }", "512], count = 2 }", "view.top.locate: count belongs to blob"),
        (
            "[40000, 90000]",
            "[90000, 40000]",
            "view.side.locate.blob: area_px [90000.0, 40000.0] is [largest, smallest]",
        ),
        (
            "dark_on_light = true",
            'mode = "edges", threshold = 9',
            'threshold and dark_on_light belong to mode = "grey"',
        ),
        ('"right", "pin"]', '"left", "pin"]', "view.top: keypoint 'left' is named twice"),
        ('present = ["pin"]', 'present = ["pim"]', "view.top: must_be_present names 'pim', which is none of keypoints"),
        (
            '"left", "right"], nominal = 24',
            '"left", "rigth"], nominal = 24',
            "no view has the keypoint 'rigth'; top has",
        ),
        ('view = "top", datum', 'view = "up", datum', "measure.position: view 'up' is not defined; defined: top, side"),
        ('datum = "A"', 'datum = "B"', "measure.position: datum 'B' is not defined; defined: A"),
        ('["tip", ["base_left"', '["left", ["base_left"', "no single view shows left, base_left, base_right"),
        (
            '{ distance = ["left", "right"], nominal = 24.00, tolerance = 0.10 }',
            '{ position = "pin", datum = "P", nominal = [0, 0] }\n[datum.P]\norigin = "pin"\nx_axis = "pin"\n[measure.w]',
            "datum.P: origin and x_axis are both 'pin'",
        ),
        ('"base_right", "pin"]', '"base_right", "left", "right"]', "top, side all show left, right; write view = NAME"),
        (
            '["left", "right"], nominal = 24',
            '["pin", "pin"], nominal = 24',
            "measure.width: names a keypoint twice: pin",
        ),
        (
            '["tip", ["base_left"',
            '["base_left", ["base_left"',
            "names a keypoint twice: base_left, base_left, base_right",
        ),
        ("[60, 180]", "[180, 60]", "view.top.image: grey [180.0, 60.0] is [brightest, darkest]"),
        (
            "height   = {",
            'height = { angle = ["tip", "pin"],',
            "measure.height: needs exactly one of distance, position, angle",
        ),
        (", diameter = 0.15", ", tolerance = 0.15", "measure.position: position needs datum, nominal = [x, y]"),
        ("nominal = 24.00, tol", "tol", "measure.width: tolerance needs nominal"),
        ("[-0.5, 1]", "[1, -0.5]", "measure.tilt: tolerance [1.0, -0.5] is [above, below]; write [below, above]"),
        (
            "tolerance = 0.10",
            "tolerance = -0.10",
            "measure.width: tolerance -0.1 is below 0",
        ),
        (
            "[datum]",
            '[masters]\nparts = { M = "NOT_OK withd.high" }\n[datum]',
            "masters.parts: expects withd.high, and withd is no measurement, zone, edge or keypoint",
        ),
        ("tolerance = 0.10", "guard = 0.10", "measure.width.guard: unknown key; allowed: distance, position, angle,"),
    ],
)
def test_a_fault_is_one_line_with_key_value_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert GOOD.count(old) == 1 or old == "format = 1"
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'recipe.toml'}: ")
    assert message in text
    assert "\n" not in text


def test_a_sealed_recipe_loads_and_its_id_changes_with_any_file(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    first = load_recipe(folder)
    assert (first.name, first.number) == ("part", 1)
    assert len(first.configuration_id) == 16
    other = load_recipe(make_recipe(tmp_path / "other", ["top"], logits=(8, 8, 8, -8)))
    assert other.configuration_id != first.configuration_id


@pytest.mark.parametrize(
    ("rest", "warnings"),
    [
        ("", (NOTHING_JUDGED,)),
        ('must_be_present = ["a"]', ()),
        ('[measure]\nwidth = { distance = ["a", "b"] }', (NO_GUARD_BAND,)),
    ],
)
def test_what_a_recipe_leaves_open_is_told(tmp_path: Path, rest: str, warnings: tuple[str, ...]) -> None:
    folder = make_recipe(tmp_path / "part", ["top"], rest=rest, sealed=False)
    assert load_recipe(folder, sealed=False).warnings == warnings


def test_production_refuses_what_is_not_sealed(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"], sealed=False)
    load_recipe(folder, sealed=False)
    with pytest.raises(RecipeError, match=f"part: the recipe is not sealed; next: datumd seal {folder}$"):
        load_recipe(folder)


@pytest.mark.parametrize("name", ["recipe.toml", "top/coarse.onnx", "top/refine.onnx", "top/reference/0001.png"])
def test_production_refuses_a_changed_or_missing_file(tmp_path: Path, name: str) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    path = folder / name
    content = path.read_bytes()
    path.write_bytes(content + b"\n")
    with pytest.raises(
        RecipeError, match=f"{name}: was changed since the recipe was sealed; next: datumd seal {folder}$"
    ):
        load_recipe(folder)
    path.unlink()
    with pytest.raises(RecipeError, match=f"{name}: is missing since the recipe was sealed"):
        load_recipe(folder)
    path.write_bytes(content)
    load_recipe(folder)


def test_production_refuses_files_that_were_added_and_links(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    (folder / "top" / "visibility.toml").write_text("temperature = 2.0\n")
    with pytest.raises(RecipeError, match=r"top/visibility.toml: was added since the recipe was sealed"):
        load_recipe(folder)
    (folder / "top" / "visibility.toml").unlink()
    outside = tmp_path / "coarse.onnx"
    (folder / "top" / "coarse.onnx").rename(outside)
    (folder / "top" / "coarse.onnx").symlink_to(outside)
    with pytest.raises(RecipeError, match=r"top/coarse.onnx: is a symbolic link"):
        load_recipe(folder)


@pytest.mark.parametrize("name", ["../escape", "/etc/hostname"])
def test_a_lock_that_names_files_outside_is_refused(tmp_path: Path, name: str) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    lock = folder / "recipe.lock"
    lock.write_text(lock.read_text().replace('"recipe.toml"', f'"{name}"'))
    with pytest.raises(RecipeError, match=r"recipe.lock: names .* which lies outside of the folder"):
        load_recipe(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"temperature": 1.0', '"temperature": 2.0', "locks other thresholds for view top than visibility.toml has"),
        ('"image": "top/', '"image": "../', r"names the reference '../reference/0001.png', which is none of its files"),
    ],
)
def test_a_lock_that_was_edited_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    lock = folder / "recipe.lock"
    assert lock.read_text().count(old) == 1
    lock.write_text(lock.read_text().replace(old, new))
    with pytest.raises(RecipeError, match=f"recipe.lock: {message}; next: datumd seal {folder}"):
        load_recipe(folder)


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    os.mkfifo(folder / "top" / "pipe")  # reading it would wait for ever
    with pytest.raises(RecipeError, match=r"top/pipe: is no plain file; allowed: plain files in the recipe's folder"):
        load_recipe(folder)


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    (folder / "top").rename(tmp_path / "elsewhere")
    (folder / "top").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecipeError, match=r"part/top: is a symbolic link"):
        load_recipe(folder)


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("recipe.toml"), os.mkfifo])
def test_a_lock_is_a_plain_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    (folder / "recipe.lock").unlink()
    make(folder / "recipe.lock")
    with pytest.raises(RecipeError, match=r"recipe.lock: is (a symbolic link|no plain file)"):
        load_recipe(folder)


def test_a_recipe_is_of_limited_size(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    with (folder / "huge").open("wb") as file:
        file.truncate(LARGEST_FILE_BYTES + 1)
    with pytest.raises(RecipeError, match=r"huge: is too large"):
        load_recipe(folder)
    (folder / "huge").unlink()
    many = folder / "many"
    many.mkdir()
    for number in range(MOST_FILES):
        (many / str(number)).touch()
    with pytest.raises(RecipeError, match=r"part: holds too many files; allowed: 10000 at most"):
        load_recipe(folder)


@pytest.mark.parametrize("view", ["..", "a/b", "/tmp", ".hidden"])  # noqa: S108 - nothing is written there
def test_a_view_names_no_folder_elsewhere(tmp_path: Path, view: str) -> None:
    folder = make_recipe(tmp_path / "part", ["top"], sealed=False)
    file = folder / "recipe.toml"
    file.write_text(file.read_text().replace("[view.top", f'[view."{view}"'))
    with pytest.raises(RecipeError, match=r"recipe.toml: view"):
        load_recipe(folder, sealed=False)


def test_a_network_that_is_no_plain_file(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"], sealed=False)
    refine = folder / "top" / "refine.onnx"
    refine.unlink(missing_ok=True)
    os.mkfifo(refine)
    with pytest.raises(RecipeError, match=r"refine.onnx: is no plain file"):
        load_recipe(folder, sealed=False)


def test_a_damaged_lock_is_refused(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "part", ["top"])
    lock = folder / "recipe.lock"
    for damage in (b"", b"\xff\xfe", b"[]", lock.read_bytes()[:-20]):
        lock.write_bytes(damage)
        with pytest.raises(RecipeError, match=r"recipe.lock: is damaged: .*; next: datumd seal "):
            load_recipe(folder)


def chosen(folder: Path, number: int | None) -> Recipe:
    return choose(find_recipes(folder), folder, number)


def test_recipes_are_chosen_by_number(tmp_path: Path) -> None:
    make_recipe(tmp_path / "first", ["top"], number=1)
    assert chosen(tmp_path, None).name == "first"
    make_recipe(tmp_path / "second", ["top"], number=2)
    assert [(one.number, one.name) for one in find_recipes(tmp_path)] == [(1, "first"), (2, "second")]
    assert chosen(tmp_path, 2).name == "second"
    with pytest.raises(RecipeError, match=r"has no recipe of number 3; allowed: 1 \(first\), 2 \(second\)"):
        chosen(tmp_path, 3)
    with pytest.raises(RecipeError, match="several recipes and none is chosen"):
        chosen(tmp_path, None)


def test_of_two_good_recipes_with_one_number_neither_can_be_chosen(tmp_path: Path) -> None:
    make_recipe(tmp_path / "first", ["top"], number=1)
    make_recipe(tmp_path / "second", ["top"], number=2)
    make_recipe(tmp_path / "third", ["top"], number=2)
    assert chosen(tmp_path, 1).name == "first"
    with pytest.raises(RecipeError, match=r"second/recipe.toml: number: number 2 belongs to recipe third, too"):
        chosen(tmp_path, 2)


def test_a_bad_recipe_keeps_its_fault_and_hinders_no_other(tmp_path: Path) -> None:
    make_recipe(tmp_path / "first", ["top"], number=1)
    make_recipe(tmp_path / "draft", ["top"], number=1, sealed=False)  # a copy that is being worked on
    make_recipe(tmp_path / "second", ["top"], number=2, sealed=False)
    (make_recipe(tmp_path / "third", ["top"], number=3) / "recipe.toml").write_text("number = ")
    faults = {one.folder.name: (one.number, one.name, str(one.recipe)) for one in find_recipes(tmp_path)}
    assert chosen(tmp_path, 1).name == "first"
    assert faults["draft"][:2] == (1, "draft")
    assert "not sealed" in faults["draft"][2]
    assert faults["third"][:2] == (-1, "third")
    with pytest.raises(RecipeError, match="second: the recipe is not sealed; next: datumd seal"):
        chosen(tmp_path, 2)
    with pytest.raises(RecipeError, match=r"third/recipe.toml: was changed since"):
        chosen(tmp_path, 3)  # whose number nobody knows


def test_folders_without_recipes_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="there is no such folder of recipes"):
        find_recipes(tmp_path / "missing")
    with pytest.raises(RecipeError, match="there is no recipe in it"):
        find_recipes(tmp_path)
    with pytest.raises(RecipeError, match="there is no such recipe folder"):
        load_recipe(tmp_path / "missing")


def test_hidden_folders_are_no_recipes(tmp_path: Path) -> None:
    make_recipe(tmp_path / "part", ["top"])
    (tmp_path / "part").rename(tmp_path / ".old")
    with pytest.raises(RecipeError, match="there is no recipe in it"):
        find_recipes(tmp_path)
    make_recipe(tmp_path / "new", ["top"])
    assert [path.name for path in recipe_folders(tmp_path)] == ["new"]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('name = "connector-6pin"', 'name = "connector\\n"', "recipe.toml: name: found 'connector\\n'"),
        ('"tip", "base_left", "base_right", "pin"', '"tip", "base_left", "base_right", "pin\\n"', "keypoints[3]"),
        ("A = { origin", '"A\\n" = { origin', "datum"),
    ],
)
def test_a_name_has_no_newline_behind_it(tmp_path: Path, old: str, new: str, where: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, GOOD.replace(old, new))
    assert where in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_most_keypoints_with_the_longest_names_fit(tmp_path: Path) -> None:
    names = [f"{number:04}" + "x" * 60 for number in range(1024)]
    path = tmp_path / "recipe.toml"
    path.write_text(
        f"format = 1\nname = 'a'\nnumber = 1\n[view.top]\nlocate = {{ fixed = [0, 0, 9, 9] }}\n"
        f"keypoints = {names}\nmust_be_present = {names}\n"
    )
    assert read_recipe_file(path).view["top"].keypoints == names
    limits = Thresholds(keypoint={name: Threshold(visible_above=0.1234, hidden_below=0.0123) for name in names})
    write_thresholds(tmp_path / "visibility.toml", limits)
    assert read_thresholds(tmp_path / "visibility.toml", names) == limits


def test_a_calibrated_camera_takes_the_warning_back(tmp_path: Path) -> None:
    edge = '[edge_circle]\nrim = { centre = "a", radius = 5.0, search = 1.0 }\n[measure]\n'
    rest = f'{edge}width = {{ distance = ["a", "b"] }}\nbore = {{ circle = "rim" }}'
    recipe = load_recipe(make_recipe(tmp_path / "part", ["top"], rest=rest, sealed=False), sealed=False)
    assert recipe.warnings == (NO_GUARD_BAND,)
    (warning,) = warnings_of(recipe.file, recipe.views, ["top"])
    assert warning == f"width: {NO_GUARD_BAND}"  # its keypoints have no calibrated sigma, and edges need none
