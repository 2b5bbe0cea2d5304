"""The kernels as any GPU's driver takes them: kernels.ptx, made from kernels.cu by whoever changed it."""

import hashlib
import re
from pathlib import Path

SOURCE = Path(__file__).with_name("kernels.cu")
PTX = Path(__file__).with_name("kernels.ptx")
NAMES = ("halve", "linear", "pad", "gather", "warp")
COMMAND = "python -m engines.devices.compile"
_NOTE = re.compile(r"^// kernels\.cu, sha256 ([0-9a-f]{64})$", re.MULTILINE)


def ptx_text() -> str:
    """What the driver compiles for its GPU. Raises OSError where the file is missing."""
    return PTX.read_text(encoding="ascii")


def source_hash() -> str:
    """Sha256 of kernels.cu, in hex."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()


def noted_hash(text: str) -> str:
    """Sha256 of the kernels.cu that a PTX text was made from; empty where it does not say."""
    found = _NOTE.search(text)
    return found.group(1) if found else ""


def portable(text: str) -> str:
    """A compiler's PTX for every driver since CUDA 10: with the note, an older version, and without newer hints.

    The instructions are all of that version; the one newer thing is a pragma that says which bytes of a load are used.
    """
    lines = [line for line in text.splitlines() if ".pragma" not in line]
    lines = [".version 6.3" if line.startswith(".version ") else line for line in lines]
    note = f"// Made by `{COMMAND}`; do not edit.\n// kernels.cu, sha256 {source_hash()}\n"
    return note + "\n".join(lines) + "\n"
