"""What a station has answered before the page was there, from its journal."""

import msgspec
import zmq

from pipeline import requests
from pipeline.client.message import read_result
from pipeline.client.requester import Requester
from pipeline.requests import Replay
from pipeline.result import Result
from pipeline.security import ClientKeys

WAIT_MS = 2000


def recall(endpoint: str, keys: ClientKeys | None, session: int, seq: int, limit: int) -> list[Result]:
    """The results after (session, seq), in order, at most `limit`; none where the station does not answer in time.

    `endpoint` is where the station answers requests; `limit` is 1000 at most.
    """
    with zmq.Context[zmq.Socket[bytes]]() as context:
        requester = Requester(context, endpoint, keys)
        try:
            requester.socket.poll(WAIT_MS, zmq.POLLOUT)
            requester.send(requests.encode(Replay(id="recall", session=session, seq=max(0, seq), limit=limit)))
            if not requester.socket.poll(WAIT_MS):
                return []
            parts = requester.receive()
            requests.decode_reply(parts[0])
            return [read_result(part) for part in parts[1:]]
        except (ValueError, IndexError, msgspec.MsgspecError):
            return []
        finally:
            requester.close()
