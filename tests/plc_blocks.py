"""The function blocks of docs/plc: their texts, and how a program gives one its part."""

from pathlib import Path

from tests.structured_text import FunctionBlock

FOLDER = Path(__file__).parents[1] / "docs" / "plc"
TEXTS = {kind: (FOLDER / f"datumd_handshake.{kind}").read_text(encoding="utf-8") for kind in ("st", "scl")}


def begin(block: FunctionBlock, number: int, part_id: str) -> None:
    """The part is at the camera."""
    text = part_id.encode().ljust(32, b"\0")
    words = [int.from_bytes(text[at : at + 2], "big") for at in range(0, 32, 2)]
    block.values.update(xStart=True, udiNumber=number, aPartId=words)
