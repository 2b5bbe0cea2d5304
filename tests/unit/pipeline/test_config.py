"""Station files: what their types alone refuse."""

from pathlib import Path

import pytest

from pipeline.camera_settings import HttpSettings
from pipeline.config import load_station
from pipeline.errors import ConfigError
from pipeline.supervisor.processes import processes

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


HTTP = GOOD.replace('"synthetic"', '"http"\ntoken = "http.token"\nwidth = 64\nheight = 48')


def test_the_token_of_a_camera_that_pictures_are_sent_to_lies_beside_the_station_file(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(HTTP)
    station = load_station(path)
    camera = station.camera["top"]
    assert isinstance(camera, HttpSettings)
    assert camera.token == str(tmp_path / "http.token")
    assert station.addresses["camera.top"] == "127.0.0.1:8570"
    assert [one.name for one in processes(station)][-2:] == ["grab.top", "http.top"]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (
            "[results]",
            '[camera.side]\ntype = "synthetic"\n[results]',
            "pictures are sent to the only camera of a station",
        ),
        ("width = 64", 'width = 64\nbind = "0.0.0.0:8570"', "camera.top.bind: found '0.0.0.0:8570'"),
        ("width = 64", 'width = 64\nbind = "127.0.0.1:9570"', "127.0.0.1:9570 is metrics.bind, too"),
        ("width = 64", "width = 64\nqueue = 5", "camera.top.queue: is 5"),
        ('token = "http.token"\n', "", "camera.top.token: is missing"),
    ],
)
def test_what_a_camera_that_pictures_are_sent_to_cannot_be(tmp_path: Path, old: str, new: str, where: str) -> None:
    assert HTTP.count(old) == 1
    assert where in refused(tmp_path / "station.toml", HTTP.replace(old, new))


OPEN = GOOD.replace("tcp://127.0.0.1:5570", "tcp://0.0.0.0:5570")
KEYS = '[security]\nkey = "station.key"\nclients = "clients"\n'


def refused(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_station(path)
    return str(caught.value)


@pytest.mark.parametrize("address", ["*", "0.0.0.0", "192.168.1.5", "eth0", "localhost.example.org", "1270.0.0.1"])  # noqa: S104 - refused
@pytest.mark.parametrize("table", ["results", "control"])
def test_other_machines_need_keys(tmp_path: Path, table: str, address: str) -> None:
    path = tmp_path / "station.toml"
    text = GOOD.replace("127.0.0.1:5570", f"{address}:5570")
    if table == "control":
        text = f'{GOOD}[control]\nbind = "tcp://{address}:5571"\n'
    line = refused(path, text)
    assert f"{table}.bind: tcp://{address}:557" in line
    assert "not a loopback address" in line
    assert "[security]" in line
    assert "datumd keys new" in line
    path.write_text(text + KEYS)
    assert load_station(path).security is not None


def test_loopback_needs_none(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    for address in ("127.0.0.1", "127.1.2.3", "localhost"):
        path.write_text(GOOD.replace("127.0.0.1:5570", f"{address}:5570"))
        assert load_station(path).security is None


def test_files_of_keys_lie_beside_the_station_file(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(OPEN + KEYS)
    security = load_station(path).security
    assert security is not None
    assert (security.key, security.clients) == (str(tmp_path / "station.key"), str(tmp_path / "clients"))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (GOOD.replace("1:5570", "1:65535"), "control.bind: tcp://127.0.0.1:65536 has no such port"),
        (GOOD.replace("1:5570", "1:65536"), "results.bind: tcp://127.0.0.1:65536 has no such port"),
        (GOOD.replace("1:9570", "1:5571"), "metrics.bind: 127.0.0.1:5571 is control.bind, too"),
        (GOOD.replace("1:9570", "1:5570"), "metrics.bind: 127.0.0.1:5570 is results.bind, too"),
        (GOOD + '[control]\nbind = "127.0.0.1:5570"\n', "control.bind: 127.0.0.1:5570 is results.bind, too"),
        (GOOD.replace("1:5570", "1:\u0665\u0665\u0667\u0660"), "results.bind: found"),
    ],
)
def test_each_address_its_own(tmp_path: Path, text: str, where: str) -> None:
    assert where in refused(tmp_path / "station.toml", text)


def test_networks_are_not_kept_warm_unless_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(GOOD)
    assert load_station(path).infer.keep_warm_ms == 0
    path.write_text(f"{GOOD}[infer]\nkeep_warm_ms = 12.5\n")
    assert load_station(path).infer.keep_warm_ms == 12.5
    assert "infer.keep_warm_ms" in refused(path, f"{GOOD}[infer]\nkeep_warm_ms = -1\n")
