"""Which requests wait for the ledger, without sockets."""

from pipeline import requests
from pipeline.messages import Asked, Told
from pipeline.requests import Bind, Reply, Start, Stop, Trigger
from pipeline.workers.pending import LIMIT_NS, MOST_AT_LEDGER, MOST_PENDING, MOST_TOLD, Pending

CLIENT, AGAIN = (b"client",), (b"client, connected again",)


def asked(pending: Pending, command: requests.Command, peer: str = "plc") -> Asked:
    answer = pending.ask(CLIENT, peer, command, 0)
    assert isinstance(answer, Asked)
    return answer


def error(reply: bytes | Asked | None) -> str:
    assert isinstance(reply, bytes)
    return str(requests.decode_reply(reply).error)


def test_a_reply_goes_to_who_asked_and_only_once() -> None:
    pending = Pending()
    first, second = asked(pending, Trigger(id="a")), asked(pending, Start(id="b"))
    reply = requests.encode(Reply("b"))
    assert pending.told(Told(second.ticket, reply)) == (CLIENT, reply)
    assert pending.told(Told(second.ticket, reply)) is None
    assert pending.told(Told(12345, reply)) is None
    assert pending.untold() == [first]


def test_what_waits_is_not_forwarded_again_and_answered_where_the_client_is_now() -> None:
    pending = Pending()
    first = asked(pending, Trigger(id="a"))
    assert pending.ask(AGAIN, "plc", Trigger(id="a"), 1) is None
    reply = requests.encode(Reply("a", trigger=3))
    assert pending.told(Told(first.ticket, reply)) == (AGAIN, reply)


def test_what_was_carried_out_is_answered_from_memory() -> None:
    pending = Pending()
    reply = requests.encode(Reply("a", trigger=3))
    pending.told(Told(asked(pending, Trigger(id="a")).ticket, reply))
    assert pending.ask(AGAIN, "plc", Trigger(id="a"), 1) == reply
    assert isinstance(pending.ask(AGAIN, "another", Trigger(id="a"), 1), Asked)


def test_an_id_means_one_request() -> None:
    pending = Pending()
    waiting = asked(pending, Trigger("X", id="a"))
    assert error(pending.ask(CLIENT, "plc", Trigger("Y", id="a"), 1)) == "this id was used before"
    pending.told(Told(waiting.ticket, requests.encode(Reply("a"))))
    assert error(pending.ask(CLIENT, "plc", Stop(id="a"), 1)) == "this id was used before"


def test_requests_without_an_id_are_each_carried_out_and_get_none_back() -> None:
    pending = Pending()
    first, second = asked(pending, Trigger()), asked(pending, Trigger())
    assert first.command.id != second.command.id
    assert first.command.id
    back = pending.told(Told(first.ticket, requests.encode(Reply(first.command.id, trigger=8))))
    assert back == (CLIENT, requests.encode(Reply(trigger=8)))


def test_a_request_that_the_ledger_does_not_answer_is_given_up_and_told() -> None:
    pending = Pending()
    ticket = asked(pending, Start(id="a")).ticket
    assert pending.expire(LIMIT_NS - 1) == []
    ((back, reply),) = pending.expire(LIMIT_NS)
    assert back == CLIENT
    assert "not known" in error(reply)
    assert pending.told(Told(ticket, reply)) is None
    assert isinstance(pending.ask(CLIENT, "plc", Start(id="a"), LIMIT_NS), Asked)


def test_the_ledger_is_asked_a_few_things_at_a_time_and_all_of_them_in_order() -> None:
    pending = Pending()
    at_ledger = [asked(pending, Start(id=str(number))) for number in range(MOST_AT_LEDGER)]
    for number in range(MOST_AT_LEDGER, 20):
        assert pending.ask(CLIENT, "plc", Start(id=str(number)), number) is None
    assert pending.due() == []
    told = []
    while at_ledger:
        assert pending.untold() == at_ledger
        first = at_ledger.pop(0)
        assert pending.told(Told(first.ticket, requests.encode(Reply(first.command.id))))
        told.append(first.command.id)
        at_ledger += pending.due()
        assert len(at_ledger) <= MOST_AT_LEDGER
    assert told == [str(number) for number in range(20)]


def test_what_is_given_up_makes_room_and_is_not_forwarded_later() -> None:
    pending = Pending(at_ledger=1)
    asked(pending, Start(id="a"))
    assert pending.ask(CLIENT, "plc", Start(id="b"), 0) is None
    assert pending.ask(CLIENT, "plc", Start(id="c"), 5) is None
    assert len(pending.expire(LIMIT_NS)) == 2
    assert [one.command.id for one in pending.due()] == ["c"]


def test_memory_is_bounded() -> None:
    pending = Pending(at_ledger=MOST_PENDING)
    for number in range(MOST_PENDING):
        asked(pending, Start(id=str(number)))
    assert error(pending.ask(CLIENT, "plc", Start(id="one more"), 0)) == "too many requests are waiting"
    for number, waiting in enumerate(pending.untold()):
        pending.told(Told(waiting.ticket, requests.encode(Reply(str(number)))))
    for number in range(MOST_TOLD + 1):
        waiting = asked(pending, Bind(id=f"more {number}", parts=[(1, "A")]))
        pending.told(Told(waiting.ticket, requests.encode(Reply(f"more {number}"))))
    assert isinstance(pending.ask(CLIENT, "plc", Start(id="0"), 0), Asked)  # forgotten
    assert isinstance(pending.ask(CLIENT, "plc", Bind(id="more 500", parts=[(1, "A")]), 0), bytes)
