"""A real MQTT broker (Mosquitto) and a real subscriber (mosquitto_sub), which neither of them is ours."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

SYSTEM_FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin:/usr/local/sbin"
ID = "datumd-test-subscriber"


def program(name: str) -> str:
    """The path of a program of the Debian packages mosquitto and mosquitto-clients."""
    return shutil.which(name, path=SYSTEM_FOLDERS) or name


class Mosquitto:
    """A broker on the loopback that keeps what is queued over an orderly restart."""

    def __init__(self, folder: Path, port: int, extra: str = "allow_anonymous true\n") -> None:
        self.port = port
        self._file = folder / "mosquitto.conf"
        kept = f"persistence true\npersistence_location {folder}/\nuser root\nmax_queued_messages 0\n"
        self._file.write_text(f"listener {port} 127.0.0.1\n{kept}{extra}")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [program("mosquitto"), "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 20
        while time.monotonic() < until and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("mosquitto does not listen")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


class MosquittoSub:
    """Everything below datumd/, with QoS 1 and a session that outlives the connection."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self._path = folder / "heard.txt"
        self._file = self._path.open("wb")
        command = [
            program("mosquitto_sub"),
            "-p",
            str(port),
            "-t",
            "datumd/#",
            "-q",
            "1",
            "-c",
            "-i",
            ID,
            "-F",
            "%r %t %p",
        ]
        self._process = subprocess.Popen([*command, *options], stdout=self._file, stderr=subprocess.DEVNULL)

    def heard(self) -> list[tuple[bool, str, str]]:
        """Was it retained, topic, payload; in order."""
        lines = [line.split(" ", 2) for line in self._path.read_text().splitlines()]
        return [(line[0] == "1", line[1], line[2]) for line in lines if len(line) == 3]

    def wait(self, what: Callable[[list[tuple[bool, str, str]]], bool], limit_s: float = 30.0) -> None:
        until = time.monotonic() + limit_s
        while not what(self.heard()):
            if time.monotonic() > until:
                raise AssertionError(f"heard only {[line[:2] for line in self.heard()][-20:]}")
            time.sleep(0.05)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._file.close()
