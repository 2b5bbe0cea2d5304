"""HTTP for pictures that are sent: who may ask, how much, and for how long. The standard library's server, held to limits.

A connection is one request and one thread. Each has one span of time for all of it, after which its socket is shut down from
outside: a limit for each read would let a client that sends a byte now and then stay for ever.
"""

import contextlib
import hmac
import logging
import re
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from pipeline.addresses import split
from pipeline.clock import monotonic_ns
from pipeline.errors import AlreadyRunning
from pipeline.workers.http_service import Request, Response, told

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 32
LINGERING_NS = 2_000_000_000
READING_NS = 20_000_000_000
PATH = "/inspect"
_PART_ID = re.compile(r"[\x20-\x7e]{0,128}")
_NUMBER = re.compile(r"[0-9]{1,5}")
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


Taken = socket.socket | tuple[bytes, socket.socket]  # as socketserver has it; of TCP it is the socket
Address = tuple[str, int] | str


class Server(ThreadingHTTPServer):
    """Serves `inspect` at PATH. `reap` must be called now and then."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_CONNECTIONS

    def __init__(
        self,
        bind: str,
        token: bytes,
        limit_bytes: int,
        queue: int,
        inspect: Callable[[Request], Response],
        busy_ns: int,
        reading_ns: int = READING_NS,
    ) -> None:
        """Bind; requests are taken from `serve_forever` on.

        Args:
            bind: HOST:PORT.
            token: what clients must show.
            limit_bytes: the largest body.
            queue: how many may be inspected at a time.
            inspect: from a request to its response; any number of threads call it.
            busy_ns: how long that may take.
            reading_ns: for all that a client sends, and again for all that it is sent.

        Raises:
            AlreadyRunning: the address is taken.
        """
        self.token, self.limit_bytes, self.inspect = token, limit_bytes, inspect
        self.busy_ns, self.reading_ns = busy_ns, reading_ns
        self.places = threading.BoundedSemaphore(queue)
        self._deadlines: dict[socket.socket, int] = {}
        self._guard = threading.Lock()
        try:
            super().__init__(split(bind), Handler)
        except OSError as error:
            raise AlreadyRunning(
                f"cannot bind {bind}: {error.strerror}", where="camera http: bind", next_command="ss -ltnp"
            ) from error

    def process_request(self, request: Taken, client_address: Address) -> None:
        """A thread for it, unless there are too many."""
        request = cast("socket.socket", request)
        with self._guard:
            is_taken = len(self._deadlines) < MOST_CONNECTIONS
            if is_taken:
                self._deadlines[request] = monotonic_ns() + self.reading_ns
        if is_taken:
            super().process_request(request, client_address)
            return
        request.setblocking(False)
        with contextlib.suppress(OSError):
            request.send(_BUSY)
        self.shutdown_request(request)

    def shutdown_request(self, request: Taken) -> None:
        """It is over."""
        with self._guard:
            self._deadlines.pop(cast("socket.socket", request), None)
        super().shutdown_request(request)

    def allow(self, request: socket.socket, span_ns: int) -> None:
        """The connection may go on for so long from now."""
        with self._guard:
            if request in self._deadlines:
                self._deadlines[request] = monotonic_ns() + span_ns

    def reap(self) -> None:
        """Shut down the connections whose time is over; their threads find that out."""
        now = monotonic_ns()
        with self._guard:
            for connection, until_ns in self._deadlines.items():
                if until_ns <= now:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Taken, client_address: Address) -> None:  # noqa: ARG002 - socketserver's signature
        """A client that has gone is no fault of ours; anything else is logged."""
        log.debug("a connection ended", exc_info=True)


class Handler(BaseHTTPRequestHandler):
    """One request. Nothing is read of a body before it is known who sends it and how large it is."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """POST /inspect."""
        self.close_connection = True
        self._send(self._response())

    def do_GET(self) -> None:
        """There is nothing to get."""
        self.close_connection = True
        is_here = urlsplit(self.path).path == PATH
        self._send(told(405, f"POST {PATH}") if is_here else told(404, f"there is {PATH}"))

    do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def handle(self) -> None:
        """One request; then what the client still sends is read for a while, or it would not see the answer (RFC 9112, 9.6)."""
        self.handle_one_request()
        server = cast("Server", self.server)
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            server.allow(self.connection, LINGERING_NS)
            while self.rfile.read1(1 << 16):
                pass

    def handle_expect_100(self) -> bool:
        """Said later, to whom may go on."""
        return True

    def _response(self) -> Response:
        server = cast("Server", self.server)
        request = self._asked()
        if isinstance(request, Response):
            return request
        length = self._length(server.limit_bytes)
        if isinstance(length, Response):
            return length
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        content = self.rfile.read(length)
        if len(content) < length:
            raise ConnectionError("gone, or too slow")
        if not server.places.acquire(blocking=False):
            return Response(429, told(429, "too many requests are under way").content, headers={"Retry-After": "1"})
        try:
            server.allow(self.connection, server.busy_ns)
            return server.inspect(Request(content, *request))
        except Exception:  # whatever it is, the client gets its one answer, and the log the reason
            log.exception("a request failed")
            return told(500, "it failed here; the log says why", next_command="datumd status")
        finally:
            server.places.release()
            server.allow(self.connection, server.reading_ns)

    def _asked(self) -> tuple[str, int | None, bool, int] | Response:  # noqa: PLR0911 - likewise
        """Part id, recipe, whether a picture is wanted, of which part; or what is wrong, with nothing read yet."""
        parts = urlsplit(self.path)
        if parts.path != PATH:
            return told(404, f"there is {PATH}")
        shown = self.headers.get("Authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(shown, b"Bearer " + cast("Server", self.server).token):
            return Response(
                401, told(401, "the token is missing or wrong").content, headers={"WWW-Authenticate": "Bearer"}
            )
        try:
            query = dict(
                parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), max_num_fields=8)
            )
        except ValueError:
            return told(400, "the query cannot be read")
        part_id, recipe, part = query.pop("part_id", ""), query.pop("recipe", None), query.pop("part", "1")
        if query:
            return told(400, "unknown in the query; allowed: part_id, recipe, part")
        if not _PART_ID.fullmatch(part_id):
            return told(400, "part_id is up to 128 printable ASCII characters")
        if not (_NUMBER.fullmatch(part) and int(part) and (recipe is None or _NUMBER.fullmatch(recipe))):
            return told(400, "recipe and part are numbers")
        accept = self.headers.get("Accept", "")
        return part_id, None if recipe is None else int(recipe), accept.startswith("image/png"), int(part)

    def _length(self, limit: int) -> int | Response:
        given = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,12}", given) or "Transfer-Encoding" in self.headers:
            return told(411, "Content-Length is needed")
        if int(given) > limit:
            return told(413, f"{limit} bytes at most")
        return int(given)

    def _send(self, response: Response) -> None:
        with contextlib.suppress(OSError):  # the client has gone, or does not read
            self.send_response(response.code)
            self.send_header("Content-Type", response.kind)
            self.send_header("Content-Length", str(len(response.content)))
            self.send_header("Connection", "close")
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.content)

    def version_string(self) -> str:
        """Nothing that tells of versions."""
        return "datumd"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Requests are in the journal."""
        log.debug(format, *args)
