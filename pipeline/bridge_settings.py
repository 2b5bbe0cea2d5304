"""The `[plc]` table of a station file: what serves the station to a line's controls, one struct for each protocol."""

import importlib.util
import re
import ssl
import stat
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from pipeline import plain_file
from pipeline.errors import ConfigError

LARGEST_PASSWORD_FILE = 4096
_BROKER = re.compile(r"(mqtts?)://([^\s:/@]+|\[[0-9A-Fa-f:.]+\])(?::([1-9][0-9]{0,4}))?\Z")
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_EXTRAS = {"modbus": ("pymodbus", "plc"), "mqtt": ("paho", "mqtt"), "opcua": ("asyncua", "opcua")}

Settings = TypeVar("Settings", "MqttSettings | None", "OpcuaSettings | None")

Bind = Annotated[str, msgspec.Meta(pattern=r"^[^\s:/]+:[1-9][0-9]{0,4}\Z")]
Milliseconds = Annotated[float, msgspec.Meta(gt=0.0, le=600_000.0)]


class ModbusSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Modbus TCP (docs/plc.md).

    Attributes:
        allow: addresses of PLCs that may connect; needed where `bind` is no loopback address.
        window_ms: longest time from Trigger to an answer; after it there is no verdict.
        silence_ms: a PLC heartbeat that has begun and stands still for so long resets the handshake.
        own_trigger: the line triggers the cameras itself; Trigger announces the trigger number and part id.
        scale: measurements as integers are the value times this.
        word_order: which word of a 32-bit value has the lower address.
    """

    bind: Bind = "127.0.0.1:1502"
    allow: list[str] = []
    window_ms: Milliseconds = 1000.0
    silence_ms: Milliseconds = 5000.0
    own_trigger: bool = False
    scale: Annotated[float, msgspec.Meta(gt=0.0, lt=1e9)] = 1000.0
    word_order: Literal["high_first", "low_first"] = "high_first"


class LinesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The TCP line protocol (docs/lines.md); all as for Modbus."""

    bind: Bind = "127.0.0.1:1503"
    allow: list[str] = []
    window_ms: Milliseconds = 1000.0
    own_trigger: bool = False


class MqttSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An MQTT broker to which results and the state are sent (docs/mqtt.md). Relative paths start at the station file.

    Attributes:
        broker: mqtt://HOST[:PORT], or mqtts://HOST[:PORT] over TLS.
        prefix: topics begin with it, then follows the station.
        user, password: name, and a file with the password that its user alone may read.
        ca: certificates by which the broker is known; default: the machine's own.
        certificate, key: of this client, where the broker asks for them.
    """

    broker: str
    prefix: str = "datumd"
    user: str = ""
    password: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @property
    def is_secure(self) -> bool:
        """Whether the broker is spoken to over TLS."""
        return self.broker.startswith("mqtts://")

    @property
    def address(self) -> tuple[str, int]:
        """The broker's host and port. Raises ConfigError where `broker` names none."""
        match = _BROKER.fullmatch(self.broker)
        if match is None or int(match[3] or 1) > 65_535:
            raise ConfigError(
                f"{self.broker!r} is no broker", where="mqtt.broker", allowed="mqtt://HOST:PORT or mqtts://HOST:PORT"
            )
        return match[2].strip("[]"), int(match[3] or _PORTS[match[1]])


class OpcuaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """OPC UA (docs/opcua.md). Relative paths start at the station file.

    Attributes:
        trust: folder of certificates, ours and those of clients; needed where `bind` is no loopback address.
        users: file of those who may log in by name and password.
        window_ms: longest time from StartSingleJob to an answer; after it there is no verdict.
        keep: newest results that clients can ask for.
    """

    bind: Bind = "127.0.0.1:4840"
    trust: str = ""
    users: str = ""
    window_ms: Milliseconds = 1000.0
    keep: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1000


class PlcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bridges that the daemon runs, each as a process of its own; none where there is no table `[plc]`."""

    modbus: ModbusSettings | None = None
    lines: LinesSettings | None = None
    mqtt: MqttSettings | None = None
    opcua: OpcuaSettings | None = None

    @property
    def protocols(self) -> list[str]:
        """Those that are named."""
        return [name for name in self.__struct_fields__ if getattr(self, name) is not None]

    @property
    def addresses(self) -> dict[str, str]:
        """Addresses at which bridges listen, by the table whose `bind` it is."""
        listening = {"plc.modbus": self.modbus, "plc.lines": self.lines, "plc.opcua": self.opcua}
        return {table: one.bind for table, one in listening.items() if one is not None}

    def beside(self, folder: Path) -> "PlcSettings":
        """The same with relative paths starting at `folder`, which is where the station file lies."""
        mqtt = _beside(folder, self.mqtt, ("password", "ca", "certificate", "key"))
        return msgspec.structs.replace(self, mqtt=mqtt, opcua=_beside(folder, self.opcua, ("trust", "users")))


def _beside(folder: Path, settings: Settings, names: tuple[str, ...]) -> Settings:
    if settings is None:
        return settings
    files = {name: str(folder / path) for name in names if (path := getattr(settings, name))}
    return msgspec.structs.replace(settings, **files)


def check_bridge(settings: PlcSettings, protocol: str) -> str:
    """Whether this bridge can start, and where it listens or whom it reaches.

    Raises:
        ConfigError: its library is not installed, other machines could connect to it and nobody says which, or what it needs
            to reach a broker cannot be read.
    """
    require_library(protocol)
    match getattr(settings, protocol):
        case ModbusSettings() | LinesSettings() as one:
            check_listening(one.bind, one.allow, f"plc.{protocol}.bind", f"plc.{protocol}.allow")
            return f"at {one.bind} for {', '.join(one.allow) or 'this machine'}"
        case MqttSettings() as one:
            check_broker(one)
            return f"to {one.broker}"
        case OpcuaSettings() as one:
            check_opcua(one, "plc.opcua.bind", "plc.opcua.trust", "plc.opcua.users")
            return f"at {one.bind} for {f'clients in {one.trust}' if one.trust else 'this machine'}"
    raise ConfigError("no such bridge", where=f"plc.{protocol}", allowed=", ".join(settings.__struct_fields__))


def require_library(protocol: str) -> None:
    """Raise ConfigError, with the line that installs it, where the library that a protocol needs is not there."""
    library, extra = _EXTRAS.get(protocol, ("", ""))
    if library and importlib.util.find_spec(library) is None:
        raise ConfigError(
            f"{library} is not installed", where=f"bridge {protocol}", next_command=f"pip install 'datumd[{extra}]'"
        )


def check_opcua(settings: OpcuaSettings, bind_key: str, trust_key: str, users_key: str) -> tuple[str, int]:
    """Host and port. Without certificates nobody has to say who they are, so only the loopback is served then.

    Raises:
        ConfigError: it is no address, other machines could connect as anybody, or a password could be sent in the clear.
    """
    host, port, is_loopback = _listening(settings.bind, bind_key, "127.0.0.1:4840")
    if not is_loopback and not settings.trust:
        raise ConfigError(
            f"{settings.bind} can be reached from other machines, and nobody would have to say who they are",
            where=bind_key,
            allowed=f"with a folder of certificates in {trust_key}; without it 127.0.0.1 alone",
        )
    if settings.users and not settings.trust:
        raise ConfigError(
            "passwords are taken over encrypted connections alone", where=users_key, allowed=f"with {trust_key}"
        )
    if settings.users and not Path(settings.users).is_file():
        raise ConfigError("there is no such file", where=f"{users_key} {settings.users}")
    return host, port


def check_listening(bind: str, allow: list[str], bind_key: str, allow_key: str) -> tuple[str, int]:
    """Host and port. These protocols know no keys, so whatever is not loopback needs a list of clients.

    Raises:
        ConfigError: an address is none, or other machines could connect and nobody says which.
    """
    host, port, is_loopback = _listening(bind, bind_key, "127.0.0.1:1502")
    for each in allow:
        try:
            ip_address(each)
        except ValueError as error:
            raise ConfigError(str(error), where=allow_key, allowed="IP addresses of PLCs") from None
    if not is_loopback and not allow:
        raise ConfigError(
            f"{bind} can be reached from other machines, and the protocol asks for no key",
            where=bind_key,
            allowed=f"with the PLC's address in {allow_key}; without it 127.0.0.1 alone",
        )
    return host, port


def _listening(bind: str, key: str, such_as: str) -> tuple[str, int, bool]:
    """Host, port, and whether it is the loopback."""
    host, _, port = bind.rpartition(":")
    try:
        is_loopback = ip_address(host).is_loopback
        if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError(f"{port!r} is no port")
    except ValueError as error:
        raise ConfigError(f"{bind!r}: {error}", where=key, allowed=f"ADDRESS:PORT, such as {such_as}") from None
    return host, int(port), is_loopback


def check_broker(settings: MqttSettings) -> None:
    """Raise ConfigError for settings that can reach no broker, or would tell a password to anybody who listens."""
    host, _ = settings.address
    if not settings.prefix or set(settings.prefix) & set("+#\0") or settings.prefix[0] in "$/":
        raise ConfigError(
            f"{settings.prefix!r} begins no topic", where="mqtt.prefix", allowed="text without + and #, such as datumd"
        )
    tls_alone = {name: getattr(settings, name) for name in ("ca", "certificate", "key")}
    for name, path in tls_alone.items():
        if path and not settings.is_secure:
            raise ConfigError(
                "is of use over TLS alone", where=f"mqtt.{name}", allowed="with a broker mqtts://HOST:PORT"
            )
        if path and not Path(path).is_file():
            raise ConfigError("there is no such file", where=f"mqtt.{name} {path}")
    if bool(settings.certificate) != bool(settings.key):
        raise ConfigError("a certificate needs its key, and a key its certificate", where="mqtt.certificate, mqtt.key")
    if settings.password and not settings.user:
        raise ConfigError("a password needs a user", where="mqtt.user")
    if settings.password and not settings.is_secure and not is_this_machine(host):
        raise ConfigError(
            "the password would be sent in the clear", where="mqtt.password", allowed="mqtts://, or a broker here"
        )
    read_password(settings)
    if settings.is_secure:
        tls_context(settings)


def is_this_machine(host: str) -> bool:
    """Whether a name or address is the loopback."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def read_password(settings: MqttSettings) -> str:
    """The password, "" where none is named.

    Raises:
        ConfigError: its file cannot be read, is no one line of text, or others may read it.
    """
    if not settings.password:
        return ""
    path = Path(settings.password)
    content = plain_file.read(path, LARGEST_PASSWORD_FILE, ConfigError)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError("others may read the password", where=str(path), next_command=f"chmod 600 {path}")
    try:
        password = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        password = ""
    if not password.isprintable() or not password:
        raise ConfigError("holds no password", where=str(path), allowed="one line of text")
    return password


def tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """TLS 1.2 at least; the broker's name is held against its certificate. Raises ConfigError for files that hold none."""
    try:
        context = ssl.create_default_context(cafile=settings.ca or None)
        if settings.certificate:
            context.load_cert_chain(settings.certificate, settings.key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot be used: {error}", where="mqtt.ca, mqtt.certificate or mqtt.key") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
