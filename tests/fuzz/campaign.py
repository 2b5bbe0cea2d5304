"""Feeds a target, and tells what came of it: exceptions that nobody documented, inputs that take too long, memory that grows."""

import hashlib
import random
import signal
import time
import traceback
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.fuzz.mutation import mutate
from tests.fuzz.target import Target

LIMIT_S = 2.0  # of one input, in processor time: the machine may be busy with something else
MOST_KEPT = 400
OFTEN = 200
LARGEST_KEPT = 8_000


class TooLongError(Exception):
    """An input took longer than LIMIT_S."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A defect: what was raised and where, and the first input that did it."""

    what: str
    data: bytes


@dataclass(slots=True)
class Outcome:
    """A campaign's figures. `grown_bytes`: resident memory at its end over that after its first tenth."""

    target: str
    executions: int = 0
    seconds: float = 0.0
    summaries: int = 0
    slowest_s: float = 0.0
    grown_bytes: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)


def run(
    target: Target,
    executions: int,
    seed: int,
    *,
    limit_s: float = LIMIT_S,
    goes_on: Callable[[], object] = lambda: None,
) -> Outcome:
    """Feed the target so many times: its corpus, then what is made of it. `goes_on` is called now and then."""
    rng = random.Random(f"{target.name} {seed}")
    corpus = target.corpus()
    pool, seen = list(corpus), set[int]()
    outcome = Outcome(target.name)
    began, early_bytes = time.monotonic(), 0
    with _alarm():
        while outcome.executions < executions:
            is_given = outcome.executions < len(corpus)
            data = corpus[outcome.executions] if is_given else _made(target, pool, rng)
            summary = _execute(target, data, outcome, limit_s)
            outcome.executions += 1
            if outcome.executions % OFTEN == 1:
                goes_on()
            if hash(summary) not in seen:
                seen.add(hash(summary))
                if not is_given and len(data) < LARGEST_KEPT:
                    pool.append(data)
                    if len(pool) > MOST_KEPT:
                        del pool[rng.randrange(len(corpus), len(pool))]
            if outcome.executions == max(1, executions // 10):
                early_bytes = _resident_bytes()
    outcome.seconds = time.monotonic() - began
    outcome.summaries = len(seen)
    outcome.grown_bytes = _resident_bytes() - early_bytes
    return outcome


def save(outcome: Outcome, folder: Path) -> list[Path]:
    """Write the inputs of all findings."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for finding in outcome.findings.values():
        path = folder / f"{outcome.target}-{hashlib.sha256(finding.data).hexdigest()[:12]}"
        path.write_bytes(finding.data)
        paths.append(path)
    return paths


def _made(target: Target, pool: list[bytes], rng: random.Random) -> bytes:
    data = rng.choice(pool)
    if target.vary is not None and rng.random() < 0.6:
        data = target.vary(data, rng)
        if rng.random() < 0.7:
            return data
    return mutate(data, rng, pool)


def _execute(target: Target, data: bytes, outcome: Outcome, limit_s: float) -> Hashable:
    began = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
    summary: Hashable = None
    try:
        summary = target.execute(data)
    except Exception as problem:  # anything that is not documented is a finding
        summary = place = _place(problem)
        outcome.findings.setdefault(place, Finding(f"{place}: {str(problem)[:100]!r}", data))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
    outcome.slowest_s = max(outcome.slowest_s, time.process_time() - began)
    return summary


def _place(problem: Exception) -> str:
    """The exception and its innermost place in our own code."""
    frames = traceback.extract_tb(problem.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename and "/lib/python" not in frame.filename]
    frame = (ours or frames)[-1]
    return f"{type(problem).__name__} at {Path(frame.filename).name}:{frame.lineno} ({frame.name})"


@contextmanager
def _alarm() -> Iterator[None]:
    def too_long(_signum: int, _frame: FrameType | None) -> None:
        raise TooLongError

    previous = signal.signal(signal.SIGVTALRM, too_long)
    try:
        yield
    finally:
        signal.signal(signal.SIGVTALRM, previous)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
