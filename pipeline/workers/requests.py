"""The process that answers clients: missed results from the journal, and their commands, which it hands on to the ledger.

What comes in is anybody's bytes, so they are read here and not in the ledger. It also makes the journal safe on the disk, so
that the ledger never waits for one.
"""

import os
import threading
from pathlib import Path

import zmq

from pipeline import requests
from pipeline.clock import monotonic_ns
from pipeline.errors import AlreadyRunning
from pipeline.ledger.journal_reader import JournalReader
from pipeline.messages import Asked, Refused, RequestsHello, Told
from pipeline.requests import Replay, Reply
from pipeline.ring.frame_ring import FrameRing
from pipeline.security import Gate
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext
from pipeline.workers.checkpoints import Checkpoints
from pipeline.workers.client_message import ClientMessage, read_client_message
from pipeline.workers.link import LedgerLink
from pipeline.workers.pending import Back, Pending
from pipeline.workers.replays import Replays

TURN_MS = 100
MESSAGES_A_TURN = 200
BEAT_NS = 1_000_000_000
MOST_UNREAD_REPLIES = 32  # a client that does not read loses its replies: they are a MiB at most
MOST_UNREAD_REQUESTS = 32  # of one client; the rest waits at the client


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Run until `stop` is set."""
    worker = RequestsWorker(context)
    try:
        worker.run(stop)
    finally:
        worker.close()


class RequestsWorker:
    """Reads requests, answers those for results, hands the others on, and passes replies back."""

    def __init__(self, context: WorkerContext) -> None:
        """Bind.

        Raises:
            AlreadyRunning: the address is taken.
        """
        runtime = context.runtime
        self._context = context
        self._ring = FrameRing.attach(runtime.ring_path)
        self._session = 0  # of the ledger that has our hello
        self._pending = Pending()
        self._replays = Replays(JournalReader.open(Path(runtime.state_folder)))
        self._checkpoints = Checkpoints(Path(runtime.state_folder))
        self._link = LedgerLink(runtime.ledger_path, context.name)
        self._zmq = zmq.Context[zmq.Socket[bytes]]()
        self._gate = Gate(self._zmq, runtime.station.security)
        self._clients = bound_router(self._zmq, self._gate, runtime.control_endpoint)
        self._refused = 0

    def run(self, stop: threading.Event) -> None:
        """Hear clients and the ledger until told to stop."""
        self._context.vitals.set_state(self._context.row, WorkerState.ready)
        next_beat = monotonic_ns()
        while not stop.is_set():
            self._greet()
            poller = zmq.Poller()
            poller.register(self._clients, zmq.POLLIN)
            if self._link.descriptor is not None:
                poller.register(self._link.descriptor, zmq.POLLIN)
            poller.poll(0 if self._replays else TURN_MS)
            self._hear_ledger()
            self._hear_clients()
            self._hand_on()
            if self._replays:
                self._send(self._replays.answer())
            if monotonic_ns() >= next_beat:
                self._beat()
                next_beat = monotonic_ns() + BEAT_NS
            self._context.progress()

    def _greet(self) -> None:
        """A new ledger is told of us, and asked again what the old one has not answered."""
        session = self._ring.session
        if session == self._session:
            return
        self._session = session
        self._link.reconnect()
        self._link.send(RequestsHello(os.getpid(), session))
        for asked in self._pending.untold():
            self._link.send(asked)

    def _hear_ledger(self) -> None:
        for message in self._link.receive(0):
            answered = self._pending.told(message) if isinstance(message, Told) else None
            if answered is not None:
                self._reply(*answered)

    def _hand_on(self) -> None:
        """What had to wait its turn; without a ledger it goes with the next hello."""
        for asked in self._pending.due():
            if self._session:
                self._link.send(asked)

    def _hear_clients(self) -> None:
        """Read what clients have sent; no more than a turn's worth. ZeroMQ takes them in turn."""
        for _ in range(MESSAGES_A_TURN):
            try:
                frames = self._clients.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            message = read_client_message([bytes(frame.buffer) for frame in frames])
            if message is None:
                self._refused += 1
            else:
                self._take(message, self._gate.peer(frames[-1]))

    def _take(self, message: ClientMessage, peer: str) -> None:
        said = message.said
        if isinstance(said, Reply):
            self._reply(message.back, requests.encode(said))
        elif isinstance(said, Replay):
            refusal = self._replays.ask(message.back, said)
            if refusal is not None:
                self._reply(message.back, requests.encode(refusal))
        else:
            whose = f"{peer}: {said.who}" if said.who else peer
            answer = self._pending.ask(message.back, whose, said, monotonic_ns())
            if isinstance(answer, bytes):
                self._reply(message.back, answer)
            elif isinstance(answer, Asked) and self._session:
                self._link.send(answer)

    def _beat(self) -> None:
        for back, reply in self._pending.expire(monotonic_ns()):
            self._reply(back, reply)
        if self._refused and self._session:
            self._link.send(Refused(self._refused))
            self._refused = 0

    def _reply(self, back: Back, reply: bytes) -> None:
        self._send([*back, reply])

    def _send(self, parts: list[bytes]) -> None:
        """A ROUTER drops what a client has no room for, or that is for nobody."""
        self._clients.send_multipart(parts)

    def close(self) -> None:
        """Let go of everything."""
        self._checkpoints.close()
        self._clients.close(linger=200)
        self._gate.close()
        self._zmq.term()
        self._link.close()
        self._ring.close()


def bound_router(context: "zmq.Context[zmq.Socket[bytes]]", gate: Gate, endpoint: str) -> "zmq.Socket[bytes]":
    """The socket at which clients ask. Raises AlreadyRunning when the address is taken."""
    socket = context.socket(zmq.ROUTER)
    socket.sndhwm, socket.rcvhwm = MOST_UNREAD_REPLIES, MOST_UNREAD_REQUESTS
    socket.tcp_keepalive = 1
    gate.secure_server(socket)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise AlreadyRunning(
            f"cannot bind: {error.strerror}",
            where=f"control.bind {endpoint}",
            next_command="ss -ltnp, or set another control.bind",
        ) from error
    return socket
