from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.sinks.opcua.users import add_user, read_users, role_of


def test_a_user_logs_in_with_the_newest_password_and_nobody_else_does(tmp_path: Path) -> None:
    path = tmp_path / "users"
    add_user(path, "plc", "operator", "first password")
    add_user(path, "panel", "observer", "geheim genug")
    add_user(path, "plc", "operator", "second password")
    users = read_users(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "password" not in path.read_text()
    assert role_of(users, "plc", "second password") == "operator"
    assert role_of(users, "panel", "geheim genug") == "observer"
    for name, password in (
        ("plc", "first password"),
        ("plc", ""),
        ("nobody", "second password"),
        ("plc", "x" * 10_000),
    ):
        assert role_of(users, name, password) is None


def test_what_is_no_file_of_users_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "users"
    with pytest.raises(ConfigError, match="8 to 256"):
        add_user(path, "plc", "operator", "short")
    with pytest.raises(ConfigError, match="no name"):
        add_user(path, "p l c", "operator", "long enough")
    add_user(path, "plc", "operator", "long enough")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_users(path)
    path.chmod(0o600)
    path.write_text("plc operator 00 11\n")
    with pytest.raises(ConfigError, match="line 1"):
        read_users(path)
