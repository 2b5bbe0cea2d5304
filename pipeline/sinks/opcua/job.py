"""A single job: one software trigger, from the client's call to its verdict."""

from dataclasses import dataclass, field

from pipeline.result import Result
from pipeline.sinks.opcua.signals import Cause, Shown, Verdict, verdict_of


@dataclass(slots=True)
class Job:
    """`key` is the number that its answer carries as `software_trigger`, None while the station has not told it."""

    job_id: str
    part_id: str
    since_ns: int
    key: int | None = None
    is_open: bool = True
    verdict: Verdict = Verdict.NONE
    cause: Cause = Cause.none
    parts: dict[int, Shown] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """It has its verdict, or will get none."""
        return not self.is_open

    def take(self, result: Result) -> Shown:
        """One part's answer; the job ends with the last part's."""
        verdict, cause = verdict_of(result), Cause.none
        if self.part_id and result.part_id != self.part_id:
            verdict, cause = Verdict.NONE, Cause.other_part
        elif verdict is Verdict.NONE:
            cause = Cause.station
        shown = self.parts[result.part_index] = Shown(result, self.job_id, verdict, cause)
        if len(self.parts) >= max(1, *(each.result.part_count for each in self.parts.values())):
            self.end(self._whole(), max((each.cause for each in self.parts.values()), key=abs))
        return shown

    def _whole(self) -> Verdict:
        """It passes where each part passes, and fails where one fails."""
        verdicts = {each.verdict for each in self.parts.values()}
        if verdicts == {Verdict.PASS}:
            return Verdict.PASS
        foreign = any(each.cause is Cause.other_part for each in self.parts.values())
        return Verdict.FAIL if Verdict.FAIL in verdicts and not foreign else Verdict.NONE

    def end(self, verdict: Verdict, cause: Cause) -> None:
        """It has its verdict; nothing changes that any more."""
        if self.is_open:
            self.is_open, self.verdict, self.cause = False, verdict, cause
