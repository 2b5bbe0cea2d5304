"""Who may do what: people, their roles and tokens, and the cookies by which a browser is known again."""

import hashlib
import hmac
import logging
import re
import ssl
import stat
import time
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from pipeline import plain_file
from pipeline.errors import ConfigError
from pipeline.web_settings import WebSettings

log = logging.getLogger(__name__)

LARGEST_FILE_BYTES = 65_536
SHORTEST_TOKEN = 16
COOKIE = "datumd"
COOKIE_S = 30 * 86_400
SECRET_USE = b"datumd page cookie, format 1"

_LINE = re.compile(r"(viewer|operator|engineer)\s+([A-Za-z0-9][A-Za-z0-9_.-]{0,31})\s+([\x21-\x7e]{1,256})")


class Role(IntEnum):
    """What a person may do; each may do what those before it may."""

    nobody = 0
    viewer = 1
    operator = 2  # start, stop, select a recipe, trigger
    engineer = 3  # set the station up


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a browser; `name` is "" for whoever reaches a page without tokens."""

    name: str
    role: Role
    token: str = ""


ANYBODY = Person("", Role.viewer)
NOBODY = Person("", Role.nobody)


class Access:
    """Knows people by their tokens, which are read anew when their file has changed, so that who is struck off is out."""

    def __init__(self, path: Path | None) -> None:
        """`path` None: whoever comes is a viewer.

        Raises:
            ConfigError: the file cannot be used.
        """
        self._path = path
        self._people: dict[str, Person] = {}
        self._mark: tuple[int, int, int] | None = None
        if path is not None:
            self._mark = _mark(path)
            self._people = read_people(path)

    @property
    def is_open(self) -> bool:
        """Whether nobody need show a token."""
        return self._path is None

    @property
    def people(self) -> list[Person]:
        """Whose tokens are known at present."""
        return list(self._present().values())

    def by_token(self, token: str) -> Person:
        """Whose token this is; NOBODY where it is no one's."""
        found = NOBODY
        for person in self._present().values():  # all of them, so that the time tells nothing
            if hmac.compare_digest(person.token.encode(), token.encode("utf-8", "replace")):
                found = person
        return found

    def by_cookie(self, cookie: str) -> Person:
        """Whose cookie this is, ANYBODY's where no tokens are asked for, NOBODY where it is no one's or has run out."""
        if self.is_open:
            return ANYBODY
        name, _, rest = cookie.partition("|")
        until, _, seal = rest.partition("|")
        person = self._present().get(name)
        if person is None or not re.fullmatch("[0-9]{1,12}", until) or int(until) < time.time():
            return NOBODY
        return person if hmac.compare_digest(_seal(person, until), seal.encode("utf-8", "replace")) else NOBODY

    def cookie(self, person: Person) -> str:
        """By which the person is known again for COOKIE_S. It dies with the token, and says nothing of it."""
        until = str(int(time.time()) + COOKIE_S)
        return f"{person.name}|{until}|{_seal(person, until).decode('ascii')}"

    def _present(self) -> dict[str, Person]:
        """The people of the file as it is now; nobody where it cannot be used."""
        if self._path is not None and (mark := _mark(self._path)) != self._mark:
            self._mark, self._people = mark, {}
            try:
                self._people = read_people(self._path)
            except ConfigError as problem:
                log.error("nobody is let in: %s", problem)
        return self._people


def read_people(path: Path) -> dict[str, Person]:
    """Name to person.

    Raises:
        ConfigError: the file cannot be read, others than its owner may read it, a line is none, a name or a token is
            there twice, or a token is short.
    """
    text = plain_file.read(path, LARGEST_FILE_BYTES, ConfigError).decode("utf-8", "replace")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError("others may read the tokens", where=str(path), next_command=f"chmod 600 {path}")
    people: dict[str, Person] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        where = f"{path}: line {number}"
        match = _LINE.fullmatch(words)
        if match is None:
            raise ConfigError("is no line of a token", where=where, allowed="viewer|operator|engineer NAME TOKEN")
        role, name, token = match.groups()
        if len(token) < SHORTEST_TOKEN:
            raise ConfigError(
                f"the token has {len(token)} characters",
                where=where,
                allowed=f"{SHORTEST_TOKEN} at least",
                next_command="openssl rand -hex 16",
            )
        if name in people or any(other.token == token for other in people.values()):
            raise ConfigError("the name, or its token, is there twice", where=where)
        people[name] = Person(name, Role[role], token)
    if not people:
        raise ConfigError("names nobody", where=str(path), allowed="viewer|operator|engineer NAME TOKEN")
    return people


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns, status.st_size  # a chmod counts, too


def _seal(person: Person, until: str) -> bytes:
    key = hashlib.sha256(SECRET_USE + person.token.encode()).digest()
    return hmac.new(key, f"{person.name}|{until}".encode(), hashlib.sha256).hexdigest().encode("ascii")


def check_certificate(settings: WebSettings) -> None:
    """Raises ConfigError where it cannot be used."""
    if not settings.certificate:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot be used with its key ({error.strerror or error})", where=f"web.certificate {settings.certificate}"
        ) from error
