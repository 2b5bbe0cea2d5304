"""examples/subscriber.c, which was written from docs/wire-format.md alone: every result once, whatever dies."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from pipeline import key_file
from pipeline import result as result_schema
from pipeline.config import SecuritySettings
from tests.played_stations import PlayedStation
from tests.results import result

pytestmark = pytest.mark.needs_debian("libzmq3-dev")

SOURCE = Path(__file__).parents[2] / "examples" / "subscriber.c"


class _Place(msgspec.Struct):
    session: int
    seq: int


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("c") / "subscriber"
    flags = ["-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-g"]
    subprocess.run(["cc", *flags, "-o", program, SOURCE, "-lzmq"], check=True, timeout=60)
    return program


@pytest.fixture
def station(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Iterator[PlayedStation]:
    station = PlayedStation(run_dir, station_name, free_port(), free_port())
    yield station
    station.close()


class Subscriber:
    """The C program, and what all its lives have printed."""

    def __init__(self, program: Path, station: PlayedStation, folder: Path, keys: list[str] | None = None) -> None:
        self._words = [str(program), station.endpoint, station.name, str(folder / "cursor"), *(keys or [])]
        self._station = station
        self._cursor = folder / "cursor"
        self._printed, self.gaps = folder / "printed", folder / "gaps"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Until it is killed."""
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
        with self._printed.open("ab") as printed, self.gaps.open("ab") as gaps:
            child = subprocess.Popen(self._words, stdout=printed, stderr=gaps, env=environment)
            try:
                yield
                assert child.poll() is None, self.gaps.read_text()
            finally:
                child.kill()
                child.wait()

    def places(self) -> list[tuple[int, int]]:
        """(session, seq) of what was printed."""
        lines = self._printed.read_bytes().splitlines()
        found = [msgspec.json.decode(line, type=_Place) for line in lines]
        return [(place.session, place.seq) for place in found]

    def comes_to(self, session: int, seq: int, limit_s: float = 20.0) -> None:
        """Beat until its cursor is there: it has printed, and written down that it has."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            self._station.beat()
            if self._cursor.exists() and self._cursor.read_text().split() == [str(session), str(seq)]:
                return
            time.sleep(0.05)
        raise AssertionError(f"{session} {seq} not reached: {self._cursor.read_text()!r}, {self.gaps.read_text()!r}")


def numbers(session: int, last: int) -> list[tuple[int, int]]:
    return [(session, seq) for seq in range(1, last + 1)]


def test_nothing_is_missed_while_it_or_the_station_is_down(
    station: PlayedStation, program: Path, tmp_path: Path
) -> None:
    subscriber = Subscriber(program, station, tmp_path)
    first = station.session
    station.publish(600)  # before anybody listened
    with station.answering():
        with subscriber.running():
            subscriber.comes_to(first, 600)
            station.publish(3)
            station.publish(2, live=False)
            station.publish(1)
            subscriber.comes_to(first, 606)
            station.publish(2, live=False)
            subscriber.comes_to(first, 608)
        station.publish(1200)  # it is dead
        station.new_ledger()
        station.publish(2)
        second = station.session
        with subscriber.running():
            subscriber.comes_to(second, 2)
            station.publish(2, live=False)
            station.new_ledger()  # the stream never showed the end of the session
            third = station.session
            for seq in (3, 4):
                row = result(station=station.name, session=second, seq=seq)
                station.publish_again(result_schema.encode(row))
            station.publish(3)
            subscriber.comes_to(third, 3)
            station.new_ledger()
            subscriber.comes_to(station.session, 0)
    assert subscriber.places() == [*numbers(first, 1808), *numbers(second, 4), *numbers(third, 3)]
    assert subscriber.gaps.read_text() == ""


def test_kills_at_any_moment_cost_nothing_and_repeat_one_result_at_most(
    station: PlayedStation, program: Path, tmp_path: Path
) -> None:
    subscriber = Subscriber(program, station, tmp_path)
    kills = 6
    with station.answering():
        for life in range(kills):
            with subscriber.running():
                deadline = time.monotonic() + 0.3 + 0.05 * life
                while time.monotonic() < deadline:
                    station.publish(5)
                    station.publish(1, live=False)
                    station.beat()
                    time.sleep(0.01)
        with subscriber.running():
            subscriber.comes_to(station.session, station.seq)
    places = subscriber.places()
    assert places == sorted(places)
    assert sorted(set(places)) == numbers(station.session, station.seq)
    assert len(places) - len(set(places)) <= kills
    assert subscriber.gaps.read_text() == ""


def test_what_cannot_be_had_is_told(station: PlayedStation, program: Path, tmp_path: Path) -> None:
    subscriber = Subscriber(program, station, tmp_path)
    session = station.session
    with station.answering(), subscriber.running():
        station.publish(2)
        subscriber.comes_to(session, 2)
        station.publish(3, journaled=False, live=False)
        station.publish(2)
        subscriber.comes_to(session, 7)
    assert subscriber.places() == [(session, seq) for seq in (1, 2, 6, 7)]
    assert subscriber.gaps.read_text() == f"gap {session} 3 5\n"


def test_it_speaks_with_a_station_that_asks_for_keys(
    run_dir: Path, station_name: str, free_port: Callable[[], int], program: Path, tmp_path: Path
) -> None:
    (tmp_path / "clients").mkdir()
    own, own_public = key_file.new_keys(tmp_path, "station")
    client, client_public = key_file.new_keys(tmp_path, "mes")
    client_public.rename(tmp_path / "clients" / "mes.pub")
    security = SecuritySettings(str(own), str(tmp_path / "clients"))
    station = PlayedStation(run_dir, station_name, free_port(), free_port(), security)
    pair = key_file.read_pair(client)
    keys = [key_file.read_public(own_public).decode(), pair.public.decode(), pair.secret.decode()]
    subscriber = Subscriber(program, station, tmp_path, keys)
    try:
        station.publish(3)
        with station.answering(), subscriber.running():
            subscriber.comes_to(station.session, 3)
        assert subscriber.places() == numbers(station.session, 3)
    finally:
        station.close()
