"""The process of the page, where what it needs is installed."""

import importlib.util
import threading

from pipeline.errors import ConfigError
from pipeline.worker import WorkerContext

NEEDED = ("anyio", "starlette", "uvicorn")


def check_installed() -> None:
    """Raises ConfigError where the extra `web` is not installed."""
    missing = next((name for name in NEEDED if importlib.util.find_spec(name) is None), "")
    if missing:
        raise ConfigError(f"{missing} is not installed", where="web", next_command="pip install 'datumd[web]'")


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Serve until `stop` is set. Raises ConfigError where the extra `web` is not installed."""
    check_installed()
    from pipeline.sinks.web import serve  # noqa: PLC0415 - it can be imported now

    serve.main(context, stop)
