"""A camera's digital output as a wire to the gate: one pulse for each part that passes, and nothing for any other."""

from collections.abc import Callable

from pipeline.workers.repeated_log import RepeatedLog


class PassWire:
    """Pulses on an output. It begins low; whatever goes wrong, there is no rising edge, and the gate rejects.

    Args:
        set_output: sets the camera's output.
        pulse_ns: length of a pulse.
        faults: is told of a part that passes and gets no pulse.
    """

    def __init__(self, set_output: Callable[[bool], None], pulse_ns: int, faults: RepeatedLog) -> None:
        self._set_output, self._pulse_ns, self._faults = set_output, pulse_ns, faults
        self._low_at_ns: int | None = None

    def show(self, until_ns: int, now_ns: int) -> None:
        """A part passes. After `until_ns`, its deadline, the gate may have the next part before it: no pulse then.

        Nor is there one while the pulse before it lasts: one edge is one part, and nobody could see a second.
        """
        self.tick(now_ns)
        if now_ns > until_ns:
            self._faults.tell("a part passes, and its deadline is over: no pulse, so it is rejected")
        elif self._low_at_ns is not None:
            self._faults.tell("a part passes during the pulse of the one before: no pulse, so it is rejected")
        else:
            self._set_output(True)
            self._low_at_ns = now_ns + self._pulse_ns

    def tick(self, now_ns: int) -> None:
        """Time goes on: end the pulse."""
        if self._low_at_ns is not None and now_ns >= self._low_at_ns:
            self._set_output(False)
            self._low_at_ns = None

    def left_s(self, now_ns: int, at_most_s: float) -> float:
        """How long to wait, until the pulse is to end or `at_most_s`."""
        return at_most_s if self._low_at_ns is None else max(0.0, min(at_most_s, (self._low_at_ns - now_ns) / 1e9))
