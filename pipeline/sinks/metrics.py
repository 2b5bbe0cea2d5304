"""Prometheus metrics and health over HTTP: /metrics, /healthz, /healthz/live, /healthz/ready. Uses only the public client."""

import contextlib
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, disable_created_metrics

from pipeline.addresses import split
from pipeline.client import Subscription
from pipeline.errors import AlreadyRunning
from pipeline.security import own_client_keys
from pipeline.sinks.figures import Figures
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext

log = logging.getLogger(__name__)

POLL_S = 0.25
REQUEST_LIMIT_S = 5.0  # a client that asks nothing holds a thread no longer


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    station = context.runtime.station
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody asks for
    figures = Figures()
    server = _serve(station.metrics.bind, figures)
    context.vitals.set_state(context.row, WorkerState.ready)
    try:
        keys = own_client_keys(station.security)
        with Subscription(context.runtime.results_endpoint, station.station, keys=keys, replay=False) as subscription:
            while not stop.is_set():
                message = subscription.receive(POLL_S)
                if message is not None:
                    figures.observe(message)
                figures.missed(subscription.missed)
                context.progress()
    finally:
        server.shutdown()
        server.server_close()


def _serve(bind: str, figures: Figures) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        """Answers GET; one short-lived thread a request."""

        timeout = REQUEST_LIMIT_S

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._send(200, CONTENT_TYPE_LATEST, figures.page())
                case "/healthz":
                    self._health(figures.is_live())
                case "/healthz/live":
                    self._health(figures.is_live())
                case "/healthz/ready":
                    self._health(figures.is_live() and figures.is_ready())
                case _:
                    self._send(
                        404,
                        "text/plain; charset=utf-8",
                        b"there are /metrics, /healthz, /healthz/live and /healthz/ready\n",
                    )

        def _health(self, good: bool) -> None:
            body = {
                "live": figures.is_live(),
                "ready": figures.is_ready(),
                "state": figures.state,
                "text": figures.text,
            }
            self._send(200 if good else 503, "application/json", json.dumps(body).encode() + b"\n")

        def _send(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            with contextlib.suppress(ConnectionError, TimeoutError):  # the client has gone, or does not read
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            log.debug(format, *args)

    try:
        server = ThreadingHTTPServer(split(bind), Handler)
    except OSError as error:
        raise AlreadyRunning(
            f"cannot bind {bind}: {error.strerror}", where="metrics.bind", next_command="ss -ltnp"
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
