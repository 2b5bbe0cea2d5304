from pathlib import Path

from pipeline.sinks.modbus.register_page import BEGIN, END, page_tables
from pipeline.sinks.modbus.registers import DAEMON_BLOCK, PLC_BLOCK, Register, size

DOCS = Path(__file__).parents[5] / "docs"


def test_the_page_has_the_table_of_the_code() -> None:
    page = (DOCS / "plc.md").read_text()
    assert page[page.index(BEGIN) : page.index(END) + len(END)] == page_tables()


def place(block: tuple[Register, ...], name: str) -> int:
    return next(register.address - block[0].address for register in block if register.name == name)


def test_the_blocks_to_copy_use_the_places_of_the_table() -> None:
    for name in ("datumd_handshake.scl", "datumd_handshake.st"):
        text = (DOCS / "plc" / name).read_text()
        for word in ("Control", "TriggerNumber", "PartId"):
            assert f"W_{word} : INT := {place(PLC_BLOCK, word)};" in text
        for word in (
            "Status",
            "InspectionID",
            "ResultTriggerNumber",
            "Verdict",
            "ResultPartId",
            "InspectionIDRepeated",
        ):
            assert f"R_{word} : INT := {place(DAEMON_BLOCK, word)};" in text
        assert f"[0..{size(PLC_BLOCK) - 1}] OF WORD" in text
        assert f"[0..{size(DAEMON_BLOCK) - 1}] OF WORD" in text
