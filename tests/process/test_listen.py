"""`datumd listen` in a shell, where its reader may go at any time."""

import subprocess
import sys
import time
from collections.abc import Callable

import zmq

from pipeline.ledger.wire import ResultStream
from pipeline.status import Heartbeat
from tests.results import result


def test_a_reader_that_has_gone_ends_listen_without_a_word(free_port: Callable[[], int]) -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "pipeline", "listen", endpoint]
    with zmq.Context[zmq.Socket[bytes]]() as context:
        stream = ResultStream(context, "L3-S20", endpoint)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            child.stdout.close()
            seq, until = 0, time.monotonic() + 30
            while child.poll() is None and time.monotonic() < until:
                seq += 1
                stream.publish_heartbeat(Heartbeat("L3-S20", 1, seq - 1, "2026-01-01T00:00:00.000000Z"))
                stream.publish_result(result(session=1, seq=seq))
                time.sleep(0.05)
            words = child.stderr.read()
        stream.close()
    assert words == ""
    assert child.returncode == 141
