"""A server as the daemon's are, for test_security: an XPUB that publishes all the time, a ROUTER that says who asked.

python -m tests.process.gated_server STATION.key CLIENTS: prints its two ports, ends when its standard input does.
"""

import sys
import threading
from typing import Any

import zmq

from pipeline.config import SecuritySettings
from pipeline.security import Gate

EVERY_MS = 2


def main() -> None:
    """Serve until the standard input ends."""
    context = zmq.Context[zmq.Socket[bytes]]()
    gate = Gate(context, SecuritySettings(sys.argv[1], sys.argv[2]))
    stream, requests = (_bound(context, gate, kind) for kind in (zmq.XPUB, zmq.ROUTER))
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    sys.stdout.write(f"{_port(stream)} {_port(requests)}\n")
    sys.stdout.flush()
    number = 0
    while not stop.is_set():
        if requests.poll(EVERY_MS):
            asker, *parts = requests.recv_multipart(copy=False)
            requests.send_multipart([bytes(asker), gate.peer(parts[-1]).encode(), str(gate.refused).encode()])
        while stream.poll(0):
            stream.recv()
        number += 1
        stream.send_multipart([b"result/s/", b"%d" % number])
    for bound in (stream, requests):
        bound.close(0)
    gate.close()
    context.term()


def _bound(context: "zmq.Context[zmq.Socket[bytes]]", gate: Gate, kind: int) -> "zmq.Socket[Any]":
    bound = context.socket(kind)
    gate.secure_server(bound)
    bound.bind("tcp://127.0.0.1:*")
    return bound


def _port(bound: "zmq.Socket[Any]") -> str:
    return str(bound.last_endpoint.decode().rpartition(":")[2])


if __name__ == "__main__":
    main()
