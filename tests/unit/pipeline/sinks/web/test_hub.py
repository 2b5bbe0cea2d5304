import asyncio
from contextlib import aclosing

from pipeline.sinks.web.hub import MOST_CLIENTS, Hub


def test_a_slow_browser_gets_the_newest_word_of_each_kind_and_nothing_is_queued_for_it() -> None:
    async def play() -> None:
        hub = Hub()
        hub.begin(asyncio.get_running_loop())
        hub.tell("status", b"old")
        await asyncio.sleep(0)
        async with aclosing(hub.listen(1.0)) as slow:
            assert await anext(slow) == {"status": b"old"}
            for number in range(1000):
                hub.tell("part", b"%d" % number)
            hub.tell("status", b"new")
            await asyncio.sleep(0)
            assert await anext(slow) == {"part": b"999", "status": b"new"}
            assert hub.listeners == 1
        assert hub.listeners == 0

    asyncio.run(play())


def test_silence_is_told_and_there_is_an_end_of_room() -> None:
    async def play() -> None:
        hub = Hub()
        hub.begin(asyncio.get_running_loop())
        listening = [hub.listen(0.01) for _ in range(MOST_CLIENTS)]
        assert [await anext(one) for one in listening] == [{}] * MOST_CLIENTS
        assert not hub.has_room
        assert [words async for words in hub.listen(0.01)] == []
        for one in listening:
            await one.aclose()
        assert hub.has_room

    asyncio.run(play())
