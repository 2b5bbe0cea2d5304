"""The register table as the tables of docs/plc.md."""

from pipeline.sinks.modbus.registers import BELT_BLOCK, DAEMON_BLOCK, PLC_BLOCK, Register
from pipeline.sinks.modbus.signals import Cause

BEGIN, END = "<!-- registers -->", "<!-- end of registers -->"
_CAUSES = {
    Cause.none: "none",
    Cause.window: "no valid answer within the window",
    Cause.refused: "the station refused the trigger",
    Cause.no_reply: "the station did not reply: whether it has triggered is not known",
    Cause.other_part: "the answer names another part id than PartId",
    Cause.station: "the station could form no answer, or cannot decide",
    Cause.early_trigger: "Trigger rose while TriggerReady was 0",
    Cause.number_twice: "two open triggers have the same number",
    Cause.overrun: "a result was dropped, as 8 wait",
    Cause.recipe_refused: "the station cannot inspect by this recipe",
    Cause.plc_silent: "PlcHeartbeat stood still",
}


def page_tables() -> str:
    """Markdown, from BEGIN to END."""
    parts = [BEGIN]
    for title, block in (
        ("The PLC writes", PLC_BLOCK),
        ("The PLC reads: status and result", DAEMON_BLOCK),
        ("The PLC reads: the belt", BELT_BLOCK),
    ):
        parts += [f"### {title}", "", "| address | registers | name | kind | meaning |", "|---|---|---|---|---|"]
        parts += [_row(register) for register in block]
        parts.append("")
        for register in block:
            if register.bits:
                parts += [f"Bits of {register.name}:", "", "| bit | name | meaning |", "|---|---|---|"]
                parts += [f"| {place} | {name} | {meaning} |" for place, (name, meaning) in enumerate(register.bits)]
                parts.append("")
    parts += ["### Cause and ErrorCode", "", "| number | meaning |", "|---|---|"]
    parts += [f"| {cause.value} | {_CAUSES[cause]} |" for cause in Cause]
    return "\n".join([*parts, "", END])


def _row(register: Register) -> str:
    kind = register.kind if register.count == 1 else f"{register.count} of {register.kind}"
    if register.kind == "text":
        kind = f"text, {register.count} characters"
    return f"| {register.address} | {register.size} | {register.name} | {kind} | {register.meaning} |"
