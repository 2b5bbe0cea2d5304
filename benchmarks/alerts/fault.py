"""A fault: how it is made and ended, and how long its alerts take to fire and to clear."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.alerts.prometheus import Prometheus

FIRE_LIMIT_S, CLEAR_LIMIT_S = 240.0, 240.0
TURN_S = 0.2


@dataclass(frozen=True, slots=True)
class Fault:
    """One that is really made.

    Attributes:
        what: what is done, in words.
        alerts: that must fire.
        make: begins it.
        end: ends it.
        go_on: called again and again until all have fired.
    """

    what: str
    alerts: Sequence[str]
    make: Callable[[], object]
    end: Callable[[], object]
    go_on: Callable[[], object] = lambda: None


@dataclass(slots=True)
class Shown:
    """What was seen of one alert. `fault` is "" where it fired and cleared as it must."""

    alert: str
    what: str
    fired_s: float | None = None
    cleared_s: float | None = None
    fault: str = ""


@dataclass(slots=True)
class Watch:
    """Makes faults before a Prometheus."""

    prometheus: Prometheus
    say: Callable[[str], None]
    shown: list[Shown] = field(default_factory=list)

    def rest(self, seconds: float) -> set[str]:
        """Watch without a fault. Returns which alerts fired."""
        fired: set[str] = set()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            fired |= self.prometheus.firing()
            time.sleep(TURN_S)
        return fired

    def show(self, fault: Fault) -> None:
        """Make a fault, wait until its alerts fire, end it, wait until they clear."""
        shown = {alert: Shown(alert, fault.what) for alert in fault.alerts}
        self.shown += shown.values()
        for alert in self.prometheus.firing() & shown.keys():
            shown[alert].fault = "fired before its fault"
        self.say(f"{fault.what} ...")
        began = time.monotonic()
        fault.make()
        while time.monotonic() - began < FIRE_LIMIT_S and any(each.fired_s is None for each in shown.values()):
            fault.go_on()
            for alert in self.prometheus.firing() & shown.keys():
                if shown[alert].fired_s is None:
                    shown[alert].fired_s = time.monotonic() - began
                    self.say(f"  {alert} fires after {shown[alert].fired_s:.1f} s")
            time.sleep(TURN_S)
        ended = time.monotonic()
        fault.end()
        while time.monotonic() - ended < CLEAR_LIMIT_S and any(each.cleared_s is None for each in shown.values()):
            for alert in shown.keys() - self.prometheus.firing():
                if shown[alert].cleared_s is None:
                    shown[alert].cleared_s = time.monotonic() - ended
                    self.say(f"  {alert} has cleared after {shown[alert].cleared_s:.1f} s")
            time.sleep(TURN_S)
        for each in shown.values():
            if each.fired_s is None:
                each.fault = f"did not fire within {FIRE_LIMIT_S:g} s"
            elif each.cleared_s is None:
                each.fault = f"did not clear within {CLEAR_LIMIT_S:g} s"
            if each.fault:
                self.say(f"  {each.alert} {each.fault}")
