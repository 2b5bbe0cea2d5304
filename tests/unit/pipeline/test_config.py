"""Station files: what their types alone refuse."""

from pathlib import Path

import pytest

from pipeline.config import load_station
from pipeline.errors import ConfigError

GOOD = """
format = 1
station = "s"
recipes = "recipes"
[camera.top]
type = "synthetic"
[results]
bind = "tcp://127.0.0.1:5570"
[metrics]
bind = "127.0.0.1:9570"
"""


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"s"', '"s\\n"', "station: found 's\\n'"),
        ("camera.top", 'camera."top\\n"', "camera: 'top\\n' is no name for a camera"),
        ("1:5570", "1:5570\\n", "results.bind: found 'tcp://127.0.0.1:5570\\n'"),
        ("1:9570", "1:9570\\n", "metrics.bind: found '127.0.0.1:9570\\n'"),
    ],
)
def test_no_name_or_address_ends_in_a_newline(tmp_path: Path, old: str, new: str, where: str) -> None:
    path = tmp_path / "station.toml"
    path.write_text(GOOD)
    load_station(path)
    assert GOOD.count(old) == 1
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_station(path)
    assert where in str(caught.value)
    assert "\n" not in str(caught.value)
