"""A station is reached by its address, or by its file."""

import argparse
from pathlib import Path

import pytest

from pipeline.commands.connection import DEFAULT_ENDPOINT, add_connection, reached
from pipeline.errors import ConfigError
from tests.stations import write_station


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_connection(parser)
    return parser.parse_args(words)


def test_an_address_is_taken_as_it_is() -> None:
    assert reached(parsed()) == (DEFAULT_ENDPOINT, "", None)
    assert reached(parsed("tcp://line3:5570", "--station", "L3-S20")) == ("tcp://line3:5570", "L3-S20", None)


def test_a_station_file_names_address_and_station(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    file = write_station(
        tmp_path, "L3-S20", tmp_path / "recipes", 5580, 5581, '[camera.top]\ntype = "folder"\npath = "."\n'
    )
    assert reached(parsed(str(file))) == ("tcp://127.0.0.1:5580", "L3-S20", None)
    assert reached(parsed(str(file), "--station", "L3-S20"))[1] == "L3-S20"
    with pytest.raises(ConfigError, match=r"--station L3-S21: .* is of L3-S20"):
        reached(parsed(str(file), "--station", "L3-S21"))
    with pytest.raises(ConfigError, match=r"none\.toml"):
        reached(parsed(str(tmp_path / "none.toml")))
