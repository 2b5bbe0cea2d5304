"""Missed results from the journal, a page at a time, and the clients in turn: who asks without end holds up only itself."""

from collections import OrderedDict, deque

from pipeline import requests
from pipeline.errors import JournalError
from pipeline.ledger.journal_reader import JournalReader
from pipeline.requests import Gap, Replay, Reply
from pipeline.workers.pending import Back

MOST_WAITING = 4  # of one client
MOST_CLIENTS = 1000
MOST_BYTES = 1 << 20  # of a reply, about
MOST_GAPS = 1000  # of a reply, about
ROWS_AT_ONCE = 50


class Replays:
    """Requests for missed results that wait to be answered."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._waiting: OrderedDict[bytes, deque[tuple[Back, Replay]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, back: Back, request: Replay) -> Reply | None:
        """Put it in its client's queue. Returns the refusal where that is full."""
        queue = self._waiting.get(back[0])
        if (queue is None and len(self._waiting) >= MOST_CLIENTS) or (queue and len(queue) >= MOST_WAITING):
            return Reply(request.id, "too many requests are waiting", "ask for the next page when one has come")
        self._waiting.setdefault(back[0], deque()).append((back, request))
        return None

    def answer(self) -> list[bytes]:
        """The parts of the reply to the request whose turn it is; that client's next one comes after everybody else's."""
        client, queue = self._waiting.popitem(last=False)
        back, request = queue.popleft()
        if queue:
            self._waiting[client] = queue
        reply, payloads = self._page(request)
        return [*back, requests.encode(reply), *payloads]

    def _page(self, request: Replay) -> tuple[Reply, list[bytes]]:
        session, seq, more = request.session, request.seq, True
        payloads: list[bytes] = []
        expired: list[Gap] = []
        size = 0
        try:
            while more and len(payloads) < request.limit and size < MOST_BYTES and len(expired) < MOST_GAPS:
                before = (session, seq)
                page = self._reader.page(session, seq, min(ROWS_AT_ONCE, request.limit - len(payloads)))
                session, seq, more = page.session, page.seq, page.more
                payloads += page.payloads
                expired += page.expired
                size += sum(map(len, page.payloads))
                if (session, seq) == before:
                    break
        except JournalError as error:
            if not payloads:
                return Reply(request.id, str(error), "datumd status"), []
            more = True  # what was read is good; the rest will be asked for again
        return Reply(request.id, session=session, seq=seq, more=more, expired=expired), payloads
