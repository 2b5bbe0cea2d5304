"""A station that asks for keys: the whole daemon, on its own sockets."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from pipeline import key_file
from pipeline.client import Subscription
from pipeline.client.control import Control, NoAnswer
from pipeline.ledger.journal_file import FILE_NAME
from pipeline.result import Result
from pipeline.security import ClientKeys, load_client_keys
from simulator.child import DaemonProcess
from tests.process.zmtp_prober import command, greeting, message, parse, probe
from tests.recipes import make_recipe

READY_S = 10.0


@dataclass(frozen=True)
class Secured:
    """A station file with [security], and where it answers."""

    file: Path
    port: int
    metrics_port: int

    @property
    def stream(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def control(self) -> str:
        return f"tcp://127.0.0.1:{self.port + 1}"

    def keys(self, name: str) -> ClientKeys:
        return load_client_keys(self.file.parent / f"{name}.key", self.file.parent / "station.pub")


@pytest.fixture
def secured(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Secured:
    (run_dir / "clients").mkdir(mode=0o755)
    for name in ("station", "press4", "stranger"):
        key_file.new_keys(run_dir, name)
    shutil.copy(run_dir / "press4.pub", run_dir / "clients")
    make_recipe(run_dir / "recipes" / "part", ["top"])
    port, metrics_port = free_port(), free_port()
    (run_dir / "station.toml").write_text(f"""format = 1
station = "{station_name}"
recipes = "recipes"
[camera.top]
type = "synthetic"
rate_hz = 5.0
[results]
bind = "tcp://127.0.0.1:{port}"
[security]
key = "station.key"
clients = "clients"
[archive]
folder = "state"
[metrics]
bind = "127.0.0.1:{metrics_port}"
""")
    return Secured(run_dir / "station.toml", port, metrics_port)


@pytest.fixture
def daemon(secured: Secured) -> Iterator[DaemonProcess]:
    started = DaemonProcess(secured.file, {})
    yield started
    started.close()


@pytest.mark.time_limit_s(120)
def test_who_has_a_key_is_answered_by_name_and_nobody_else_at_all(secured: Secured, daemon: DaemonProcess) -> None:
    with Subscription(secured.stream, keys=secured.keys("press4")) as subscription:
        daemon.wait_until_ready(subscription)
        assert isinstance(next(iter(subscription.results(READY_S))), Result)
    with Control(secured.control, secured.keys("press4")) as control:
        control.stop()
        control.start()
    journal = (secured.file.parent / "state" / FILE_NAME).read_bytes()
    wal = (secured.file.parent / "state" / f"{FILE_NAME}-wal").read_bytes()
    assert b"press4" in journal + wal, "the audit does not say who"
    for keys in (None, secured.keys("stranger")):
        with Subscription(secured.stream, keys=keys) as subscription:
            assert subscription.receive(1.5) is None
        with Control(secured.control, keys, timeout_s=1.5) as control, pytest.raises(NoAnswer):
            control.status()
    for port in (secured.port, secured.port + 1):
        said = parse(probe(port, [greeting(b"NULL"), command(b"READY"), message(b"\x01")]))
        assert (said.commands, said.messages, said.rest) == ([], 0, b"")
    with urlopen(f"http://127.0.0.1:{secured.metrics_port}/metrics", timeout=5) as page:
        assert "datumd_results_total" in page.read().decode(), "the station's own processes are its clients, too"


def refusal(*words: str | Path) -> str:
    """The one line with which a command refused."""
    line = [sys.executable, "-m", "pipeline", *map(str, words)]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode > 0
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("asked", ["check", "run"])
def test_a_key_that_others_may_read_is_refused(secured: Secured, asked: str) -> None:
    key = secured.file.parent / "station.key"
    key.chmod(0o644)
    assert f"next: chmod 600 {key}" in refusal(asked, secured.file)


def test_check_names_a_file_that_is_no_client(secured: Secured) -> None:
    (secured.file.parent / "clients" / "press5.pub").write_bytes(b"no key")
    assert "press5.pub: is no key file" in refusal("check", secured.file)
