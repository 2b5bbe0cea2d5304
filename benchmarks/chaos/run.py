"""One chaos run, from the first process to the reckoning."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos.answers import Answer, read_answers
from benchmarks.chaos.chooser import Chooser, Selection
from benchmarks.chaos.killer import Killer, Plan, Strike, plans
from benchmarks.chaos.reckoning import Reckoning, reckon
from benchmarks.chaos.recovery import Recovery, recoveries
from benchmarks.chaos.scene import DEADLINE_MS, RECIPES, moments
from benchmarks.chaos.service import Service
from benchmarks.chaos.stage import Stage
from benchmarks.chaos.subscriber import Got, Record, read_records
from simulator.fault import FaultKind
from simulator.line_log import LoggedEdge

TURN_S, WATCHING_S = 0.01, 0.002
SAY_S = 5.0
SETTLE_LIMIT_S = 45.0  # without a result, after the last trigger: longer than any back-off
QUIET_S = 2.0 + 2 * DEADLINE_MS / 1000  # for an answer too many to show


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says."""

    triggers: int
    kills: int
    seed: int
    rate_hz: float


@dataclass(slots=True)
class Run:
    """All that is known after a run."""

    settings: Settings
    seconds: float
    edges: tuple[LoggedEdge, ...]
    answers: list[Answer]
    records: list[Record]
    strikes: list[Strike]
    missed: list[Plan]
    selections: list[Selection]
    daemon_starts: int
    subscriber_starts: int
    reckoning: Reckoning
    ended_by_itself: list[str] = field(default_factory=list)
    chooser_fault: str = ""
    resynchronised: int = 0
    not_resynchronised: list[str] = field(default_factory=list)

    @property
    def recoveries(self) -> list[Recovery]:
        """By kind of process and of kill."""
        return recoveries(self.strikes, self.edges, self.answers, self.records)


class _Counter:
    """Counts, without reading it again, the lines of a file that have a word in them."""

    def __init__(self, path: Path, word: bytes) -> None:
        self._path, self._word = path, word
        self._read = self.count = 0
        self.last = b""

    def turn(self) -> int:
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read += len(whole)
            self.count += whole.count(self._word)
            self.last = whole.rstrip().rpartition(b"\n")[2] or self.last
        return self.count


class Chaos:
    """Moves the line, kills, and reckons."""

    def __init__(
        self, folder: Path, settings: Settings, say: Callable[[str], None], stopped: Callable[[], bool]
    ) -> None:
        self._settings, self._say, self._stopped = settings, say, stopped
        self._folder = folder
        self._stage = Stage(folder, triggers=settings.triggers, rate_hz=settings.rate_hz, seed=settings.seed)
        self._killer = Killer(plans(settings.kills, settings.triggers, settings.seed), self._stage.expect_end)
        self._service = Service(moments(FaultKind.POWER_LOSS, settings.triggers), self._stage.line, self._stage.control)
        self._made = _Counter(folder / "line.jsonl", b'{"trigger_number"')
        self._parts = _Counter(folder / "line.jsonl", b'"part_id": "')
        self._got = _Counter(self._stage.received, b'["got"')
        self._said_s = time.monotonic()

    def run(self) -> Run:
        """The whole of it; ends everything that it started."""
        started_s = time.monotonic()
        chooser = Chooser(self._stage.control, list(RECIPES), self._settings.seed)
        try:
            self._stage.line.go()
            self._move()
            chooser.close()
            self._killer.release()
            self._settle()
        finally:
            self._killer.release()
            self._stage.end()
            edges = self._stage.line.log().edges
            self._stage.close()
        self._keep_record(chooser.selections)
        answers = list(read_answers(self._folder / "state"))
        records = read_records(self._stage.received)
        reckoning = reckon(edges, answers, records, chooser.selections, self._stage.leaks())
        return Run(
            settings=self._settings,
            seconds=time.monotonic() - started_s,
            edges=edges,
            answers=answers,
            records=records,
            strikes=self._killer.strikes,
            missed=self._killer.missed,
            selections=chooser.selections,
            daemon_starts=self._stage.daemon_starts,
            subscriber_starts=self._stage.subscriber_starts,
            reckoning=reckoning,
            ended_by_itself=self._stage.ended_by_itself,
            chooser_fault=chooser.fault,
            resynchronised=self._service.done,
            not_resynchronised=self._service.failed,
        )

    def _keep_record(self, selections: list[Selection]) -> None:
        """What was done to the station, beside its logs."""
        lines = [(strike.at_ns, str(strike)) for strike in self._killer.strikes]
        lines += [
            (one.asked_ns, f"select {one.number}, {(one.told_ns - one.asked_ns) / 1e6:.1f} ms {one.error}")
            for one in selections
        ]
        text = "".join(f"{at_ns} {what}\n" for at_ns, what in sorted(lines))
        (self._folder / "done.txt").write_text(text, encoding="utf-8")

    def _move(self) -> None:
        """Until the line has made its last edge and nothing stands still any more."""
        halted = False
        while not (b'"closed"' in self._made.last and self._killer.is_idle):
            if self._stopped() and not halted:
                self._stage.line.halt()
                halted = True
            triggers = self._made.turn()
            self._turn(triggers)
            self._service.turn(self._parts.count, lambda: self._turn(self._made.turn()))
            if halted and b'"closed"' in self._made.last:
                break

    def _settle(self) -> None:
        """Until the subscriber has heard of every trigger and nothing more comes, or nothing has come for too long."""
        wanted, got, quiet_s = self._made.turn(), -1, 0.0
        while quiet_s < SETTLE_LIMIT_S and not (got >= wanted and quiet_s > QUIET_S and self._has_all()):
            self._turn(wanted)
            if self._got.count != got:
                since_s, got = time.monotonic(), self._got.count
            quiet_s = time.monotonic() - since_s

    def _has_all(self) -> bool:
        numbers = {record.trigger for record in read_records(self._stage.received) if isinstance(record, Got)}
        return all(edge.trigger_number in numbers for edge in self._stage.line.log().edges)

    def _turn(self, triggers: int) -> None:
        self._stage.revive()
        parts = self._parts.turn()
        self._killer.turn(triggers, self._stage.pids, is_held=self._service.is_near(parts))
        got = self._got.turn()
        now_s = time.monotonic()
        if now_s - self._said_s > SAY_S:
            self._said_s = now_s
            strikes, last = len(self._killer.strikes), self._killer.strikes[-1:]
            newest = f"; last: {last[0]}" if last else ""
            self._say(f"{triggers} triggers, {got} results at the subscriber, {strikes} kills{newest}")
        time.sleep(WATCHING_S if self._killer.is_watching else TURN_S)
