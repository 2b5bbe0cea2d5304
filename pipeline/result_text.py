"""A result as one line for people, and a run of results as a summary."""

from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field

from pipeline.requests import Gap
from pipeline.result import Defect, Reason, Result

NEWEST = 100_000  # times that a summary keeps, so that it may go on for months


def line(result: Result) -> str:
    """Trigger, verdict, milliseconds, part id and reasons: `   17  NOT_OK  REJECT   9.8 ms  SN-4: pin_span.high 12.81 mm …`."""
    trigger = "-" if result.trigger_number is None else str(result.trigger_number)
    part = f"{trigger}/{result.part_index + 1}" if result.part_count > 1 else trigger
    took = result.times.get("received_to_answered_ns")
    milliseconds = f"{took / 1e6:7.1f} ms" if took is not None else "      - ms"
    reasons = ", ".join(reason_text(reason) for reason in result.reasons) or measured(result)
    words = printable(f"{result.part_id}: {reasons}" if result.part_id else reasons)
    return f"{part:>7}  {result.result_evaluation.value:13} {result.disposition.value:6} {milliseconds}  {words}"


def printable(text: str) -> str:
    """On one line and without what a terminal would obey: names and codes are whatever a station has sent."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def gap_text(gap: Gap) -> str:
    """Results that can be had no more: `gap: results 12 to 15 of session 1700000000`."""
    which = f"session {gap.session}{f' of {gap.station}' if gap.station else ''}"
    if gap.last < gap.first:
        return f"gap: nobody knows how many results after {gap.first - 1} {which} had"
    if gap.first == gap.last:
        return f"gap: result {gap.first} of {which}"
    return f"gap: results {gap.first} to {gap.last} of {which}"


def reason_text(reason: Reason) -> str:
    """The stable code with its parameters: `pin_span.high 12.81 mm (limit 12.78)`."""
    text = f"{reason.name}.{reason.code}" if reason.name else reason.code
    if reason.view and not reason.name:
        text += f" {reason.view}"
    if reason.value is not None:
        text += f" {reason.value:.4g}{' ' if reason.unit else ''}{reason.unit}"
    if reason.limit is not None:
        text += f" (limit {reason.limit:.4g})"
    return text


def measured(result: Result) -> str:
    """The measured values of a result that has no reason to complain, and the defects that are allowed."""
    values = [
        f"{entry.name} {entry.value:.3f} {entry.unit}" for entry in result.measurements if entry.value is not None
    ]
    if result.defects:
        largest = max(result.defects, key=lambda defect: defect.area_px)
        values.append(f"{len(result.defects)} defect(s), the largest {area_text(largest)}")
    return "  ".join(values)


def area_text(defect: Defect) -> str:
    """How large it is, in mm2 where the view has a scale: `0.35 mm2`."""
    return f"{defect.area_px:.4g} px2" if defect.area_mm2 is None else f"{defect.area_mm2:.3g} mm2"


@dataclass(slots=True)
class Summary:
    """Counts of a run and its newest times; a trigger counts as answered with the last of its parts."""

    results: int = 0
    triggers: int = 0
    evaluations: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    received_to_answered_ms: deque[float] = field(default_factory=lambda: deque(maxlen=NEWEST))

    def add(self, result: Result) -> None:
        """Count one result."""
        self.results += 1
        if result.part_index == result.part_count - 1:
            self.triggers += 1
        self.evaluations[result.result_evaluation.value] += 1
        if result.result_state == "FAILED":
            self.losses.update({reason.code for reason in result.reasons})
        took = result.times.get("received_to_answered_ns")
        if took is not None:
            self.received_to_answered_ms.append(took / 1e6)

    def text(self) -> str:
        """Several lines."""
        lines = [f"triggers answered  {self.triggers}", f"results            {self.results}"]
        lines += [f"  {name:17}{count}" for name, count in sorted(self.evaluations.items())]
        lines.append(f"losses             {sum(self.losses.values())}")
        lines += [f"  {printable(name):17}{count}" for name, count in sorted(self.losses.items())]
        if self.received_to_answered_ms:
            p50, p99 = percentile(self.received_to_answered_ms, 50), percentile(self.received_to_answered_ms, 99)
            lines.append(
                f"received to answer p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {max(self.received_to_answered_ms):.1f} ms"
            )
        return "\n".join(lines)


def percentile(values: Collection[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]
