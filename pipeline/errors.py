"""Errors that a user may meet: one line each that says what, where, what is allowed and which command comes next."""

LONGEST_PART = 900  # characters: what is wrong may be a value of any length, from somebody else's file


class DatumdError(Exception):
    """An error that ends a command with one clear line and no traceback.

    Args:
        what: what is wrong, with the offending value.
        where: the file, key, device or address that it is about.
        allowed: what would have been accepted.
        next_command: the command to type next.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", allowed: str = "", next_command: str = "") -> None:
        what, where, allowed, next_command = map(_bounded, (what, where, allowed, next_command))
        self.what, self.where, self.allowed, self.next_command = what, where, allowed, next_command
        parts = [f"{where}: {what}" if where else what]
        if allowed:
            parts.append(f"allowed: {allowed}")
        if next_command:
            parts.append(f"next: {next_command}")
        super().__init__("; ".join(parts))


class ConfigError(DatumdError):
    """station.toml cannot be used."""


class RecipeError(DatumdError):
    """A recipe folder cannot be used: unreadable, unsealed, tampered with or not qualified."""


class NetworkError(DatumdError):
    """A network (an ONNX file) has the wrong tensors or metadata for its place in the recipe."""


class EngineError(DatumdError):
    """An inference backend is missing or refused the network."""


class CameraError(DatumdError):
    """A camera or its GenTL producer cannot be opened or set up."""


class CameraLost(DatumdError):  # noqa: N818 - an event of the line, not a mistake of the caller
    """A camera that worked is gone; the grab worker closes it and tries again."""


class RingError(DatumdError):
    """The frame ring cannot be made or attached."""


class JournalError(DatumdError):
    """The journal cannot be read."""


class AlreadyRunning(DatumdError):  # noqa: N818 - names the state that was found
    """Another daemon of the same station holds the ring, or an address is taken."""


class DataError(DatumdError):
    """A data set (COCO file, image folder) cannot be read."""


def _bounded(text: str) -> str:
    """On one line, and short enough to be read."""
    text = text.replace("\n", "\\n").replace("\r", "\\r")
    return text if len(text) <= LONGEST_PART else f"{text[: LONGEST_PART - 1]}…"
