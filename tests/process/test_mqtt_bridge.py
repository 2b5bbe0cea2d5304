"""`datumd bridge mqtt` as its own process, a real broker (Mosquitto) and a real subscriber (mosquitto_sub)."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("paho.mqtt", reason="needs the extra mqtt; next: pip install 'datumd[mqtt]'")

from pipeline import result as result_schema
from pipeline.cli import main
from pipeline.sinks.mqtt.topics import State
from tests.mqtt_broker import Mosquitto, MosquittoSub, program
from tests.played_stations import PlayedStation

SMALL_FILE = str(Path(__file__).with_name("__init__.py"))
BRIDGE = [sys.executable, "-m", "pipeline", "bridge", "mqtt"]


@contextmanager
def beating(station: PlayedStation) -> Iterator[None]:
    """Somebody answers requests, and the station's heart beats."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.2):
            station.beat()

    with station.answering():
        thread = threading.Thread(target=beat)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def seqs(heard: list[tuple[bool, str, str]]) -> list[int]:
    return [result_schema.decode(payload.encode()).seq for _, topic, payload in heard if topic.endswith("/result")]


def states(heard: list[tuple[bool, str, str]]) -> list[State]:
    return [msgspec.json.decode(payload, type=State) for _, topic, payload in heard if topic.endswith("/state")]


@pytest.mark.needs_debian("mosquitto")
@pytest.mark.needs_debian("mosquitto-clients")
def test_no_result_is_missed_while_broker_or_bridge_are_away_and_the_will_tells_a_death(
    run_dir: Path, station_name: str, free_port: Callable[[], int]
) -> None:
    with ExitStack() as stack:
        station = PlayedStation(run_dir, station_name, free_port(), free_port())
        stack.callback(station.close)
        broker = Mosquitto(run_dir, free_port())
        broker.start()
        stack.callback(broker.stop)
        stack.enter_context(beating(station))
        heard = MosquittoSub(run_dir, broker.port)
        stack.callback(heard.close)
        url = f"mqtt://127.0.0.1:{broker.port}"
        command = [*BRIDGE, station.endpoint, "--broker", url, "--cursor", str(run_dir / "cursor")]

        bridge = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        stack.callback(bridge.kill)
        heard.wait(lambda lines: [state.online for state in states(lines)][-1:] == [True])
        station.publish(20)
        heard.wait(lambda lines: len(seqs(lines)) == 20)

        broker.stop()
        station.publish(20)
        broker.start()
        heard.wait(lambda lines: len(set(seqs(lines))) == 40)

        bridge.kill()
        bridge.wait()
        heard.wait(lambda lines: not states(lines)[-1].online)
        assert states(heard.heard())[-1].text == "the bridge is gone"
        station.publish(20)
        bridge = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        stack.callback(bridge.wait)
        stack.callback(bridge.kill)
        heard.wait(lambda lines: len(set(seqs(lines))) == 60)
        bridge.send_signal(signal.SIGTERM)
        assert bridge.wait(20) == 0
        heard.wait(lambda lines: states(lines)[-1].text == "the bridge has ended")
        firsts = list(dict.fromkeys(seqs(heard.heard())))
        assert firsts == list(range(1, 61))
        assert {topic for _, topic, _ in heard.heard()} == {
            f"datumd/{station_name}/{name}" for name in ("result", "state")
        }


@pytest.mark.needs_debian("mosquitto")
@pytest.mark.needs_debian("mosquitto-clients")
@pytest.mark.needs_debian("openssl", program="openssl")
def test_a_broker_that_wants_tls_and_a_password_has_both(
    run_dir: Path, station_name: str, free_port: Callable[[], int]
) -> None:
    certificate, key, word, wrong = (run_dir / name for name in ("ca.pem", "ca.key", "word", "wrong"))
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*made, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    for path, text in ((word, "right horse\n"), (wrong, "wrong horse\n")):
        path.write_text(text)
        path.chmod(0o600)
    users = run_dir / "users"
    subprocess.run(
        [program("mosquitto_passwd"), "-b", "-c", users, "press4", "right horse"], check=True, capture_output=True
    )
    tls = f"cafile {certificate}\ncertfile {certificate}\nkeyfile {key}\nallow_anonymous false\npassword_file {users}\n"
    with ExitStack() as stack:
        broker = Mosquitto(run_dir, free_port(), tls)
        broker.start()
        stack.callback(broker.stop)
        options = ["--cafile", certificate, "-h", "localhost", "-u", "press4", "-P", "right horse"]
        heard = MosquittoSub(run_dir, broker.port, *map(str, options))
        stack.callback(heard.close)
        url = f"mqtts://localhost:{broker.port}"
        station = ["tcp://127.0.0.1:9", "--station", station_name]
        command = [*BRIDGE, *station, "--broker", url, "--user", "press4", "--ca", str(certificate), "--password"]
        refused = stack.enter_context(subprocess.Popen([*command, str(wrong)], stderr=subprocess.PIPE, text=True))
        stack.callback(refused.kill)
        assert refused.stderr is not None
        assert "MQTT to" in refused.stderr.readline()
        assert "refuses us" in refused.stderr.readline()
        assert refused.poll() is None
        refused.kill()
        bridge = subprocess.Popen([*command, str(word)], stderr=subprocess.DEVNULL)
        stack.callback(bridge.wait)
        stack.callback(bridge.kill)
        heard.wait(lambda lines: [state.text for state in states(lines)] == ["the station is not heard"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--broker", "http://x"], "is no broker"),
        (["--broker", "mqtt://plant", "--user", "a", "--password", __file__], "in the clear"),
        (["--broker", "mqtts://plant", "--ca", "/nowhere"], "no such file"),
        (["--broker", "mqtts://plant", "--ca", __file__], "cannot be used"),
        (["--broker", "mqtts://plant", "--user", "a", "--password", SMALL_FILE], "__init__.py"),
        (["--prefix", "a/#"], "begins no topic"),
    ],
)
def test_settings_that_reach_no_broker_are_refused_in_one_line(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bridge", "mqtt", "tcp://127.0.0.1:9", "--station", "a", *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
