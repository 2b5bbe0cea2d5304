"""An error is one line, whatever it tells of."""

import pytest

from pipeline.errors import LONGEST_PART, DatumdError


def test_one_line_of_all_parts() -> None:
    error = DatumdError("is wrong", where="a.toml: key", allowed="1", next_command="datumd check")
    assert str(error) == "a.toml: key: is wrong; allowed: 1; next: datumd check"


@pytest.mark.parametrize("part", ["what", "where", "allowed", "next_command"])
def test_no_part_is_more_than_a_line(part: str) -> None:
    error = DatumdError(**{"what": "w", part: "a\nb\r" + "x" * 100_000})
    assert "a\\nb\\rxxx" in str(error)
    assert "\n" not in str(error)
    assert len(getattr(error, part)) == LONGEST_PART
    assert str(error).endswith("…") or part == "where"
