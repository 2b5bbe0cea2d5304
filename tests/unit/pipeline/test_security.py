"""What a station's and a client's settings of security must be; tests/process/test_security.py has the sockets."""

import shutil
from pathlib import Path

import pytest

from pipeline import key_file
from pipeline.config import SecuritySettings
from pipeline.errors import ConfigError
from pipeline.security import check_security, load_client_keys, own_client_keys


@pytest.fixture
def settings(tmp_path: Path) -> SecuritySettings:
    (tmp_path / "clients").mkdir(mode=0o755)
    for name in ("station", "press4"):
        key_file.new_keys(tmp_path, name)
    shutil.copy(tmp_path / "press4.pub", tmp_path / "clients")
    return SecuritySettings(str(tmp_path / "station.key"), str(tmp_path / "clients"))


def test_who_may_connect(settings: SecuritySettings) -> None:
    assert check_security(settings) == ["press4"]
    assert check_security(None) == []


def test_a_folder_that_anybody_may_write_in(settings: SecuritySettings) -> None:
    Path(settings.clients).chmod(0o777)
    with pytest.raises(ConfigError, match=f"next: chmod o-w {settings.clients}"):
        check_security(settings)


def test_no_folder(settings: SecuritySettings) -> None:
    shutil.rmtree(settings.clients)
    with pytest.raises(ConfigError, match="no folder of clients' keys"):
        check_security(settings)


@pytest.mark.parametrize("name", ["local.pub", "a b.pub", "broken.pub"])
def test_a_file_that_is_no_client(settings: SecuritySettings, name: str) -> None:
    good = (Path(settings.clients) / "press4.pub").read_bytes()
    (Path(settings.clients) / name).write_bytes(b"" if name == "broken.pub" else good)
    with pytest.raises(ConfigError, match=name):
        check_security(settings)


def test_what_is_no_key_is_left_alone(settings: SecuritySettings) -> None:
    (Path(settings.clients) / "README").touch()
    (Path(settings.clients) / ".press5.pub.part").touch()
    assert check_security(settings) == ["press4"]


def test_keys_of_a_client(settings: SecuritySettings, tmp_path: Path) -> None:
    keys = load_client_keys(tmp_path / "press4.key", tmp_path / "station.pub")
    assert keys.server == key_file.read_public(tmp_path / "station.pub")
    with pytest.raises(ConfigError, match="--server-key"):
        load_client_keys(tmp_path / "press4.key")
    own = own_client_keys(settings)
    assert own is not None
    assert own.server == own.public == keys.server
    assert own_client_keys(None) is None
