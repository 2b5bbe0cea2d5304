"""The process that serves HTTP for a camera to which pictures are sent (docs/decisions/0022)."""

import logging
import stat
import threading
from functools import partial
from pathlib import Path

import cv2

from pipeline import plain_file
from pipeline.camera_settings import HttpSettings
from pipeline.client import Control, Subscription
from pipeline.errors import ConfigError, DatumdError
from pipeline.overlay import segments
from pipeline.recipe import recipe_folders
from pipeline.recipe_file import FILE_NAME, read_recipe_file
from pipeline.result import Result
from pipeline.security import own_client_keys
from pipeline.status import Heartbeat
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext
from pipeline.workers.http_answers import Answers
from pipeline.workers.http_server import Server
from pipeline.workers.http_service import Service

log = logging.getLogger(__name__)

POLL_S = 0.1
ASKING_S = 3.0  # for the ledger to take a trigger
MARGIN_NS = 1_000_000_000  # beyond the deadline, by which the ledger has answered
ASKED_NS = 30_000_000_000  # all requests of the queue, one after the other, have been handed on by then
SHORTEST_TOKEN, LARGEST_TOKEN_FILE = 16, 1024


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    runtime = context.runtime
    station = runtime.station
    settings = station.camera[context.argument]
    if not isinstance(settings, HttpSettings):
        raise ConfigError("is no camera of type http", where=f"camera.{context.argument}")
    cv2.setNumThreads(1)
    keys = own_client_keys(station.security)
    wait_ns = int(station.part.deadline_ms * 1e6) + MARGIN_NS
    service = Service(
        settings,
        station.views[context.argument],
        wait_ns,
        drawn_lines(Path(station.recipes)),
        Answers(),
        partial(Control, runtime.control_endpoint, keys, ASKING_S),
        threading.Event(),
    )
    limit_bytes = int(settings.limit_mb * 2**20)
    token = read_token(Path(settings.token))
    server = Server(settings.bind, token, limit_bytes, settings.queue, service.inspect, wait_ns + ASKED_NS)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    context.vitals.set_state(context.row, WorkerState.ready)
    try:
        with Subscription(
            runtime.results_endpoint, station.station, control=runtime.control_endpoint, keys=keys
        ) as subscription:
            while not stop.is_set():
                message = subscription.receive(POLL_S)
                if isinstance(message, Result):
                    service.answers.put(message)
                elif isinstance(message, Heartbeat):
                    service.is_listening.set()
                server.reap()
                context.progress()
    finally:
        server.shutdown()
        server.server_close()


def read_token(path: Path) -> bytes:
    """The token that clients must show.

    Raises:
        ConfigError: the file cannot be read, others than its owner may read it, or what is in it is no token.
    """
    content = plain_file.read(path, LARGEST_TOKEN_FILE, ConfigError).strip()
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError("others may read the token", where=str(path), next_command=f"chmod 600 {path}")
    if len(content) < SHORTEST_TOKEN or not all(0x21 <= byte <= 0x7E for byte in content):
        allowed = f"{SHORTEST_TOKEN} printable ASCII characters at least, no spaces"
        raise ConfigError(
            "holds no token", where=str(path), allowed=allowed, next_command=f"openssl rand -hex 16 > {path}"
        )
    return content


def drawn_lines(recipes: Path) -> dict[int, dict[str, tuple[str, ...]]]:
    """Recipe number to the keypoints between which its measurements are drawn; of one that cannot be read, nothing."""
    found: dict[int, dict[str, tuple[str, ...]]] = {}
    for folder in recipe_folders(recipes):
        try:
            file = read_recipe_file(folder / FILE_NAME)
        except DatumdError as problem:
            log.debug("nothing is drawn by %s: %s", folder, problem)
            continue
        found[file.number] = segments(file.measure)
    return found
