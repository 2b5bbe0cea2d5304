"""The version of the installed distribution."""

from functools import cache


@cache
def version() -> str:
    """As the package's metadata has it."""
    from importlib import metadata  # noqa: PLC0415 - 20 ms, without which a worker that was killed is back sooner

    try:
        return metadata.version("datumd")
    except metadata.PackageNotFoundError:
        return "0+unknown"
