"""`python -m engines.devices.compile`: makes kernels.ptx anew, with NVRTC or nvcc. No station needs either of them."""

import ctypes
import shutil
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

from engines.devices.kernel_text import PTX, SOURCE, portable
from engines.errors import EngineRefused, EngineUnavailable

OLDEST = "compute_75"  # Turing: what TensorRT asks for, too
# One multiplication, one rounding: as on the processor.
OPTIONS = ("--fmad=false", "--std=c++17")
INSTALL = "pip install nvidia-cuda-nvrtc, or put the CUDA toolkit's nvcc on the PATH"


def main() -> int:
    """Write kernels.ptx."""
    text = nvrtc_compiled(OLDEST) if find_nvrtc() else nvcc_compiled(OLDEST)
    PTX.write_text(portable(text.decode("ascii")), encoding="ascii")
    sys.stdout.write(f"{PTX}: {PTX.stat().st_size} bytes\n")
    return 0


def find_nvrtc() -> str | None:
    """NVRTC's library: the system's, or that of the wheel nvidia-cuda-nvrtc beside this installation."""
    if system := find_library("nvrtc"):
        return system
    places = [Path(folder) for folder in sys.path if folder]
    found = sorted(path for place in places for path in place.glob("nvidia/*/lib/libnvrtc.so.*"))
    return str(found[-1]) if found else None


def nvrtc_compiled(architecture: str) -> bytes:
    """kernels.cu as PTX (`compute_75`) or, for one architecture, as machine code (`sm_90`).

    Raises:
        EngineUnavailable: there is no NVRTC.
        EngineRefused: it does not accept the text; with its message.
    """
    library = find_nvrtc()
    if library is None:
        raise EngineUnavailable("there is no NVRTC", INSTALL)
    nvrtc = ctypes.CDLL(library)
    program = ctypes.c_void_p()
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), SOURCE.read_bytes(), b"kernels.cu", 0, None, None))
    words = [option.encode() for option in (f"--gpu-architecture={architecture}", *OPTIONS)]
    try:
        if nvrtc.nvrtcCompileProgram(program, len(words), (ctypes.c_char_p * len(words))(*words)):
            raise EngineRefused(_taken(nvrtc, program, "ProgramLog").decode(errors="replace").strip("\0 \n"))
        return _taken(nvrtc, program, "PTX" if architecture.startswith("compute") else "CUBIN").rstrip(b"\0")
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def nvcc_compiled(architecture: str) -> bytes:
    """As nvrtc_compiled, by the toolkit's compiler."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        raise EngineUnavailable("there is no nvcc", INSTALL)
    kind = "-ptx" if architecture.startswith("compute") else "-cubin"
    words = [nvcc, kind, f"-arch={architecture}", *OPTIONS, "-o", "/dev/stdout", str(SOURCE)]
    run = subprocess.run(words, capture_output=True, check=False)
    if run.returncode:
        raise EngineRefused(run.stderr.decode(errors="replace").strip())
    return run.stdout


def _taken(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(getattr(nvrtc, f"nvrtcGet{what}")(program, text))
    return text.raw


def _check(code: int) -> None:
    if code:
        raise EngineRefused(f"NVRTC failed with code {code}")


if __name__ == "__main__":
    sys.exit(main())
