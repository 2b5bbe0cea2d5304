"""Key files: private from the first moment, never overwritten, and what is accepted as one."""

import os
from pathlib import Path

import pytest
import zmq
import zmq.auth

from pipeline import cli, key_file
from pipeline.errors import ConfigError


def test_a_new_pair(tmp_path: Path) -> None:
    former = os.umask(0)
    try:
        secret, public = key_file.new_keys(tmp_path, "press4")
    finally:
        os.umask(former)
    assert (secret.stat().st_mode & 0o777, public.stat().st_mode & 0o777) == (0o600, 0o644)
    pair = key_file.read_pair(secret)
    assert zmq.curve_public(pair.secret) == pair.public == key_file.read_public(public) == key_file.read_client(public)
    assert pair.secret not in public.read_bytes()
    assert zmq.auth.load_certificate(secret) == (pair.public, pair.secret), "the format is ZeroMQ's own"


def test_every_pair_is_another(tmp_path: Path) -> None:
    pairs = {key_file.read_pair(key_file.new_keys(tmp_path, f"name{number}")[0]).secret for number in range(20)}
    assert len(pairs) == 20


@pytest.mark.parametrize("suffix", [".key", ".pub"])
def test_nothing_is_overwritten(tmp_path: Path, suffix: str) -> None:
    there = tmp_path / f"press4{suffix}"
    there.symlink_to("nowhere")
    with pytest.raises(ConfigError, match="is there already"):
        key_file.new_keys(tmp_path, "press4")
    assert list(tmp_path.iterdir()) == [there]


@pytest.mark.parametrize("name", ["", "../press4", "a/b", ".hidden", "a\n", "é", "x" * 65, "local"])
def test_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is no name"):
        key_file.new_keys(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o777])
def test_a_secret_that_others_may_read(tmp_path: Path, mode: int) -> None:
    secret, _ = key_file.new_keys(tmp_path, "press4")
    secret.chmod(mode)
    with pytest.raises(ConfigError, match=f"next: chmod 600 {secret}"):
        key_file.read_pair(secret)
    secret.chmod(0o400)
    key_file.read_pair(secret)


def test_a_secret_of_another_pair(tmp_path: Path) -> None:
    first, second = (key_file.new_keys(tmp_path, name)[0] for name in ("one", "two"))
    others = key_file.read_pair(second).secret.decode()
    first.write_text(first.read_text().replace(key_file.read_pair(first).secret.decode(), others))
    with pytest.raises(ConfigError, match="do not belong together"):
        key_file.read_pair(first)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'public-key = "too short"',
        b'public-key = "' + b"~" * 40 + b'"',
        b'public-key = "' + b"#" * 40 + b'"',  # each five of it are more than 32 bits
        b'public-key = "' + b"\xff" * 40 + b'"',
        (b'public-key = "' + b"0" * 40 + b'"\n') * 2,
        b'secret-key = "' + b"0" * 40 + b'"\n',
        b"\n" * 5000,
    ],
)
def test_no_key_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "press4.pub"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"press4.pub: is (no key file|too large)"):
        key_file.read_client(path)


def test_a_client_brings_its_public_key_alone(tmp_path: Path) -> None:
    secret, public = key_file.new_keys(tmp_path, "press4")
    public.write_bytes(secret.read_bytes())
    with pytest.raises(ConfigError, match="belongs to the client alone"):
        key_file.read_client(public)


def test_no_link_and_no_pipe_is_a_client(tmp_path: Path) -> None:
    _, public = key_file.new_keys(tmp_path, "press4")
    (tmp_path / "link.pub").symlink_to(public)
    with pytest.raises(ConfigError, match="symbolic link"):
        key_file.read_client(tmp_path / "link.pub")
    os.mkfifo(tmp_path / "pipe.pub")
    with pytest.raises(ConfigError, match="no plain file"):
        key_file.read_client(tmp_path / "pipe.pub")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "new", "press4", "--folder", str(tmp_path)]) == 0
    assert str(tmp_path / "press4.key") in capsys.readouterr().out
    assert cli.main(["keys", "new", "press4", "--folder", str(tmp_path)]) > 0
    assert "is there already" in capsys.readouterr().err
    assert cli.main(["keys", "list", "--folder", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "press4" in out
    assert key_file.read_public(tmp_path / "press4.pub").decode() in out
    assert key_file.read_pair(tmp_path / "press4.key").secret.decode() not in out
