from pathlib import Path

import pytest

from pipeline.errors import RecipeError
from pipeline.result import Evaluation, Measurement, Result
from pipeline.sinks.web.recipe_edit import Edit, recipe_folder, recipe_table, save
from pipeline.sinks.web.setup import Unsealed, refuse_unsealed
from pipeline.sinks.web.teach import good_parts, teach
from tests.recipes import make_recipe
from tests.results import result

REST = '[measure.width]\ndistance = ["a", "b"]\nnominal = 128.0\ntolerance = 2.0\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_recipe(tmp_path / "dots", ["top"], rest=REST, number=3, sealed=False)


def test_a_recipe_is_found_by_its_number_and_changed_in_the_places_that_may_be(folder: Path) -> None:
    assert recipe_folder(folder.parent, 3) == folder
    told = save(
        folder,
        [
            Edit(["measure", "width", "tolerance"], 0.5),
            Edit(["view", "top", "locate", "fixed"], [8, 8, 200, 200]),
        ],
    )
    assert told.startswith("measure.width.tolerance = 0.5 (was 2.0); view.top.locate.fixed = [8, 8, 200, 200] (was [")
    table = recipe_table(folder)
    assert (table["measure"]["width"]["tolerance"], table["view"]["top"]["locate"]) == (
        0.5,
        {"fixed": [8, 8, 200, 200]},
    )
    with pytest.raises(RecipeError, match="no recipe 4"):
        recipe_folder(folder.parent, 4)


@pytest.mark.parametrize(
    "edit",
    [
        Edit(["name", "x"], "other"),
        Edit(["view", "top", "keypoints"], ["a"]),
        Edit(["measure", "width", "tolerance"], -1.0),
        Edit(["measure", "width", "distance"], ["a", "nowhere"]),
        Edit(["view", "top", "locate", "fixed"], [0, 0, -5, 5]),
        Edit(["zone", "rim"], {"polygon": ["a"]}),
    ],
)
def test_what_would_be_no_recipe_leaves_the_file_as_it_was(folder: Path, edit: Edit) -> None:
    before = (folder / "recipe.toml").read_bytes()
    with pytest.raises(RecipeError):
        save(folder, [edit])
    assert (folder / "recipe.toml").read_bytes() == before
    assert not list(folder.glob(".*"))


def test_a_recipe_that_was_changed_since_its_seal_is_told_and_one_that_was_never_sealed_is_not(tmp_path: Path) -> None:
    make_recipe(tmp_path / "mine", ["top"], number=1, sealed=False)
    refuse_unsealed(tmp_path)
    sealed = make_recipe(tmp_path / "dots", ["top"], rest=REST, number=3)
    refuse_unsealed(tmp_path)
    save(sealed, [Edit(["measure", "width", "tolerance"], 0.5)])
    with pytest.raises(Unsealed, match=r"dots: was changed since the recipe was sealed\. At its next start"):
        refuse_unsealed(tmp_path)
    save(sealed, [Edit(["measure", "width", "tolerance"], 2.0)])  # as it was
    refuse_unsealed(tmp_path)
    with pytest.raises(Unsealed, match="no such folder"):
        refuse_unsealed(tmp_path / "gone")


def part(value: float | None, **changes: object) -> Result:
    measured = [Measurement("width", value, "mm", 128.0, None, None, Evaluation.OK)]
    return result(
        measurements=measured, result_evaluation=Evaluation.OK, **{"recipe_id": 1, "configuration_id": "ab", **changes}
    )


def test_tolerances_hold_what_good_parts_were() -> None:
    values = [10.0, 10.2, 9.8, 10.1, 9.9]
    good = good_parts([*map(part, values), part(99.0, configuration_id="cd"), part(99.0, recipe_id=2)], 1, "ab")
    found = teach([*good, part(None)], {"width": {"nominal": 128.0, "tolerance": 2.0, "distance": ["a", "b"]}}, 4.0)
    assert len(found) == 1
    taught = found[0]
    assert (taught.parts, taught.present) == (5, {"nominal": 128.0, "tolerance": 2.0})
    assert taught.proposed == {"nominal": 10.0, "tolerance": 0.633}  # 4 times 0.1581, rounded up
    assert teach(good[:4], {"width": {}}, 4.0)[0].proposed is None


def test_a_zone_of_its_own_width_is_taught_one_limit_and_presence_none() -> None:
    good = [part(value) for value in (0.1, 0.2, 0.15, 0.12, 0.18)]
    position = teach(good, {"width": {"position": "a", "diameter": 1.0}}, 3.0)[0]
    assert position.proposed == {"diameter": 0.274}
    assert teach(good, {"width": {"presence": "a"}}, 3.0)[0].proposed is None
