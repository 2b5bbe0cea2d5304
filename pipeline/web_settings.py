"""The `[web]` table of a station file: the page that people look at."""

import re
from typing import Annotated

import msgspec

from pipeline.errors import ConfigError

_LOOPBACK = re.compile(r"^(tcp://)?(127\.[0-9]+\.[0-9]+\.[0-9]+|localhost):")


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the page is served (HTTP), to whom, and how often it shows a new picture.

    Attributes:
        bind: HOST:PORT. Beyond the loopback `tokens`, `certificate` and `key` are needed.
        tokens: file with one line `ROLE NAME TOKEN` for each person, readable by its user alone; "" = whoever reaches the
            address may look, and nobody may change anything.
        certificate, key: PEM files; with them the page is served by HTTPS.
        pictures_hz: how often a view's picture is renewed at most, while somebody looks.
    """

    bind: Annotated[str, msgspec.Meta(pattern=r"^[^\s:/]+:[1-9][0-9]{0,4}\Z")] = "127.0.0.1:8590"
    tokens: str = ""
    certificate: str = ""
    key: str = ""
    pictures_hz: Annotated[float, msgspec.Meta(ge=0.1, le=25.0)] = 4.0

    @property
    def is_local(self) -> bool:
        """Whether this machine alone reaches it."""
        return bool(_LOOPBACK.match(self.bind))

    def beside(self, folder: str) -> "WebSettings":
        """The same with relative paths starting at `folder`."""
        paths = {name: getattr(self, name) for name in ("tokens", "certificate", "key")}
        absolute = {name: f"{folder}/{path}" for name, path in paths.items() if path and not path.startswith("/")}
        return msgspec.structs.replace(self, **absolute)

    def check(self, where: str) -> None:
        """Raises ConfigError for what the types cannot refuse; `where` is the station file."""
        if bool(self.certificate) != bool(self.key):
            raise ConfigError("a certificate needs its key, and a key its certificate", where=f"{where}: web.key")
        if not self.is_local and not (self.tokens and self.certificate):
            raise ConfigError(
                f"{self.bind} is not a loopback address: tokens would go over it in the clear, or nobody need show one",
                where=f"{where}: web.bind",
                allowed="127.0.0.1:PORT, or web.tokens with web.certificate and web.key",
            )
