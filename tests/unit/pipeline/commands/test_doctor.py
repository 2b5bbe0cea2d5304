"""`datumd doctor`: every thing that is not in order is told with what to do."""

import fcntl
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from pipeline.camera_settings import GenicamSettings
from pipeline.cli import main
from pipeline.config import load_station
from pipeline.doctor.clocks import ptp
from pipeline.doctor.finding import Finding, Level
from pipeline.doctor.links import links
from pipeline.doctor.room import disk, memory
from pipeline.doctor.station import plans, ports
from tests.recipes import make_recipe
from tests.stations import write_station

SLOT_BYTES = 6 << 20


@pytest.fixture
def station(tmp_path: Path, free_port: Callable[[], int]) -> Path:
    make_recipe(tmp_path / "recipes" / "first", ["top"], number=1)
    (tmp_path / "pictures").mkdir()
    camera = '[camera.top]\ntype = "folder"\npath = "pictures"\n'
    return write_station(tmp_path, "doctor", tmp_path / "recipes", free_port(), free_port(), camera)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in findings}


def test_what_is_wrong_is_told_and_decides_the_exit_code(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(station)]) == 0
    assert "ok    camera top: folder" in capsys.readouterr().out
    (station.parent / "pictures").rmdir()
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(load_station(station).metrics.bind.rpartition(":")[2])))
        other.listen()
        assert main(["doctor", str(station)]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG")]
    assert "there is no folder" in lines[0]
    assert "do: datumd check STATION.toml" in lines[0]
    assert "is taken; do: ss -ltnp" in lines[1]
    assert not (station.parent / "state").exists()  # it changes nothing


def test_a_station_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "/nowhere/station.toml"]) == 2
    assert capsys.readouterr().err.startswith("datumd: /nowhere/station.toml: ")


def test_links_tell_small_packets_and_lost_ones(tmp_path: Path) -> None:
    for card, mtu, lost in (("jumbo", "9000", "0"), ("plain", "1500", "0"), ("lossy", "9000", "7")):
        folder = tmp_path / "sys/class/net" / card
        (folder / "device").mkdir(parents=True)
        for name, text in (("mtu", mtu), ("speed", "1000"), ("operstate", "up"), ("statistics/rx_crc_errors", lost)):
            put(folder / name, text)
    (tmp_path / "sys/class/net/lo").mkdir()
    put(tmp_path / "proc/sys/net/core/rmem_max", "212992")
    found = by_name(links(SLOT_BYTES, tmp_path))
    assert {name: one.level for name, one in found.items()} == {
        "link jumbo": Level.OK,
        "link plain": Level.LOOK,
        "link lossy": Level.LOOK,
        "socket buffers": Level.LOOK,
    }
    assert "ip link set plain mtu 9000" in found["link plain"].todo
    assert "rx_crc_errors 7" in found["link lossy"].text


def test_ptp_is_wanted_only_where_a_camera_asks_for_it(tmp_path: Path) -> None:
    quiet = GenicamSettings(producer="p.cti")
    asking = GenicamSettings(producer="p.cti", features={"PtpEnable": True})
    assert by_name(ptp({"top": quiet}, tmp_path))["PTP"].level is Level.OK
    elsewhere = by_name(ptp({"top": asking}, tmp_path))
    assert {one.level for one in elsewhere.values()} == {Level.LOOK}  # a switch may be the grandmaster
    assert "camera top asks for it, and no ptp4l runs here" in elsewhere["PTP"].text
    assert "/dev/ptp*" in elsewhere["PTP clock"].text
    put(tmp_path / "dev/ptp0", "")
    put(tmp_path / "proc/7/comm", "ptp4l\n")
    half = by_name(ptp({"top": asking}, tmp_path))["PTP"]
    assert (half.level, "no phc2sys" in half.text) == (Level.LOOK, True)
    put(tmp_path / "proc/8/comm", "phc2sys\n")
    found = by_name(ptp({"top": asking}, tmp_path))
    assert [(one.level, one.name) for one in found.values()] == [(Level.OK, "PTP")]


def test_memory_and_rings_that_nobody_holds(station: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shm"
    shared.mkdir()
    (shared / "datumd-left.ring").write_bytes(b"x")
    own = shared / "datumd-doctor.ring"
    own.write_bytes(b"x")
    read = load_station(station)
    found = by_name(memory(read, shared))
    assert found[str(shared / "datumd-left.ring")].todo.endswith(f"rm {shared}/datumd-left.ring")
    assert str(own) not in found
    huge = msgspec.structs.replace(read, ring=msgspec.structs.replace(read.ring, slot_mb=1024.0, queue_depth=256))
    huge = msgspec.structs.replace(huge, infer=msgspec.structs.replace(read.infer, workers=16))
    assert by_name(memory(huge, shared))[str(shared)].level is Level.WRONG
    with own.open("rb") as daemon:
        fcntl.flock(daemon, fcntl.LOCK_EX)
        assert by_name(ports(read, shared))["ports"].text == "the station runs and holds them"


def test_a_quota_that_no_disk_holds_and_a_folder_that_is_a_file(station: Path) -> None:
    read = load_station(station)
    archive = msgspec.structs.replace(read.archive, quota_gb=1_000_000.0)
    found = next(disk(msgspec.structs.replace(read, archive=archive)))
    assert (found.level, "quota_gb" in found.todo) == (Level.LOOK, True)
    (station.parent / "state").write_text("a file")
    assert next(disk(read)).level is Level.WRONG


def test_a_backend_that_must_have_plans_and_cannot_run(station: Path) -> None:
    read = load_station(station)
    must = msgspec.structs.replace(read.infer, backend="tensorrt", without_plan="refuse", plans=str(station.parent))
    found = list(plans(msgspec.structs.replace(read, infer=must)))
    assert found[-1].level is Level.WRONG  # no GPU, or no plan in that folder
    assert found[-1].todo
