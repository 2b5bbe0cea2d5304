"""What a station file may say of its bridges, and what is refused before any of them starts."""

import importlib.util
from pathlib import Path

import pytest

from pipeline.bridge_settings import MqttSettings, PlcSettings, check_bridge, read_password
from pipeline.config import load_station
from pipeline.errors import ConfigError
from pipeline.supervisor.processes import processes

STATION = 'format = 1\nstation = "s"\nrecipes = "recipes"\n[camera.top]\ntype = "synthetic"\n'
BRIDGES = """[plc]
modbus = { bind = "192.168.10.20:502", allow = ["192.168.10.1"] }
lines = {}
mqtt = { broker = "mqtt://127.0.0.1", user = "s", password = "word" }
"""


def station_file(folder: Path, text: str) -> Path:
    path = folder / "station.toml"
    path.write_text(STATION + text)
    return path


def test_each_bridge_is_a_process_and_those_that_listen_have_an_address(tmp_path: Path) -> None:
    station = load_station(station_file(tmp_path, BRIDGES))
    named = {one.name: one.main for one in processes(station) if one.kind == "bridge"}
    assert named == {f"bridge.{name}": f"pipeline.sinks.{name}.bridge:main" for name in ("modbus", "lines", "mqtt")}
    for main in named.values():
        assert importlib.util.find_spec(main.partition(":")[0]) is not None
    assert station.addresses["plc.modbus"] == "192.168.10.20:502"
    assert station.addresses["plc.lines"] == "127.0.0.1:1503"
    assert station.plc.mqtt is not None
    assert station.plc.mqtt.password == str(tmp_path / "word")
    assert station.plc.mqtt.address == ("127.0.0.1", 1883)
    assert not [one for one in processes(load_station(station_file(tmp_path, ""))) if one.kind == "bridge"]


def test_two_bridges_at_one_address_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_station(station_file(tmp_path, '[plc]\nmodbus = { bind = "127.0.0.1:1503" }\nlines = {}\n'))
    assert "plc.lines.bind" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('modbus = { bind = "0.0.0.0:502" }', "plc.modbus.bind: 0.0.0.0:502 can be reached from other machines"),
        ('lines = { bind = "10.0.0.1:1503" }', "plc.lines.bind"),
        ('lines = { allow = ["plc"] }', "plc.lines.allow"),
        ('lines = { bind = "localhost:1503" }', "plc.lines.bind"),
        ('mqtt = { broker = "mqtt://plant", user = "s", password = "word" }', "in the clear"),
        ('mqtt = { broker = "mqtts://plant", key = "word" }', "needs its key"),
        ('mqtt = { broker = "mqtts://plant", password = "word" }', "needs a user"),
        ('mqtt = { broker = "mqtt://127.0.0.1", user = "s", password = "nowhere" }', "cannot be read"),
        ('mqtt = { broker = "mqtt://127.0.0.1:70000" }', "is no broker"),
    ],
)
def test_a_bridge_that_cannot_start_is_told_before(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "word").write_text("horse\n")
    (tmp_path / "word").chmod(0o600)
    plc = load_station(station_file(tmp_path, f"[plc]\n{table}\n")).plc
    with pytest.raises(ConfigError) as caught:
        check_bridge(plc, plc.protocols[0])
    assert said in str(caught.value)


def test_a_good_one_says_whom_it_serves(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("horse\n")
    (tmp_path / "word").chmod(0o600)
    plc = load_station(station_file(tmp_path, BRIDGES)).plc
    said = {name: check_bridge(plc, name) for name in plc.protocols}
    assert said == {
        "modbus": "at 192.168.10.20:502 for 192.168.10.1",
        "lines": "at 127.0.0.1:1503 for this machine",
        "mqtt": "to mqtt://127.0.0.1",
    }
    assert plc.mqtt is not None
    assert read_password(plc.mqtt) == "horse"


def test_a_password_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "word"
    path.write_text("horse")
    path.chmod(0o640)
    settings = MqttSettings("mqtts://plant", user="s", password=str(path))
    with pytest.raises(ConfigError) as caught:
        check_bridge(PlcSettings(mqtt=settings), "mqtt")
    assert f"chmod 600 {path}" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "extra"), [("modbus = {}", "plc"), ('mqtt = { broker = "mqtt://127.0.0.1" }', "mqtt")]
)
def test_a_library_that_is_missing_is_told_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, extra: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    plc = load_station(station_file(tmp_path, f"[plc]\n{table}\n")).plc
    with pytest.raises(ConfigError) as caught:
        check_bridge(plc, plc.protocols[0])
    assert f"pip install 'datumd[{extra}]'" in str(caught.value)
