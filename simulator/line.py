"""The simulated line: it moves parts past up to four cameras and pulls their trigger input.

A process of its own (``python -m simulator.line``, see `simulator.line_process`), so that cameras, counters and faults
outlive the daemon's workers. Tests may hold a `Line` in-process instead.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from simulator.content import Content, slots_for
from simulator.fault import TIMED, Fault, FaultKind
from simulator.line_log import LoggedEdge, LogWriter, utc_text
from simulator.line_state import LineState, Tallies

_BITS = {
    FaultKind.INCOMPLETE: 1,
    FaultKind.DROP: 2,
    FaultKind.LAST_EDGE_LOST: 2,
    FaultKind.IGNORED_EDGE: 4,
    FaultKind.CORRUPT_NUMBER: 8,
}
_RGB8 = 0x02180014  # PFNC
_DARK_LIGHT = 0.02
_POLL_S = 0.05


class Line:
    """Cameras with power, and the belt in front of them. The content of trigger n is known before it comes.

    Args:
        state_path: the shared file, which the producer finds by the environment variable DATUMD_SIM_LINE.
        content: what the cameras see.
        devices: number of cameras, SIM-0 to SIM-3, all wired to the line.
        log_path: the line's own log; None keeps none.
        faults: the plan of what goes wrong.
        triggers: how many parts will come, if that is known: the fault ``last_edge_lost`` needs it.
        seed: of everything that is drawn at random.
        pool: most images held in memory per camera.
        nominal_exposure_us: exposure at which images arrive as they are.
        counters: where the cameras' line counters stand before the first part, 0 for those not named.

    Raises:
        DatumdError: no room for the shared file, or no place for the log.
    """

    def __init__(  # noqa: PLR0913 - each has a name and a default
        self,
        state_path: Path,
        content: Content,
        *,
        devices: int = 1,
        log_path: Path | None = None,
        faults: Sequence[Fault] = (),
        triggers: int | None = None,
        seed: int = 0,
        pool: int = 48,
        nominal_exposure_us: float = 1000.0,
        counters: Sequence[int] = (),
    ) -> None:
        self._content, self._faults, self._last_part = content, tuple(faults), triggers
        self._passing: tuple[Fault, ...] = ()
        self._random = random.Random(seed)  # noqa: S311 - faults must come again with the same seed
        self._trigger_number = self._parts = 0
        height, width = content.shape[:2]
        self._log = LogWriter(log_path)
        self._state = LineState(
            state_path,
            devices=devices,
            width=width,
            height=height,
            channels=3 if len(content.shape) == 3 else 1,
            slots=slots_for(content, pool),
            nominal_exposure_us=nominal_exposure_us,
            counters=counters,
        )
        self._width = width
        self._written = 0  # pictures that are in the ring, counted without end
        self._write_ahead()

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def parts(self) -> int:
        """Parts that have passed."""
        return self._parts

    @property
    def triggers(self) -> int:
        """Edges that the line has made: parts and extra edges."""
        return self._trigger_number

    def tallies(self, device: int) -> Tallies:
        """What a camera has counted."""
        return self._state.tallies(device)

    def is_high(self, device: int, output: int = 0) -> bool:
        """Whether a camera's user output is set, 0 being UserOutput1."""
        return self._state.is_high(device, output)

    def coming(self) -> tuple[int, str]:
        """The trigger number and the part id of the part that comes next."""
        return self._trigger_number + 1, _part_id(self._parts + 1)

    def edge(self) -> LoggedEdge:
        """One part passes: an edge at every camera, with the faults that are planned for it, and a line in the log."""
        self._parts += 1
        struck = self._struck(self._parts)
        edge = self._pull(self._parts - 1, _part_id(self._parts), struck)
        if FaultKind.EXTRA_EDGE in struck:
            self._pull(self._parts - 1, None, {FaultKind.EXTRA_EDGE: struck[FaultKind.EXTRA_EDGE]})
        self._write_ahead()
        return edge

    def extra_edge(self) -> LoggedEdge:
        """An edge that no part caused; the cameras see the last part once more."""
        return self._pull(max(self._parts - 1, 0), None, {FaultKind.EXTRA_EDGE: list(range(self._state.devices))})

    def lose(self, device: int, seconds: float, kind: FaultKind = FaultKind.LOSE_DEVICE) -> None:
        """Take a camera off the bus now; `kind` says how it comes back."""
        self._strike(Fault(kind, seconds=seconds), device)

    def hang(self, device: int, seconds: float) -> None:
        """Let the producer's calls for a camera hang from now on."""
        self._strike(Fault(FaultKind.HANG, seconds=seconds), device)

    def strike_from_here_on(self, fault: Fault) -> None:
        """Let a fault happen at each part to come, until `mend`; where it has a moment or a probability, at those."""
        if fault.at is None and not fault.probability:
            fault = replace(fault, probability=1.0)
        self._passing = (*self._passing, fault)

    def mend(self) -> None:
        """End what `strike_from_here_on` began; a camera that is lost stays away for the rest of its seconds."""
        self._passing = ()

    def is_grabbing(self, device: int | None = None) -> bool:
        """Whether this camera, or every camera, is open and acquiring: an edge that comes now is exposed."""
        devices = range(self._state.devices) if device is None else (device,)
        return all(self._state.is_grabbing(index) for index in devices)

    def _struck(self, part: int) -> dict[FaultKind, list[int]]:
        struck: dict[FaultKind, list[int]] = {}
        for fault in self._faults + self._passing:
            for device in range(self._state.devices):
                if fault.device in (None, device) and fault.strikes(
                    part, self._random, is_last=part == self._last_part
                ):
                    struck.setdefault(fault.kind, []).append(device)
                    self._strike(fault, device)
        return struck

    def _strike(self, fault: Fault, device: int) -> None:
        match fault.kind:
            case FaultKind.LOSE_DEVICE:
                self._state.lose(device, fault.seconds)
            case FaultKind.POWER_LOSS:
                self._state.lose(device, fault.seconds, power=True)
            case FaultKind.WRONG_FORMAT:
                self._state.lose(device, fault.seconds, pixel_format=_RGB8)
            case FaultKind.WRONG_SIZE:
                self._state.lose(device, fault.seconds, width=max(4, self._width // 2 // 4 * 4))
            case FaultKind.HANG:
                self._state.hang(device, fault.seconds)
            case _:
                return
        stamp_ns = time.monotonic_ns()
        camera = f"SIM-{device}"
        self._log.write({"event": fault.kind, "device": camera, "seconds": fault.seconds, "monotonic_ns": stamp_ns})

    def _pull(self, picture: int, part_id: str | None, struck: dict[FaultKind, list[int]]) -> LoggedEdge:
        self._trigger_number += 1
        stamp_ns = time.monotonic_ns()
        counters = {}
        for device in range(self._state.devices):
            kinds = [kind for kind, devices in struck.items() if device in devices and kind not in TIMED]
            counters[f"SIM-{device}"] = self._state.make_edge(
                device,
                trigger_number=self._trigger_number,
                stamp_ns=stamp_ns,
                slot=picture % self._state.slots,
                faults=_bits(kinds),
                light=_DARK_LIGHT if FaultKind.DARK in kinds else 1.0,
            )
        faults = {kind.value: devices for kind, devices in struck.items()}
        seen = self._content.describe(picture % self._content.pictures)
        record = {
            "trigger_number": self._trigger_number,
            "monotonic_ns": stamp_ns,
            "utc": utc_text(),
            "part_id": part_id,
            "devices": list(counters),
            "counters": counters,
            **seen,
            "faults": faults,
        }
        self._log.write(record)
        self._log_software_triggers()
        seed = seen.get("seed")
        return LoggedEdge(
            trigger_number=self._trigger_number,
            monotonic_ns=stamp_ns,
            part_id=part_id,
            devices=tuple(counters),
            counters=counters,
            seed=int(seed) if seed is not None else None,
            faults=faults,
        )

    def _write_ahead(self) -> None:
        """Keep the content of half a ring of coming triggers in place; the other half stays for cameras that lag."""
        slots = self._state.slots
        until = slots if slots == self._content.pictures else self._parts + max(slots // 2, 1)
        for picture in range(self._written, until):
            for device in range(self._state.devices):
                image = self._content.image(device, picture % self._content.pictures)
                self._state.put_image(device, picture % slots, image)
        self._written = max(self._written, until)

    def _log_software_triggers(self) -> None:
        for trigger in self._state.new_software_triggers():
            self._log.write(
                {
                    "software": True,
                    "device": f"SIM-{trigger.device}",
                    "number": trigger.number,
                    "monotonic_ns": trigger.monotonic_ns,
                }
            )

    def idle(self, until_monotonic_s: float, stopped: Callable[[], bool]) -> None:
        """Wait, logging software triggers, until then or until ``stopped``."""
        while not stopped() and (left_s := until_monotonic_s - time.monotonic()) > 0.0:
            self._log_software_triggers()
            time.sleep(min(left_s, _POLL_S))

    def finish(self) -> None:
        """Write the closing line of the log: no part will come any more. The cameras stay."""
        self._log_software_triggers()
        tallies = {f"SIM-{device}": self._state.tallies(device) for device in range(self._state.devices)}
        cameras = {
            name: {"exposed": tally.exposed, "delivered": tally.delivered, "underrun": tally.underrun}
            for name, tally in tallies.items()
        }
        self._log.write({"closed": True, "triggers": self._trigger_number, "parts": self._parts, "cameras": cameras})

    def close(self) -> None:
        """End the line and take the cameras away."""
        self._log.close()
        self._state.close()


def _part_id(part: int) -> str:
    return f"part-{part:06d}"


def _bits(kinds: Sequence[FaultKind]) -> int:
    bits = 0
    for kind in kinds:
        bits |= _BITS.get(kind, 0)
    return bits


if __name__ == "__main__":
    import sys

    from simulator.line_process import main

    sys.exit(main())
