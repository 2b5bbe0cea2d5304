import pytest

from pipeline.errors import RecipeError
from pipeline.toml_edit import edited

TEXT = """# a recipe
format = 1   # of the file

[view.top]
locate = { fixed = [64, 64,
    1152, 896] }    # every pose lies in it
keypoints = [
    "a", 'b',   # two of them
]
"odd key" = "with # and \\" and ] in it"

[measure]           # mm
width  = { distance = ["a", "b"], nominal = 48.0, tolerance = 0.3 }

[measure.height]
nominal = 1.5e1
"""


def changed(path: list[str], value: object) -> tuple[list[str], list[str]]:
    """The lines that went, and those that came."""
    before, after = TEXT.splitlines(), edited(TEXT, path, value, "recipe.toml").splitlines()
    return [line for line in before if line not in after], [line for line in after if line not in before]


def test_a_value_is_changed_in_its_place_and_nothing_else_is_touched() -> None:
    assert changed(["measure", "height", "nominal"], 15.25) == (["nominal = 1.5e1"], ["nominal = 15.25"])
    _, came = changed(["measure", "width", "tolerance"], [-0.1, 0.2])
    assert came == ['width  = { distance = ["a", "b"], nominal = 48.0, tolerance = [-0.1, 0.2] }']
    _, came = changed(["view", "top", "locate", "fixed"], [1, 2, 3, 4])
    assert came == ["locate = { fixed = [1, 2, 3, 4] }    # every pose lies in it"]
    assert changed(["view", "top", "odd key"], 'a "quote"')[1] == ['"odd key" = "a \\"quote\\""']


def test_what_is_not_there_is_written_at_the_end_of_its_table_or_in_one_of_its_own() -> None:
    text = edited(TEXT, ["view", "top", "image"], {"sharpness": 0.2}, "")
    assert text.splitlines()[10] == "image = { sharpness = 0.2 }"
    text = edited(TEXT, ["zone", "rim"], {"polygon": ["a", "b", "c"]}, "")
    assert text.endswith('\n\n[zone]\nrim = { polygon = ["a", "b", "c"] }\n')
    assert edited(text, ["zone", "rim"], None, "").endswith("\n\n[zone]\n")


def test_what_is_removed_is_gone_with_its_line() -> None:
    assert changed(["format"], None) == (["format = 1   # of the file"], [])
    assert edited(TEXT, ["nothing", "here"], None, "") == TEXT


@pytest.mark.parametrize("text", ["a = 1\na = 2\n", "[[view]]\nx = 1\n", "x = {a = 1", "view = 3\n"])
def test_what_is_not_understood_is_refused_with_the_next_step(text: str) -> None:
    with pytest.raises(RecipeError, match="editor"):
        edited(text, ["view", "top"], 5, "recipe.toml")
