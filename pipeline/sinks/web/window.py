"""Figures of the last parts: yield, latency, stages, why parts were rejected and what was lost."""

from collections import Counter, deque
from dataclasses import dataclass

import msgspec

from pipeline.result import Disposition, Evaluation, Result, ResultState
from pipeline.result_text import percentile

PARTS = 1000
ORDER = ("locate", "image", "preprocess", "coarse", "refine", "visibility", "segment", "measure", "verdict")


class Spread(msgspec.Struct, frozen=True):
    """A time in ms: half of the parts took no longer than `p50`, 99 of 100 no longer than `p99`."""

    name: str
    p50: float
    p99: float
    longest: float


class WindowFigures(msgspec.Struct, frozen=True):
    """Of the last `parts` results. `reasons` and `losses`: NAME.CODE or CODE, and count, the most frequent first."""

    parts: int
    passed: int
    evaluations: dict[str, int]
    latency: Spread | None
    stages: list[Spread]
    reasons: list[tuple[str, int]]
    losses: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class _Part:
    evaluation: Evaluation
    is_passed: bool
    took_ms: float | None
    stages_ms: dict[str, float]
    reasons: tuple[str, ...]
    is_lost: bool


class Window:
    """Keeps what is needed of the last PARTS results."""

    def __init__(self, parts: int = PARTS) -> None:
        self._parts: deque[_Part] = deque(maxlen=parts)

    def add(self, result: Result) -> None:
        """One more."""
        took = result.times.get("received_to_answered_ns")
        is_first = result.part_index == 0  # stages are of the trigger, and told with each of its parts
        self._parts.append(
            _Part(
                result.result_evaluation,
                result.disposition is Disposition.PASS,
                None if took is None or not is_first else took / 1e6,
                {name: ns / 1e6 for name, ns in result.stages_ns.items()} if is_first else {},
                tuple(dict.fromkeys(_named(reason.name, reason.code) for reason in result.reasons)),
                result.result_state is ResultState.FAILED,
            )
        )

    def figures(self) -> WindowFigures:
        """All of them."""
        parts = list(self._parts)
        took = [part.took_ms for part in parts if part.took_ms is not None]
        stages: dict[str, list[float]] = {}
        for part in parts:
            for name, milliseconds in part.stages_ms.items():
                stages.setdefault(name, []).append(milliseconds)
        reasons = Counter(code for part in parts if not part.is_passed and not part.is_lost for code in part.reasons)
        evaluations = Counter(part.evaluation for part in parts)
        losses = Counter(code for part in parts if part.is_lost for code in part.reasons)
        return WindowFigures(
            parts=len(parts),
            passed=sum(part.is_passed for part in parts),
            evaluations={one.value: evaluations[one] for one in reversed(Evaluation) if evaluations[one]},
            latency=_spread("", took) if took else None,
            stages=[_spread(name, stages[name]) for name in sorted(stages, key=_place)],
            reasons=reasons.most_common(8),
            losses=losses.most_common(8),
        )


def _spread(name: str, times_ms: list[float]) -> Spread:
    ordered = sorted(times_ms)
    return Spread(name, percentile(ordered, 50), percentile(ordered, 99), ordered[-1])


def _place(stage: str) -> int:
    return ORDER.index(stage) if stage in ORDER else len(ORDER)


def _named(name: str, code: str) -> str:
    return f"{name}.{code}" if name else code
