"""The driver's library by itself: whether there is one, and what pycuda does not offer (graphs, pinning, the driver's names).

Nothing else may touch a GPU's libraries before `missing` has said that it may: TensorRT's lean runtime ends the process where
there is no driver.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engines.errors import EngineRefused

LIBRARY = "libcuda.so.1"
VERSION_FILE = Path("/sys/module/nvidia/version")
_MAJOR, _MINOR = 75, 76  # attributes of a device: its compute capability
_THIS_THREAD_ONLY = 1  # a capture does not mind what other threads do
_NAME_BYTES = 256

# Exported name: its arguments. Those of cuda.h, of which some are macros for the names here.
FUNCTIONS: dict[str, tuple[type, ...]] = {
    "cuInit": (ctypes.c_uint,),
    "cuGetErrorName": (ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)),
    "cuDriverGetVersion": (ctypes.POINTER(ctypes.c_int),),
    "cuDeviceGetCount": (ctypes.POINTER(ctypes.c_int),),
    "cuDeviceGet": (ctypes.POINTER(ctypes.c_int), ctypes.c_int),
    "cuDeviceGetName": (ctypes.c_char_p, ctypes.c_int, ctypes.c_int),
    "cuDeviceGetAttribute": (ctypes.POINTER(ctypes.c_int), ctypes.c_int, ctypes.c_int),
    "cuMemHostRegister_v2": (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint),
    "cuStreamBeginCapture_v2": (ctypes.c_void_p, ctypes.c_int),
    "cuStreamEndCapture": (ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)),
    "cuGraphInstantiateWithFlags": (ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p, ctypes.c_ulonglong),
    "cuGraphLaunch": (ctypes.c_void_p, ctypes.c_void_p),
    "cuGraphDestroy": (ctypes.c_void_p,),
    "cuGraphExecDestroy": (ctypes.c_void_p,),
}


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as a plan is made for it. `driver` is its version, as `580.65.06`; `capability` as `8.9`."""

    name: str
    capability: str
    driver: str


@cache
def missing() -> str | None:
    """What keeps this process from using a GPU, in one line; None where nothing does."""
    try:
        library = _library()
    except OSError:
        return f"there is no NVIDIA driver ({LIBRARY} cannot be loaded)"
    if code := library.cuInit(0):
        return f"the NVIDIA driver cannot be used ({_name(code)})"
    count = ctypes.c_int()
    if library.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return "the NVIDIA driver finds no GPU"
    return None


def gpu() -> Gpu:
    """The first GPU. Raises EngineRefused where the driver does not tell; call `missing` before."""
    device, major, minor, version = (ctypes.c_int() for _ in range(4))
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _call("cuDeviceGet", ctypes.byref(device), 0)
    _call("cuDeviceGetName", name, _NAME_BYTES, device)
    _call("cuDeviceGetAttribute", ctypes.byref(major), _MAJOR, device)
    _call("cuDeviceGetAttribute", ctypes.byref(minor), _MINOR, device)
    _call("cuDriverGetVersion", ctypes.byref(version))
    try:
        driver = VERSION_FILE.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        driver = f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    return Gpu(name.value.decode(errors="replace"), f"{major.value}.{minor.value}", driver)


def pin(address: int, count: int) -> None:
    """Page-lock memory of this process for the GPU. Raises EngineRefused."""
    _call("cuMemHostRegister_v2", address, count, 0)


def capture(stream: int, work: Callable[[], None]) -> "Graph":
    """What `work` does in a stream, as a graph; it is not done. Raises EngineRefused, and what `work` raises."""
    _call("cuStreamBeginCapture_v2", stream, _THIS_THREAD_ONLY)
    captured = ctypes.c_void_p()
    try:
        work()
    except BaseException:
        _library().cuStreamEndCapture(stream, ctypes.byref(captured))  # else the stream stays in its capture
        if captured.value:
            _library().cuGraphDestroy(captured)
        raise
    _call("cuStreamEndCapture", stream, ctypes.byref(captured))
    ready = ctypes.c_void_p()
    try:
        _call("cuGraphInstantiateWithFlags", ctypes.byref(ready), captured, 0)
    finally:
        _library().cuGraphDestroy(captured)
    return Graph(stream, ready)


class Graph:
    """A captured sequence that can be launched again and again."""

    def __init__(self, stream: int, ready: ctypes.c_void_p) -> None:
        self._stream, self._ready = stream, ready
        self._destroy = _library().cuGraphExecDestroy

    def __call__(self) -> None:
        """Launch it in its stream. Raises EngineRefused."""
        _call("cuGraphLaunch", self._ready, self._stream)

    def __del__(self) -> None:
        self._destroy(self._ready)


def _call(name: str, *arguments: object) -> None:
    if code := getattr(_library(), name)(*arguments):
        raise EngineRefused(f"the GPU failed: {name} gave {_name(code)}")


def _name(code: int) -> str:
    text = ctypes.c_char_p()
    if _library().cuGetErrorName(code, ctypes.byref(text)) or not text.value:
        return f"code {code}"
    return text.value.decode()


@cache
def _library() -> ctypes.CDLL:
    """Raises OSError where there is none, or one without a function that is wanted."""
    library = ctypes.CDLL(LIBRARY)
    for name, arguments in FUNCTIONS.items():
        try:
            getattr(library, name).argtypes = arguments
        except AttributeError:
            raise OSError(f"{LIBRARY} has no {name}") from None
    return library
