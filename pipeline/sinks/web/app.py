"""What browsers may ask for, and who of them."""

import asyncio
import re
import tomllib
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.errors import DatumdError
from pipeline.runtime import Runtime
from pipeline.sinks.web.access import ANYBODY, COOKIE, COOKIE_S, NOBODY, Access, Person, Role
from pipeline.sinks.web.archive import archived_image
from pipeline.sinks.web.board import Board
from pipeline.sinks.web.deeds import Deed, do
from pipeline.sinks.web.events import Events
from pipeline.sinks.web.gallery import Gallery
from pipeline.sinks.web.hub import Hub
from pipeline.sinks.web.setup import Unsealed, Wish, Workbench
from pipeline.status import StationState
from pipeline.web_settings import WebSettings

FOLDER = Path(__file__).parent
KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
FILES = {path.name: path for path in (FOLDER / "page").iterdir() if path.suffix in KINDS}
BODY_S = 20.0
LARGEST_BODY_BYTES = 65_536
DEEDS_AT_ONCE = 4
WRONG_TOKEN_S = 0.5  # whoever guesses waits
_LOCAL = re.compile(r"(localhost|127\.[0-9]+\.[0-9]+\.[0-9]+)(:[0-9]+)?")
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
Answer = Callable[["Page", Request, Person], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the answers need."""

    runtime: Runtime
    settings: WebSettings
    access: Access
    hub: Hub
    board: Board
    gallery: Gallery
    bench: Workbench
    deeds: Executor = field(default_factory=lambda: ThreadPoolExecutor(DEEDS_AT_ONCE, "deed"))


def app(page: Page) -> ASGIApp:
    """The application."""

    def route(path: str, answer: Answer, role: Role = Role.viewer, methods: tuple[str, ...] = ("GET",)) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _guarded(page, request, answer, role)

        return Route(path, endpoint, methods=list(methods))

    routes = [
        route("/", _index, Role.nobody),
        route("/page/{name}", _file, Role.nobody),
        route("/texts", _texts, Role.nobody),
        route("/login", _home, Role.nobody),
        route("/login", _login, Role.nobody, ("POST",)),
        route("/logout", _logout, Role.nobody, ("POST",)),
        route("/events", _events),
        route("/picture/{view}/{number:int}", _picture),
        route("/small/{part}/{view}", _small),
        route("/part/{part}", _part),
        route("/part/{part}/image/{view}", _image),
        route("/do", _do, Role.operator, ("POST",)),
        route("/setup", _setup_page, Role.nobody),
        route("/setup/frame/{camera}", _frame, Role.engineer),
        route("/setup/recipe/{number:int}", _recipe, Role.engineer),
        route("/setup/taught/{number:int}", _taught, Role.engineer),
        route("/setup/do", _wish, Role.engineer, ("POST",)),
    ]
    return _Headers(Starlette(routes=routes))


class _Headers:
    """Says on every response what a browser may do with it."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._inner(scope, receive, sending)


async def _guarded(page: Page, request: Request, answer: Answer, role: Role) -> Response:
    """Answer whom it is for. A page of another site may send us to a browser's own station: it cannot set our header."""
    if page.access.is_open and not _LOCAL.fullmatch(request.headers.get("host", "")):
        return said(403, "without tokens this page is for browsers of this machine, by the name localhost")
    if request.method == "POST" and request.headers.get("x-datumd") != "1":
        return said(403, "the header X-Datumd is missing")
    person = _person_of(page, request)
    if person.role < role:
        return said(401 if person.role is Role.nobody else 403, "not allowed")
    return await answer(page, request, person)


def _person_of(page: Page, request: Request) -> Person:
    shown = request.headers.get("authorization", "")
    if shown.startswith("Bearer "):
        return ANYBODY if page.access.is_open else page.access.by_token(shown.removeprefix("Bearer "))
    return page.access.by_cookie(request.cookies.get(COOKIE, ""))


def said(code: int, error: str, next_command: str = "") -> Response:
    """A response that says why there is nothing else."""
    return as_json({"error": error, "next_command": next_command}, code)


def as_json(value: object, code: int = 200) -> Response:
    """A response."""
    return Response(msgspec.json.encode(value), code, media_type="application/json")


async def body_of(request: Request) -> bytes | None:
    """The body; None where it is too large. Raises TimeoutError, which ends the connection, where it does not come."""
    body = bytearray()
    async with asyncio.timeout(BODY_S):
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY_BYTES:
                return None
    return bytes(body)


async def _index(_page: Page, _request: Request, person: Person) -> Response:
    name = "login.html" if person.role is Role.nobody else "index.html"
    return Response(FILES[name].read_bytes(), media_type=KINDS[".html"])


async def _home(_page: Page, _request: Request, _person: Person) -> Response:
    return RedirectResponse("/")  # which signs in whoever is not


async def _file(_page: Page, request: Request, _person: Person) -> Response:
    path = FILES.get(request.path_params["name"])
    if path is None:
        return said(404, "there is no such file")
    return Response(path.read_bytes(), media_type=KINDS[path.suffix], headers={"cache-control": "no-cache"})


async def _texts(page: Page, _request: Request, person: Person) -> Response:
    language = page.runtime.station.language
    texts = tomllib.loads((FOLDER / f"texts.{language}.toml").read_text(encoding="utf-8"))
    is_open = page.access.is_open
    who = {"name": person.name, "role": person.role.name, "language": language, "tokens": not is_open}
    return as_json({"texts": texts, "who": who, "station": page.runtime.station.station})


async def _login(page: Page, request: Request, _person: Person) -> Response:
    class Shown(msgspec.Struct):
        token: str

    try:
        shown = msgspec.json.decode(await body_of(request) or b"", type=Shown)
    except msgspec.MsgspecError:
        return said(400, "not understood")
    person = page.access.by_token(shown.token.strip()) if not page.access.is_open else NOBODY
    if person.role is Role.nobody:
        await asyncio.sleep(WRONG_TOKEN_S)
        return said(401, "this is nobody's token")
    response = as_json({"name": person.name, "role": person.role.name})
    is_secure = bool(page.settings.certificate)
    response.set_cookie(
        COOKIE, page.access.cookie(person), COOKIE_S, httponly=True, samesite="strict", secure=is_secure
    )
    return response


async def _logout(_page: Page, _request: Request, _person: Person) -> Response:
    response = as_json({})
    response.delete_cookie(COOKIE)
    return response


async def _events(page: Page, request: Request, _person: Person) -> Response:
    if request.method == "HEAD":  # a stream without a body would never end, and the browser's next request wait for it
        return Response(status_code=200 if page.hub.has_room else 503)
    return Events(page.hub, lambda: _person_of(page, request).role >= Role.viewer)  # type: ignore[return-value]  # Starlette wants what is called like one


async def _picture(page: Page, request: Request, _person: Person) -> Response:
    jpeg = page.gallery.get(request.path_params["view"], request.path_params["number"])
    return said(404, "it is kept no more") if jpeg is None else Response(jpeg, media_type="image/jpeg")


async def _small(page: Page, request: Request, _person: Person) -> Response:
    jpeg = page.gallery.small(request.path_params["part"], request.path_params["view"])
    kept = {"cache-control": "private, max-age=3600, immutable"}
    return said(404, "it is kept no more") if jpeg is None else Response(jpeg, media_type="image/jpeg", headers=kept)


async def _part(page: Page, request: Request, _person: Person) -> Response:
    part = page.board.part(request.path_params["part"])
    return said(404, "it is kept no more") if part is None else Response(part, media_type="application/json")


async def _image(page: Page, request: Request, _person: Person) -> Response:
    result = page.board.result(request.path_params["part"])
    if result is None:
        return said(404, "it is kept no more")
    folder = Path(page.runtime.state_folder)
    image = await run_in_threadpool(archived_image, folder, result, request.path_params["view"])
    return said(404, "the image is not kept") if image is None else Response(image, media_type="image/png")


async def _do(page: Page, request: Request, person: Person) -> Response:
    try:
        deed = msgspec.json.decode(await body_of(request) or b"", type=Deed)
    except msgspec.MsgspecError as error:
        return said(400, f"not understood: {error}")
    status = page.board.status
    is_setup = status is not None and status.state is StationState.Initialized
    if is_setup and person.role < Role.engineer and deed.what != "stop":
        return said(403, "the station is being set up")
    try:  # in threads of their own: what an engineer is waiting for holds up nobody's stop
        loop = asyncio.get_running_loop()
        return as_json(await loop.run_in_executor(page.deeds, do, page.runtime, deed, person.name))
    except DatumdError as problem:
        return said(409, problem.what, problem.next_command)


async def _setup_page(_page: Page, _request: Request, person: Person) -> Response:
    if person.role < Role.engineer:
        name = "login.html" if person.role is Role.nobody else "index.html"
        return Response(FILES[name].read_bytes(), 200, media_type=KINDS[".html"])
    return Response(FILES["setup.html"].read_bytes(), media_type=KINDS[".html"])


async def _frame(page: Page, request: Request, _person: Person) -> Response:
    shown, jpeg = await run_in_threadpool(page.bench.frame, request.path_params["camera"])
    if not shown.shown:
        return said(404, "there is no frame of this camera")
    told = msgspec.json.encode(shown).decode()
    return Response(jpeg, media_type="image/jpeg", headers={"x-shown": told})


async def _recipe(page: Page, request: Request, _person: Person) -> Response:
    try:
        return as_json(await run_in_threadpool(page.bench.recipe, request.path_params["number"]))
    except DatumdError as problem:
        return said(404, str(problem))


async def _taught(page: Page, request: Request, _person: Person) -> Response:
    try:
        parts, sigmas = int(request.query_params.get("parts", "50")), float(request.query_params.get("sigmas", "4"))
        if not (2 <= parts <= 1000 and 0.5 <= sigmas <= 20.0):
            return said(400, "parts: 2 to 1000, sigmas: 0.5 to 20")
        return as_json(await run_in_threadpool(page.bench.taught, request.path_params["number"], parts, sigmas))
    except ValueError:
        return said(400, "parts and sigmas are numbers")
    except DatumdError as problem:
        return said(404, str(problem))


async def _wish(page: Page, request: Request, person: Person) -> Response:
    try:
        wish: Wish = msgspec.json.decode(await body_of(request) or b"", type=Wish)
    except msgspec.MsgspecError as error:
        return said(400, f"not understood: {error}")
    try:
        return as_json(await run_in_threadpool(page.bench.do, wish, person.name))
    except Unsealed as problem:
        return as_json({"error": problem.what, "next_command": problem.next_command, "is_unsealed": True}, 409)
    except DatumdError as problem:
        return said(409, problem.what, problem.next_command)
