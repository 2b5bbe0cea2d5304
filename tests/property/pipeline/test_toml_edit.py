"""Whatever is put into a file of tables comes out of it again, with all else as it was."""

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.toml_edit import edited, rendered

KEYS = st.sampled_from(["a", "b-1", "c d", "é"])
NUMBERS = st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = NUMBERS | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=4
)
TABLES = st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3)


@settings(max_examples=15)
@given(TABLES, KEYS, KEYS, VALUES)
def test_an_edit_is_read_back(tables: dict[str, dict[str, object]], table: str, key: str, value: object) -> None:
    lines = []
    for name, entries in tables.items():
        lines.append(f"[{rendered(name)}]  # a table")
        lines += [f"{rendered(one)}   = {rendered(inner)} # and more" for one, inner in entries.items()]
    text = "\n".join(lines) + "\n"
    after = tomllib.loads(edited(text, [table, key], value, ""))
    assert after[table].pop(key) == value
    before = {name: dict(entries) for name, entries in tables.items()}
    before.get(table, {}).pop(key, None)
    assert {name: entries for name, entries in after.items() if name in before} == before
