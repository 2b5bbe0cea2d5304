"""Messages for faulty TOML name the file, the key, the value and what is allowed."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from pipeline import toml_file
from pipeline.errors import ConfigError


class Policy(StrEnum):
    drop = "drop"
    wait = "wait"


class Cold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="cold"):
    degrees: float = 0.0


class Warm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="warm"):
    fans: int = 1


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: tuple[int, int]
    names: list[str] = []
    policy: Policy = Policy.drop
    kind: Cold | Warm | None = None
    limit: float | tuple[float, float] = 0.0
    order: Literal["xy", "yx"] = "xy"

    def __post_init__(self) -> None:
        if self.size[0] > 100:
            raise ValueError("size must be at most 100 wide")


class Top(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Annotated[int, msgspec.Meta(ge=1, le=1)]
    item: dict[str, Item] = {}


def read(tmp_path: Path, text: str) -> Top:
    path = tmp_path / "x.toml"
    path.write_text(text)
    return toml_file.read(path, Top, ConfigError)


def test_reads_typed_data(tmp_path: Path) -> None:
    top = read(tmp_path, 'format = 1\n[item.a]\nsize = [1, 2]\nkind = { type = "warm", fans = 3 }')
    assert top.item["a"].kind == Warm(fans=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x.toml: format: is missing; allowed: a whole number at least 1, at most 1"),
        ("format = 2", "x.toml: format: found 2; allowed: a whole number at least 1, at most 1"),
        ("format = 1\nitm = 1", "x.toml: itm: unknown key; allowed: format, item"),
        (
            "format = 1\n[item.left]\nsise = [1, 2]",
            "x.toml: item.left.sise: unknown key; allowed: size, names, policy, kind, limit, order",
        ),
        (
            'format = 1\n[item."a b"]\nsize = [1, "2"]',
            "x.toml: item.\"a b\".size[1]: found '2'; allowed: a whole number",
        ),
        ("format = 1\n[item.a]\nsize = [1]", "item.a.size: found [1]; allowed: [a whole number, a whole number]"),
        ("format = 1\n[item.a]\nsize = [1,2]\nnames = 3", "item.a.names: found 3; allowed: a list, each item text"),
        ("format = 1\n[item.a]\nsize = [1,2]\nnames = ['a', true]", "item.a.names[1]: found true; allowed: text"),
        ("format = 1\n[item.a]\nsize = [1,2]\npolicy = 'x'", "item.a.policy: found 'x'; allowed: drop, wait"),
        ("format = 1\n[item.a]\nsize = [1,2]\norder = 'x'", "item.a.order: found 'x'; allowed: 'xy', 'yx'"),
        (
            "format = 1\n[item.a]\nsize = [1,2]\nkind = { type = 'hot' }",
            "item.a.kind: found {'type': 'hot'}; allowed: type = 'cold' or 'warm'",
        ),
        (
            "format = 1\n[item.a]\nsize = [1,2]\nkind = { type = 'warm', degrees = 1.0 }",
            "item.a.kind.degrees: unknown key; allowed: fans",
        ),
        (
            "format = 1\n[item.a]\nsize = [1,2]\nlimit = [1.0, 'x']",
            "item.a.limit[1]: found 'x'; allowed: a number",
        ),
        ("format = 1\n[item.a]\nsize = [101,2]", "x.toml: item.a: size must be at most 100 wide"),
        ("format = 1\n[item.a]\nsize = [1,2]\nlimit = nan", "item.a.limit: found nan; allowed: a finite number"),
        (
            "format = 1\n[item.a]\nsize = [1,2]\nlimit = [0.0, -inf]",
            "item.a.limit[1]: found -inf; allowed: a finite number",
        ),
        ("format = 1\nformat = = 1", "x.toml: is not TOML: Invalid value (at line 2, column 10)"),
    ],
)
def test_fault_names_key_value_and_allowed(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).endswith(expected)
    assert str(caught.value).startswith(str(tmp_path / "x.toml"))


def test_missing_folder_and_oversized_files(tmp_path: Path) -> None:
    for path, what in ((tmp_path / "no.toml", "No such file"), (tmp_path, "is no plain file")):
        with pytest.raises(ConfigError, match=what):
            toml_file.read(path, Top, ConfigError)
    (tmp_path / "big.toml").write_bytes(b"#" * (toml_file.LARGEST_BYTES + 1))
    with pytest.raises(ConfigError, match="is too large; allowed: 400000 bytes"):
        toml_file.read(tmp_path / "big.toml", Top, ConfigError)
    (tmp_path / "latin.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        toml_file.read(tmp_path / "latin.toml", Top, ConfigError)


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "x = " + "9" * 10_000], ids=["nested", "digits"])
def test_what_the_parser_itself_gives_up_on_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.toml: is not TOML: .*"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "a." * 20 + "a = 1.0",
        "a." * 99_990 + "a = 1",
        "[" + "a . " * 2_000 + "a]",
        "x = { '' = 'it''s', " + "''." * 2_000 + "'' = 1 }",
        'x = { y = """\'""", ' + '"\\"".\t' * 2_000 + "a = 1 }",
        ("a." * 19 + "a" * 300 + ".") * 60 + "a = 1",
    ],
    ids=["just too deep", "large", "table", "literal", "basic", "long parts"],
)
def test_a_key_that_would_take_for_ever_to_parse_is_refused_before(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.toml: a key of more than 20 parts in line 2; allowed: 20 parts at most"):
        read(tmp_path, "format = 1\n" + text)


@pytest.mark.parametrize(
    "text",
    [
        '"' * 190_000,
        '"\\' * 95_000,
        "'" * 190_000,
        "a" * 190_000,
        "a." * 19 + "," + "a" * 180_000,
        ("a." * 19 + ",") * 4_000,
    ],
    ids=["quotes", "escapes", "apostrophes", "letters", "one long", "many short"],
)
def test_what_resembles_such_a_key_is_just_no_toml(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.toml: is not TOML"):
        read(tmp_path, text)


def test_a_key_may_be_as_deep_as_any_struct(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.toml: a: unknown key"):
        read(tmp_path, "format = 1\n" + "a." * 19 + "a = 1.0")


def test_tables_nested_deeper_than_any_struct_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown key"):
        read(tmp_path, "a = " + "{a = " * 60 + "1.0" + "}" * 60)
