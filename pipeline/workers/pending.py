"""Requests that the ledger has not answered yet, and the newest of those that it has, so that none is carried out twice."""

import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass

import msgspec

from pipeline import requests
from pipeline.messages import Asked, Told
from pipeline.requests import Command, Reply

MOST_PENDING = 1000
MOST_AT_LEDGER = 4  # at a time, so that no deadline waits for more commands than these
MOST_TOLD = 1000
MOST_TOLD_BYTES = 8 << 20
LIMIT_NS = 10_000_000_000  # no answer by then: the client is told so

Back = tuple[bytes, ...]


@dataclass(slots=True)
class _Question:
    back: Back
    asked: Asked
    id: str
    until_ns: int


@dataclass(frozen=True, slots=True)
class _Answered:
    command: Command
    reply: bytes


class Pending:
    """Pure. A request that comes again (same peer, same id, same content) gets the same reply, and is not forwarded again."""

    def __init__(self, at_ledger: int = MOST_AT_LEDGER) -> None:
        """`at_ledger`: how many are forwarded and not answered at a time; the others wait for their turn."""
        self._ticket = secrets.randbits(40) << 20  # what a forerunner asked is told under other tickets
        self._questions: OrderedDict[int, _Question] = OrderedDict()
        self._tickets: dict[tuple[str, str], int] = {}
        self._most_at_ledger = at_ledger
        self._at_ledger: set[int] = set()
        self._queue: deque[int] = deque()  # tickets that are not forwarded yet
        self._told: OrderedDict[tuple[str, str], _Answered] = OrderedDict()
        self._told_bytes = 0

    def ask(self, back: Back, peer: str, command: Command, now_ns: int) -> Asked | bytes | None:
        """A client asks: what to forward, or its reply at once, or neither where it waits already or has to wait its turn."""
        key = (peer, command.id)
        if command.id and key in self._told:
            answered = self._told[key]
            return answered.reply if answered.command == command else _refusal(command, "this id was used before")
        waiting = self._questions.get(self._tickets.get(key, 0)) if command.id else None
        if waiting is not None:
            if waiting.asked.command != command:
                return _refusal(command, "this id was used before")
            waiting.back = back
            return None
        if len(self._questions) >= MOST_PENDING:
            return _refusal(command, "too many requests are waiting")
        return self._forward(back, peer, command, now_ns)

    def _forward(self, back: Back, peer: str, command: Command, now_ns: int) -> Asked | None:
        self._ticket += 1
        named = command if command.id else msgspec.structs.replace(command, id=f"ticket-{self._ticket}")
        asked = Asked(self._ticket, peer, named)
        self._questions[self._ticket] = _Question(back, asked, command.id, now_ns + LIMIT_NS)
        if command.id:
            self._tickets[peer, command.id] = self._ticket
        if self._queue or len(self._at_ledger) >= self._most_at_ledger:
            self._queue.append(self._ticket)
            return None
        self._at_ledger.add(self._ticket)
        return asked

    def due(self) -> list[Asked]:
        """What is to be forwarded now that others are answered or given up."""
        due: list[Asked] = []
        while self._queue and len(self._at_ledger) < self._most_at_ledger:
            ticket = self._queue.popleft()
            if ticket in self._questions:
                self._at_ledger.add(ticket)
                due.append(self._questions[ticket].asked)
        return due

    def told(self, message: Told) -> tuple[Back, bytes] | None:
        """The ledger has answered: where the reply goes, and its bytes. None where nobody waits for it any more."""
        question = self._forget(message.ticket)
        if question is None:
            return None
        if not question.id:
            reply = msgspec.structs.replace(requests.decode_reply(message.reply), id="")
            return question.back, requests.encode(reply)
        self._keep((question.asked.peer, question.id), _Answered(question.asked.command, message.reply))
        return question.back, message.reply

    def untold(self) -> list[Asked]:
        """What a new ledger is to be asked again."""
        return [self._questions[ticket].asked for ticket in sorted(self._at_ledger)]

    def expire(self, now_ns: int) -> list[tuple[Back, bytes]]:
        """Replies to those that the ledger has not answered in time."""
        late = [ticket for ticket, question in self._questions.items() if question.until_ns <= now_ns]
        replies = []
        for ticket in late:
            question = self._forget(ticket)
            if question is not None:
                text = "no answer from the ledger; whether it was carried out is not known"
                replies.append((question.back, requests.encode(Reply(question.id, text, "datumd status"))))
        return replies

    def _forget(self, ticket: int) -> _Question | None:
        question = self._questions.pop(ticket, None)
        self._at_ledger.discard(ticket)
        if question is not None:
            self._tickets.pop((question.asked.peer, question.id), None)
        return question

    def _keep(self, key: tuple[str, str], answered: _Answered) -> None:
        self._told[key] = answered
        self._told_bytes += len(answered.reply)
        while len(self._told) > MOST_TOLD or self._told_bytes > MOST_TOLD_BYTES:
            self._told_bytes -= len(self._told.popitem(last=False)[1].reply)


def _refusal(command: Command, error: str) -> bytes:
    return requests.encode(Reply(command.id, error, "ask again with another id"))
