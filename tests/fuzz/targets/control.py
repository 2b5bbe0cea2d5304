"""What a client sends to a station's requests, up to the message that the ledger reads."""

import functools
import random
from collections.abc import Hashable

from pipeline import messages, requests
from pipeline.ledger.journal_reader import JournalReader
from pipeline.messages import Asked, Told
from pipeline.requests import Replay, Reply
from pipeline.workers.client_message import read_client_message
from pipeline.workers.pending import Pending
from pipeline.workers.replays import Replays
from tests.fuzz import workspace
from tests.fuzz.mutation import vary_json
from tests.fuzz.target import Target

SPLIT = b"\xff\xfe"  # between messages, none of which can hold it as JSON


def execute(data: bytes) -> Hashable:
    """Messages of one client, one after the other; each ends in a reply, a command for the ledger, or nothing."""
    pending, replays = Pending(), Replays(_journal())
    found: list[Hashable] = []
    for number, payload in enumerate(data.split(SPLIT)[:20]):
        parts = [b"peer", payload] if number % 2 else [b"peer", b"", payload]
        message = read_client_message(parts)
        if message is None:
            found.append("dropped")
            continue
        assert message.back == tuple(parts[:-1])
        said = message.said
        if isinstance(said, Reply):
            reply = requests.encode(said)
            assert requests.decode_reply(reply).error, "a refusal says what is wrong"
            assert len(reply) < 4000, f"a refusal of {len(reply)} bytes"
            found.append("refused")
        elif isinstance(said, Replay):
            refusal = replays.ask(message.back, said)
            answered = replays.answer()
            requests.decode_reply(answered[len(message.back)])
            found.append(("replay", refusal is None))
        else:
            found.append(_forwarded(pending, pending.ask(message.back, "press4", said, number), number))
    pending.expire(2**62)
    return tuple(found[:4])


def _forwarded(pending: Pending, answer: Asked | bytes | None, number: int) -> Hashable:
    """The ledger must read what was forwarded as what the client meant."""
    if not isinstance(answer, Asked):
        return "again" if answer is None else "at once"
    assert messages.decode_to_ledger(messages.encode(answer)) == answer
    if number % 3:
        replied = pending.told(Told(answer.ticket, requests.encode(Reply(answer.command.id))))
        assert replied is not None
        assert requests.decode_reply(replied[1]).error == ""
    return type(answer.command).__name__


@functools.cache
def _journal() -> JournalReader:
    return JournalReader.open(workspace.folder("control"))  # with nothing in it


def vary(data: bytes, rng: random.Random) -> bytes:
    """Vary one of the messages."""
    parts = data.split(SPLIT)
    place = rng.randrange(len(parts))
    parts[place] = vary_json(parts[place], rng)
    return SPLIT.join(parts)


TARGET = Target("control", execute, vary)
