"""The stream of events that a browser listens to (server-sent events, HTML standard 9.2)."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from starlette.types import Receive, Scope, Send

from pipeline.sinks.web.hub import Hub

SEND_LIMIT_S = 20.0
SILENCE_S = 1.0  # after which a word is sent all the same, so that a browser knows that we are there

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy must not keep them back
]


class Events:
    """An ASGI response. A browser that takes nothing for SEND_LIMIT_S is let go."""

    def __init__(self, hub: Hub, may_look: Callable[[], bool]) -> None:
        """`may_look` is asked before each word: who is struck off is out at once."""
        self._hub, self._may_look = hub, may_look

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is new until the browser goes."""
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        status = 200 if self._hub.has_room else 503
        await send({"type": "http.response.start", "status": status, "headers": _HEADERS})
        async with aclosing(self._hub.listen(SILENCE_S)) as news:
            async for words in news:
                if not self._may_look():
                    break
                body = b"".join(b"event: %s\ndata: %s\n\n" % (kind.encode(), words[kind]) for kind in words)
                body = body or b"event: here\ndata: 0\n\n"
                await asyncio.wait_for(
                    send({"type": "http.response.body", "body": body, "more_body": True}), SEND_LIMIT_S
                )
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
