"""From the name of a backend to a loaded network."""

import stat
from importlib import import_module
from pathlib import Path
from typing import cast

from engines.engine import Engine
from engines.errors import EngineRefused, EngineUnavailable

BACKENDS = {"onnxruntime": "engines.backends.onnxruntime:OnnxRuntimeEngine"}
AUTO = "onnxruntime"
LARGEST_BYTES = 2 << 30  # a protocol buffer has no more


def load_engine(path: Path, *, backend: str = "auto", threads: int = 1) -> Engine:
    """Load the network at `path`.

    Args:
        path: an ONNX file.
        backend: a key of BACKENDS, or `auto` for the best one that is installed.
        threads: CPU threads that one run may use.

    Raises:
        EngineUnavailable: no such backend, or its library is not installed.
        EngineRefused: the file cannot be read, or the backend does not accept the network.
    """
    name = AUTO if backend == "auto" else backend
    if name not in BACKENDS:
        raise EngineUnavailable(f"there is no backend {backend!r}; allowed: auto, {', '.join(BACKENDS)}")
    network = _read(path)
    module, _, engine = BACKENDS[name].partition(":")
    return cast(Engine, getattr(import_module(module), engine)(network, threads=threads))


def _read(path: Path) -> bytes:
    """The bytes of a plain file; a named pipe would be waited for."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise EngineRefused("is no plain file")
        if status.st_size > LARGEST_BYTES:
            raise EngineRefused(f"is too large; allowed: {LARGEST_BYTES} bytes")
        return path.read_bytes()
    except OSError as problem:
        raise EngineRefused(f"cannot be read ({problem.strerror})") from None
