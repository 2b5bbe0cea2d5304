"""Bad input ends with one clear line (what, where, what is allowed, next command) and a non-zero exit code.

A second daemon of the same name is refused in test_daemon.
"""

import dataclasses
import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import genicam
import numpy as np
import onnx
import pytest

from pipeline.network import METADATA_KEY
from tests.recipes import make_recipe

COMMAND = [sys.executable, "-m", "pipeline"]
PATIENCE_S = 60.0
VIRTUAL_CAMERAS = next(Path(genicam.__file__).parent.rglob("viky.cti"))


@dataclasses.dataclass(frozen=True)
class StationFolder:
    """A station that would run, for a test to spoil."""

    file: Path
    recipe: Path
    results: int

    def replace(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert text.count(old) == 1
        self.file.write_text(text.replace(old, new))


@pytest.fixture
def station(tmp_path: Path, station_name: str, free_port: Callable[[], int]) -> StationFolder:
    file, results = tmp_path / "station.toml", free_port()
    file.write_text(f"""format = 1
station = "{station_name}"
recipes = "recipes"
[part]
deadline_ms = 500
[camera.top]
type = "synthetic"
rate_hz = 5.0
[results]
bind = "tcp://127.0.0.1:{results}"
[metrics]
bind = "127.0.0.1:{free_port()}"
[ring]
slot_mb = 6.0
""")
    return StationFolder(file, make_recipe(tmp_path / "recipes" / "part", ["top"]), results)


def refusal(*words: str | Path) -> str:
    """The one line with which a command refused."""
    ended = subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.returncode > 0, "it did not refuse, or a signal ended it"
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("datumd: ")
    return lines[0]


@pytest.mark.parametrize("command", ["check", "run"])
def test_unknown_key(station: StationFolder, command: str) -> None:
    station.replace("deadline_ms", "dead_line_ms")
    line = refusal(command, station.file)
    assert "station.toml: part.dead_line_ms" in line
    assert "unknown" in line
    assert "deadline_ms" in line.partition("allowed:")[2]


def test_wrong_type(station: StationFolder) -> None:
    station.replace("deadline_ms = 500", 'deadline_ms = "soon"')
    line = refusal("check", station.file)
    assert "station.toml: part.deadline_ms" in line
    assert "'soon'" in line or '"soon"' in line
    assert "allowed:" in line


def test_not_toml(station: StationFolder) -> None:
    station.replace("[part]", "[part")
    assert "station.toml" in refusal("check", station.file)


def test_something_in_the_way_in_shared_memory(station: StationFolder, station_name: str) -> None:
    shared = Path("/dev/shm")  # noqa: S108 - where the ring lives
    in_the_way = shared / f"datumd-{station_name}.vitals"
    in_the_way.mkdir()
    try:
        assert f"{in_the_way}: cannot be written" in refusal("run", station.file)
        assert list(shared.glob(f"datumd-{station_name}*")) == [in_the_way]
    finally:
        in_the_way.rmdir()


def test_a_port_that_is_none(station: StationFolder) -> None:
    station.replace(f"127.0.0.1:{station.results}", "127.0.0.1:0")
    assert "station.toml: results.bind" in refusal("check", station.file)


def test_one_port_for_two_purposes(station: StationFolder) -> None:
    text = station.file.read_text()
    metrics = text.rpartition('bind = "')[2].partition('"')[0]
    station.replace(f'bind = "{metrics}"', f'bind = "127.0.0.1:{station.results}"')
    assert "station.toml: metrics.bind" in refusal("check", station.file)


def test_a_line_counter_without_numbered_frames(station: StationFolder) -> None:
    station.replace('"synthetic"\nrate_hz = 5.0', f'"genicam"\nproducer = "{VIRTUAL_CAMERAS}"\ntrigger_counter = "N"')
    line = refusal("check", station.file)
    assert "station.toml: camera.top.trigger_counter" in line
    assert "allowed: only together with trigger_number" in line


@pytest.mark.parametrize("command", ["check", "run"])
def test_missing_station_file(tmp_path: Path, command: str) -> None:
    assert "nowhere.toml" in refusal(command, tmp_path / "nowhere.toml")


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_station_file_that_would_be_waited_for(tmp_path: Path, command: str) -> None:
    os.mkfifo(tmp_path / "station.toml")
    assert "station.toml: is no plain file" in refusal(command, tmp_path / "station.toml")


def test_missing_recipes(station: StationFolder) -> None:
    station.replace('"recipes"', '"elsewhere"')
    assert "elsewhere" in refusal("check", station.file)


def test_missing_network(station: StationFolder) -> None:
    (station.recipe / "top" / "coarse.onnx").unlink()
    assert "coarse.onnx" in refusal("check", station.file)


@pytest.mark.parametrize("command", ["check", "run"])
def test_unsealed_recipe(station: StationFolder, command: str) -> None:
    (station.recipe / "recipe.lock").unlink()
    line = refusal(command, station.file)
    assert f"next: datumd seal {station.recipe}" in line


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("name", ["recipe.toml", "top/coarse.onnx"])
def test_tampered_recipe(station: StationFolder, command: str, name: str) -> None:
    with (station.recipe / name).open("ab") as file:
        file.write(b"\n")
    line = refusal(command, station.file)
    assert name in line
    assert f"next: datumd seal {station.recipe}" in line


def test_network_that_is_none(station: StationFolder) -> None:
    (station.recipe / "top" / "coarse.onnx").write_bytes(b"no network")
    assert "coarse.onnx" in refusal("seal", station.recipe)


def claim_another_shape(network: Path) -> None:
    """The network's own description says 32 by 32, its input stays 64 by 64."""
    model = onnx.load(network)
    [card] = [entry for entry in model.metadata_props if entry.key == METADATA_KEY]
    card.value = card.value.replace("[64,64]", "[32,32]")
    onnx.save(model, network)


def test_network_of_the_wrong_shape_is_not_sealed(station: StationFolder) -> None:
    claim_another_shape(station.recipe / "top" / "coarse.onnx")
    line = refusal("seal", station.recipe)
    assert "coarse.onnx: input is image uint8 (N, 64, 64, 1)" in line
    assert "allowed: image uint8 (N, 32, 32, 1)" in line


def test_network_of_the_wrong_shape_is_not_run(station: StationFolder) -> None:
    network, lock = station.recipe / "top" / "coarse.onnx", station.recipe / "recipe.lock"
    sealed = hashlib.sha256(network.read_bytes()).hexdigest()
    claim_another_shape(network)
    assert sealed in lock.read_text()
    lock.write_text(lock.read_text().replace(sealed, hashlib.sha256(network.read_bytes()).hexdigest()))
    assert "allowed: image uint8 (N, 32, 32, 1)" in refusal("check", station.file)


@pytest.mark.parametrize("command", ["cameras", "check"])
@pytest.mark.parametrize("content", [None, b"no library", VIRTUAL_CAMERAS.read_bytes()[:4096]])
def test_producer_that_is_none(station: StationFolder, command: str, content: bytes | None) -> None:
    producer = station.file.with_name("vendor.cti")
    if content is not None:
        producer.write_bytes(content)
    station.replace('type = "synthetic"\nrate_hz = 5.0', f'producer = "{producer}"')
    assert "vendor.cti" in refusal(command, producer if command == "cameras" else station.file)


@pytest.mark.parametrize("command", ["snapshot", "check"])
def test_camera_that_is_not_there(station: StationFolder, command: str) -> None:
    station.replace('type = "synthetic"\nrate_hz = 5.0', f'producer = "{VIRTUAL_CAMERAS}"\nserial = "40123456"')
    output = ["-o", station.file.with_name("top.png")] if command == "snapshot" else []
    line = refusal(command, station.file, *output)
    assert "40123456" in line
    assert f"next: datumd cameras {VIRTUAL_CAMERAS}" in line


def test_library_that_is_no_producer(station: StationFolder) -> None:
    producer = station.file.with_name("vendor.cti")
    shutil.copy(np.random.mtrand.__file__, producer)
    assert "vendor.cti" in refusal("cameras", producer)


@pytest.mark.parametrize("command", ["check", "run"])
def test_port_taken(station: StationFolder, command: str) -> None:
    with socket.create_server(("127.0.0.1", station.results)):
        line = refusal(command, station.file)
    assert "results.bind" in line
    assert str(station.results) in line


def test_shared_memory_too_small(station: StationFolder) -> None:
    station.replace("slot_mb = 6.0", "slot_mb = 1024.0\nqueue_depth = 256")
    line = refusal("run", station.file)
    assert "no room for a frame ring" in line
    assert "ring.slot_mb" in line
