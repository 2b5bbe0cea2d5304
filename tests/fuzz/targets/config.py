"""A station file, as `datumd run` reads it."""

from collections.abc import Hashable

from pipeline.config import load_station
from pipeline.errors import ConfigError
from tests.fuzz import workspace
from tests.fuzz.mutation import vary_toml
from tests.fuzz.target import Target, refused


def execute(data: bytes) -> Hashable:
    """Load it; a good one must give usable addresses and names."""
    path = workspace.folder("config") / "station.toml"
    path.write_bytes(data)
    try:
        station = load_station(path)
    except ConfigError as error:
        return refused(error)
    assert int(station.control_bind.rpartition(":")[2]) <= 65_535
    assert station.ring_slots > 0
    assert station.station.isascii()
    assert station.archive.days("OK") > 0
    return "good", len(station.camera), station.part.join, station.security is None


TARGET = Target("config", execute, vary_toml)
