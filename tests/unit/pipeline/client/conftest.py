"""A station whose ledger the test plays."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.played_stations import PlayedStation


@pytest.fixture
def station(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Iterator[PlayedStation]:
    station = PlayedStation(run_dir, station_name, free_port(), free_port())
    yield station
    station.close()
