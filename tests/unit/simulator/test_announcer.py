import time
from collections.abc import Callable

import pytest
import zmq

from pipeline import requests
from pipeline.errors import ConfigError
from pipeline.requests import Bind, Reply
from simulator.announcer import MOST_REFUSALS, Announcer


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("error", ["", "already answered"])
def test_a_part_id_is_told_until_somebody_answers_and_never_before_anybody_is_there(
    free_port: Callable[[], int], error: str
) -> None:
    port = free_port()
    announcer = Announcer(f"tcp://127.0.0.1:{port}")
    announcer.announce(7, "part-7")
    time.sleep(0.1)  # nobody is there
    with zmq.Context() as context, context.socket(zmq.ROUTER) as station:
        station.linger = 0
        station.bind(f"tcp://127.0.0.1:{port}")
        asked = 0
        while not (announcer.acknowledged or announcer.refused):
            assert station.poll(5000)
            peer, *_, payload = station.recv_multipart()
            request = requests.decode_request(payload)
            assert isinstance(request, Bind)
            assert request.parts == [(7, "part-7")]
            asked += 1
            if asked > 1:  # the first one is lost in a process that dies
                station.send_multipart([peer, requests.encode(Reply(id=request.id, error=error))])
                until(lambda: announcer.acknowledged + announcer.refused > 0 or station.poll(0) > 0)
        announcer.close()
    assert (announcer.acknowledged, announcer.refused) == ((0, 1) if error else (1, 0))
    assert asked == (1 + MOST_REFUSALS if error else 2)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        Announcer("nowhere")
