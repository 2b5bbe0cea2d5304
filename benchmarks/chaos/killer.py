"""Kills and stops processes at random moments: which, how and when comes from the seed."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

# In each round every one of them is struck once, in a random order.
ROUND = (
    "ledger",
    "ledger",
    "spare",  # the process that waits to become the ledger
    "supervisor",
    "grab.top",
    "grab.side",
    "infer.0",
    "infer.1",
    "requests",
    "evidence",
    "metrics",
    "subscriber",
    "subscriber",
)
WATCHDOG_S = 4.0  # a supervisor that stands still is killed after so long, as systemd's watchdog does
LONGEST_STOP_S = 3.0
START_S = 0.05  # "just started"
PATIENCE_S = 20.0  # for a process that is just being started again
FIRST, LAST = 0.01, 0.97  # share of the triggers before which, and after which, nothing is struck


class How(StrEnum):
    """What is done to a process."""

    KILL = "kill -9"
    PAUSE = "stop, resume"
    FREEZE = "stop"  # for ever: whoever watches it has to kill it


@dataclass(frozen=True, slots=True)
class Plan:
    """A strike to come: at the line's trigger `at`, or so many seconds after `follows` has started again."""

    at: int
    target: str
    how: How
    pause_s: float = 0.0
    after_start_s: float | None = None


@dataclass(frozen=True, slots=True)
class Strike:
    """A strike that hit: when (monotonic), whom, how; `note` tells what is special about it."""

    at_ns: int
    target: str
    how: How
    pid: int
    note: str = ""

    def __str__(self) -> str:
        return f"{self.how} {self.target} (pid {self.pid}{', ' if self.note else ''}{self.note})"


def plans(kills: int, triggers: int, seed: int) -> list[Plan]:
    """So many strikes, in order of their moments: one in seven hits two at once, one in seven is followed by another."""
    draw = random.Random(seed)  # noqa: S311 - the same seed gives the same run
    targets = _targets(draw)
    found: list[Plan] = []
    while len(found) < kills:
        at = draw.randint(max(1, int(FIRST * triggers)), max(1, int(LAST * triggers)))
        first = _plan(draw, at, next(targets))
        found.append(first)
        special = draw.random()
        if special < 1 / 7:
            other = next(targets)
            if other != first.target:
                found.append(_plan(draw, at, other))
        elif special < 2 / 7 and first.how is How.KILL and first.target not in {"supervisor", "subscriber"}:
            found.append(Plan(at, first.target, How.KILL, after_start_s=draw.uniform(0.0, START_S)))
    return sorted(found[:kills], key=lambda plan: plan.at)


def _targets(draw: random.Random) -> Iterator[str]:
    while True:
        yield from draw.sample(ROUND, len(ROUND))


def _plan(draw: random.Random, at: int, target: str) -> Plan:
    how = draw.choices((How.KILL, How.PAUSE, How.FREEZE), (6, 2, 2))[0]
    if how is How.FREEZE and target == "subscriber":
        how = How.PAUSE  # nobody watches it
    return Plan(at, target, how, pause_s=draw.uniform(0.05, LONGEST_STOP_S) if how is How.PAUSE else 0.0)


class Killer:
    """Carries the plans out. `strikes` are those that hit, `missed` those for which the run was too short."""

    def __init__(self, planned: list[Plan], expect_end: Callable[[int], None], patience_s: float = PATIENCE_S) -> None:
        self.strikes: list[Strike] = []
        self.missed: list[Plan] = []
        self._waiting = list(planned)
        self._due: list[tuple[Plan, float]] = []  # and when patience with it ends
        self._later: list[tuple[float, int, signal.Signals]] = []
        self._spent: set[int] = set()  # killed, or stopped for ever
        self._seen_s: dict[int, float] = {}
        self._expect_end = expect_end
        self._patience_s = patience_s

    @property
    def is_watching(self) -> bool:
        """Whether it waits for a process to start, to kill it at once."""
        return any(plan.after_start_s is not None for plan, _ in self._due)

    @property
    def is_idle(self) -> bool:
        """Nothing is stopped, nothing is due."""
        return not self._later and not self._due

    def turn(self, triggers: int, pids: Callable[[], Mapping[str, int]], *, is_held: bool = False) -> None:
        """Strike what is due when the line has made so many triggers; `pids` gives the processes that run.

        `is_held`: not now, but later.
        """
        now_s = time.monotonic()
        for item in [item for item in self._later if item[0] <= now_s]:
            self._later.remove(item)
            _send(item[1], item[2])
        while not is_held and self._waiting and self._waiting[0].at <= triggers:
            self._due.append((self._waiting.pop(0), now_s + self._patience_s))
        if not self._due:
            return
        running = pids()
        for pid in running.values():
            self._seen_s.setdefault(pid, now_s)
        for entry in list(self._due):
            plan, until_s = entry
            pid = running.get(plan.target, 0)
            if self._may_be_struck(plan, pid, now_s):
                self._due.remove(entry)
                self._strike(plan, pid)
            elif now_s > until_s and (others := self._others(running, now_s)):
                self._due.remove(entry)
                other = random.Random(plan.at).choice(others)  # noqa: S311 - whichever, but the same with the same seed
                self._strike(Plan(plan.at, other, How.KILL), running[other])

    def _others(self, running: Mapping[str, int], now_s: float) -> list[str]:
        """Who may be struck in the place of one that does not come back in time."""
        return sorted(name for name, pid in running.items() if self._may_be_struck(Plan(0, name, How.KILL), pid, now_s))

    def _may_be_struck(self, plan: Plan, pid: int, now_s: float) -> bool:
        """It runs, and it neither stands still nor is about to be killed because of an earlier strike."""
        if not pid or pid in self._spent or any(item[1] == pid for item in self._later):
            return False
        return plan.after_start_s is None or now_s >= self._seen_s[pid] + plan.after_start_s

    def _strike(self, plan: Plan, pid: int) -> None:
        note = (
            ""
            if plan.after_start_s is None
            else f"{1000 * (time.monotonic() - self._seen_s[pid]):.0f} ms after its start"
        )
        if plan.how is not How.PAUSE:
            self._expect_end(pid)
            self._spent.add(pid)
        at_ns = time.monotonic_ns()
        if not _send(pid, signal.SIGKILL if plan.how is How.KILL else signal.SIGSTOP):
            return
        self.strikes.append(Strike(at_ns, plan.target, plan.how, pid, note))
        if plan.how is How.PAUSE:
            self._later.append((time.monotonic() + plan.pause_s, pid, signal.SIGCONT))
        elif plan.how is How.FREEZE and plan.target == "supervisor":
            self._later.append((time.monotonic() + WATCHDOG_S, pid, signal.SIGKILL))

    def release(self) -> None:
        """Let everything that is stopped go on."""
        for _, pid, number in self._later:
            _send(pid, number)
        self._later.clear()
        self.missed += [plan for plan, _ in self._due] + self._waiting
        self._due.clear()
        self._waiting.clear()


def _send(pid: int, number: signal.Signals) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False
