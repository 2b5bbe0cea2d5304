"""The process of the page: hears the station, has pictures made, and serves browsers. Uses only the public client."""

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from pipeline.addresses import split
from pipeline.client import Subscription
from pipeline.errors import AlreadyRunning, DatumdError
from pipeline.live_picture import PictureLine
from pipeline.overlay import segments
from pipeline.recipe import recipe_folders
from pipeline.recipe_file import FILE_NAME, read_recipe_file
from pipeline.requests import Gap
from pipeline.result import Result
from pipeline.security import own_client_keys
from pipeline.sinks.web.access import Access, check_certificate
from pipeline.sinks.web.app import Page, app
from pipeline.sinks.web.board import Board
from pipeline.sinks.web.gallery import Gallery
from pipeline.sinks.web.hub import Hub
from pipeline.sinks.web.painter import Painter
from pipeline.sinks.web.recall import recall
from pipeline.sinks.web.setup import Workbench
from pipeline.status import Heartbeat
from pipeline.vitals import WorkerState
from pipeline.web_settings import WebSettings
from pipeline.worker import WorkerContext

log = logging.getLogger(__name__)

POLL_S = 0.1
RECALLED = 1000
NICENESS = 5  # where all cores are busy, inspection gets three times its share (sched(7)); more would starve it
MOST_CONNECTIONS = 256  # beyond them strangers get a 503, and the page goes on
GONE_MS = 20_000  # a browser that acknowledges nothing for so long has gone (tcp(7), TCP_USER_TIMEOUT)
END_LIMIT_S = 2
BACKLOG = 128


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    runtime = context.runtime
    station = runtime.station
    settings = station.web or WebSettings()
    os.nice(NICENESS)
    access = Access(Path(settings.tokens) if settings.tokens else None)
    check_certificate(settings)
    hub, gallery = Hub(), Gallery()
    board = Board(hub, gallery, station.language, _lines(Path(station.recipes)))
    painter = Painter(
        PictureLine(runtime.pictures_path),
        gallery,
        1.0 / settings.pictures_hz,
        lambda: hub.listeners > 0,
        board.show,
        board.small,
    )
    page = Page(runtime, settings, access, hub, board, gallery, Workbench(runtime, board))
    with served(page), _running(painter):
        context.vitals.set_state(context.row, WorkerState.ready)
        _hear(context, stop, board, painter)


def _hear(context: WorkerContext, stop: threading.Event, board: Board, painter: Painter) -> None:
    """Take what the station says until told to stop."""
    runtime = context.runtime
    keys = own_client_keys(runtime.station.security)
    is_recalled = False
    with Subscription(runtime.results_endpoint, runtime.station.station, keys=keys, replay=False) as subscription:
        while not stop.is_set():
            message = subscription.receive(POLL_S)
            if isinstance(message, Heartbeat) and not is_recalled:
                is_recalled = True
                first = message.last_seq - RECALLED
                board.recall(recall(runtime.control_endpoint, keys, message.session, first, RECALLED))
            if message is not None and not isinstance(message, Gap):
                is_rejected = board.observe(message)
                if isinstance(message, Result):
                    painter.take(message, is_rejected=is_rejected)
            board.tick()
            context.progress()


@contextlib.contextmanager
def _running(painter: Painter) -> Iterator[None]:
    """The painter, in a thread of its own."""
    stop = threading.Event()
    thread = threading.Thread(target=painter.run, args=(stop,), name="painter", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(END_LIMIT_S)


@contextlib.contextmanager
def served(page: Page) -> Iterator[None]:
    """Browsers, served in a thread of its own.

    Raises:
        AlreadyRunning: the address is taken.
    """
    settings = page.settings
    listener = _listener(settings.bind)
    config = uvicorn.Config(
        app(page),
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,
        lifespan="off",
        ws="none",
        http="h11",
        loop="asyncio",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=10,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16_384,
        ssl_certfile=settings.certificate or None,
        ssl_keyfile=settings.key or None,
    )
    server = uvicorn.Server(config)

    async def serve() -> None:
        page.hub.begin(asyncio.get_running_loop())
        await server.serve([listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="http", daemon=True)
    thread.start()
    log.info("the page is at %s://%s/", "https" if settings.certificate else "http", settings.bind)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(END_LIMIT_S)
        listener.close()


def _listener(bind: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_MS)  # of every connection that it takes
    try:
        listener.bind(split(bind))
        listener.listen(BACKLOG)  # who comes before the loop runs waits
    except OSError as error:
        listener.close()
        raise AlreadyRunning(
            f"cannot bind {bind}: {error.strerror}", where="web.bind", next_command="ss -ltnp"
        ) from error
    return listener


def _lines(recipes: Path) -> dict[int, dict[str, tuple[str, ...]]]:
    """Recipe number to the keypoints between which its measurements are drawn; of one that cannot be read, nothing."""
    found: dict[int, dict[str, tuple[str, ...]]] = {}
    for folder in recipe_folders(recipes):
        with contextlib.suppress(DatumdError):  # the status says what is wrong with it
            file = read_recipe_file(folder / FILE_NAME)
            found[file.number] = segments(file.measure)
    return found
