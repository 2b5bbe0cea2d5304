"""One message from process to process at the pace of a line: the workers' own line to the ledger beside ZeroMQ's ipc."""

import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import zmq

from benchmarks.report import Figure, Measured, main
from pipeline.clock import monotonic_ns
from pipeline.result_text import percentile
from pipeline.workers.line import Line

WAYS = ("line", "zmq ipc")
GAP_S = 0.04  # between messages, as between parts
BLOCK = 25  # messages of one way, then of the other
STAMP_BYTES = 8


def measure(quick: bool) -> Measured:
    """Measure how long a message of 8 bytes takes between two processes that sleep meanwhile, and how long sending takes."""
    hops: dict[str, list[float]] = {way: [] for way in WAYS}
    sends: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="datumd-bench-") as folder:
        path = Path(folder) / "hop"
        told, telling = multiprocessing.Pipe(duplex=False)
        near, far = socket.socketpair()
        other = multiprocessing.get_context("fork").Process(target=_hear, args=(far, path, telling), daemon=True)
        other.start()
        line = Line(near)
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.connect(f"ipc://{path}")
            dealer.send(bytes(STAMP_BYTES))  # until it is through, nothing is measured
            told.recv()
            send: dict[str, Callable[[bytes], object]] = {"line": line.send, "zmq ipc": dealer.send}
            for _ in range(3 if quick else 20):
                for way in WAYS:
                    for _ in range(BLOCK):
                        time.sleep(GAP_S)
                        sent_ns = monotonic_ns()
                        send[way](sent_ns.to_bytes(STAMP_BYTES, "little"))
                        sends[way].append((monotonic_ns() - sent_ns) / 1e3)
                        hops[way].append(told.recv() / 1e3)
        other.terminate()
        other.join()
        line.close()
    ratio = percentile(hops["line"], 50) / percentile(hops["zmq ipc"], 50)
    return Measured(
        title=f"a message of {STAMP_BYTES} bytes every {GAP_S * 1e3:g} ms, both processes asleep meanwhile; us",
        columns=["way", "until it is heard, p50", "p99", "until it is sent, p50", "p99"],
        rows=[[way, *(percentile(one[way], share) for one in (hops, sends) for share in (50, 99))] for way in WAYS],
        figures=[Figure("line_over_zmq", ratio), Figure("line_us", percentile(hops["line"], 50))],
    )


def _hear(far: socket.socket, path: Path, telling: "Connection[int, None]") -> None:
    """The other process: tells of each message how long it was on its way, ns."""
    line, poller = Line(far), zmq.Poller()
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.bind(f"ipc://{path}")
        poller.register(router, zmq.POLLIN)
        poller.register(line.descriptor, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            heard = [router.recv_multipart()[1]] if router in ready else line.receive()
            now_ns = monotonic_ns()
            for stamp in heard:
                telling.send(now_ns - int.from_bytes(stamp, "little"))


if __name__ == "__main__":
    sys.exit(main("hop", measure))
