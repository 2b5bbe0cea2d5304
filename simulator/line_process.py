"""The simulated line as a process: ``python -m simulator.line --state FILE --log FILE …``.

It says on standard output when its cameras can be opened (``ready …``), when the first part moves (``started``) and when
the last one has passed (``closed …``). SIGUSR1 stops the belt and leaves the cameras; SIGTERM or Ctrl-C ends all, and so
does, with ``--hold``, the end of standard input. The log has its closing line either way.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from pipeline.errors import DatumdError
from simulator.announcer import Announcer
from simulator.content import Content, FolderContent, PatternContent, RenderedContent
from simulator.families import families
from simulator.fault import parse_fault
from simulator.line import Line
from simulator.producer import DEFAULT_STATE, LINE_VARIABLE
from simulator.render import Occlusion

_POLL_S = 0.02
_LATE_S = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a line. Returns 0, or 2 after one line that says what is wrong."""
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments)
    except DatumdError as error:
        sys.stderr.write(f"simulator.line: {error}\n")
        return error.exit_code


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever started the line has gone; it ends by itself
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.line",
        description="Moves simulated parts past up to four simulated GenICam cameras.",
        epilog=f"The producer finds the cameras by the environment variable {LINE_VARIABLE}=FILE.",
    )
    add = parser.add_argument
    add("--state", type=Path, default=DEFAULT_STATE, metavar="FILE", help="shared file of the cameras (%(default)s)")
    add("--log", type=Path, metavar="FILE", help="the line's own log, JSON lines")
    add("--devices", type=int, default=1, help="cameras, 1 to 4 (%(default)s)")
    add("--rate-hz", type=float, default=5.0, help="parts per second (%(default)s)")
    add("--random-gaps", type=float, metavar="MEAN_MS", help="parts at random, with this mean gap, instead of steady")
    add("--triggers", type=int, metavar="N", help="parts to move; without it until it is ended")
    add("--seed", type=int, default=0, help="of parts, gaps and faults (%(default)s)")
    add("--source", default="renderer", help="renderer, pattern, or a folder of images (%(default)s)")
    add("--family", action="append", help=f"part family, once per camera: {', '.join(families())}")
    kinds = [kind.value for kind in Occlusion]
    add("--occlusion", choices=kinds, default="sparse", help="how much lies on rendered parts (%(default)s)")
    add("--defects", type=_share, default=0.0, metavar="SHARE", help="share of rendered parts with defects (none)")
    add("--turn", action="store_true", help="turn images of the folder that are upright, or lie, unlike the first")
    add("--colour", action="store_true", help="images of the folder in RGB instead of grey")
    add("--pool", type=int, default=48, help="images held in memory per camera (%(default)s)")
    add("--nominal-exposure-us", type=float, default=1000.0, help="exposure that leaves images unchanged (%(default)s)")
    add("--fault", action="append", default=[], metavar="F", help="KIND[:device=D][:at=N][:p=P][:seconds=S]")
    add("--announce", metavar="HOST:PORT", help="tell this station the part id of each trigger before it comes")
    text = "where the line counter of a camera stands at first, once per camera"
    add("--counter", action="append", default=[], type=int, metavar="N", help=text)
    add("--wait-for-cameras", type=float, default=0.0, metavar="S", help="start when all cameras acquire, or after S s")
    add(
        "--hold",
        action="store_true",
        help="stand still until standard input says go, and again when it says pause; it may say `fault F` and `mend`, too",
    )
    add("--linger-s", type=float, default=0.0, metavar="S", help="keep the cameras this long after the last part")
    return parser


def _share(text: str) -> float:
    share = float(text)
    if not 0.0 <= share <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is no share; allowed: 0 to 1")
    return share


def _content(arguments: argparse.Namespace) -> Content:
    if arguments.source == "renderer":
        chosen = tuple(arguments.family or families()[:1])
        return RenderedContent(
            chosen,
            seed=arguments.seed,
            occlusion=Occlusion(arguments.occlusion),
            defects=arguments.defects,
            pictures=arguments.pool,
        )
    if arguments.source == "pattern":
        return PatternContent()
    folder = FolderContent(Path(arguments.source), colour=arguments.colour, turn=arguments.turn)
    if folder.left_out:
        height, width = folder.shape[:2]
        _say(f"{len(folder.left_out)} images of {arguments.source} are left out: not {width}x{height}")
    return folder


class _Stop:
    """Set by any of some signals."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self._is_set = False
        for number in numbers:
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self._is_set = True

    def __call__(self) -> bool:
        return self._is_set


class _Holder:
    """Whoever started the line and holds the other end of its standard input; its end ends all.

    A line each: `go`, `pause`, `fault F` as of the next part, `mend` ends those. Raises DatumdError where it is none of them.
    """

    def __init__(self, line: Line) -> None:
        self.has_let_go = False
        self.is_gone = False
        self._line = line
        self._unread = b""

    def look(self) -> None:
        """See what came in; never waits, so that a signal is heeded meanwhile."""
        if self.is_gone or not select.select([sys.stdin], [], [], 0.0)[0]:
            return
        text = os.read(sys.stdin.fileno(), 4096)
        self.is_gone = not text
        *lines, self._unread = (self._unread + text).split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace"))

    def _take(self, text: str) -> None:
        match text.split(" ", 1):
            case ["go" | "pause" as word]:
                self.has_let_go = word == "go"
            case ["fault", plan]:
                self._line.strike_from_here_on(parse_fault(plan, "standard input"))
            case ["mend"]:
                self._line.mend()
            case _:
                raise DatumdError(
                    f"{text!r} is not understood", where="standard input", allowed="go, pause, fault F, mend"
                )


def _gaps_s(arguments: argparse.Namespace) -> Iterator[float]:
    if arguments.random_gaps is None:
        while True:
            yield 1.0 / arguments.rate_hz
    draw = random.Random(arguments.seed + 1)  # noqa: S311 - the same seed gives the same line
    while True:
        yield draw.expovariate(1000.0 / arguments.random_gaps)


def _wait_for_cameras(line: Line, limit_s: float, stopped: Callable[[], bool]) -> None:
    until = time.monotonic() + limit_s
    while not stopped() and not line.is_grabbing():
        if time.monotonic() > until:
            raise DatumdError(f"not all cameras acquire after {limit_s:g} s", where="simulated line")
        line.idle(time.monotonic() + _POLL_S, stopped)


def _move(
    line: Line,
    arguments: argparse.Namespace,
    stopped: Callable[[], bool],
    paused: Callable[[], bool],
    announcer: Announcer | None,
) -> float:
    """Move the parts. Returns by how much the line was late at the worst, in seconds."""
    due = time.monotonic()
    worst_s = 0.0
    for gap_s in _gaps_s(arguments):
        if announcer and line.parts != arguments.triggers:
            announcer.announce(*line.coming())
        line.idle(due, stopped)
        while paused() and not stopped() and line.parts != arguments.triggers:
            line.idle(time.monotonic() + _POLL_S, stopped)
            due = time.monotonic()
        if stopped() or line.parts == arguments.triggers:
            break
        worst_s = max(worst_s, time.monotonic() - due)
        line.edge()
        due += gap_s
    return worst_s


def _run(arguments: argparse.Namespace) -> int:
    if arguments.rate_hz <= 0.0 or (arguments.random_gaps is not None and arguments.random_gaps <= 0.0):
        raise DatumdError("a line needs a positive rate", where="--rate-hz, --random-gaps")
    signalled = _Stop(signal.SIGTERM, signal.SIGINT)
    halted = _Stop(signal.SIGUSR1)
    holder: _Holder | None = None

    def ended() -> bool:
        if holder:
            holder.look()
        return signalled() or (holder is not None and holder.is_gone)

    def stopped() -> bool:
        return ended() or halted()

    line = Line(
        arguments.state,
        _content(arguments),
        devices=arguments.devices,
        log_path=arguments.log,
        faults=[parse_fault(text) for text in arguments.fault],
        triggers=arguments.triggers,
        seed=arguments.seed,
        pool=arguments.pool,
        nominal_exposure_us=arguments.nominal_exposure_us,
        counters=arguments.counter,
    )
    holder = _Holder(line) if arguments.hold else None
    with line, contextlib.ExitStack() as stack:
        _say(f"ready state={arguments.state} cameras={arguments.devices}")
        if arguments.wait_for_cameras > 0.0:
            _wait_for_cameras(line, arguments.wait_for_cameras, stopped)
        while holder and not stopped() and not holder.has_let_go:
            line.idle(time.monotonic() + _POLL_S, stopped)
        _say("started")
        announcer = Announcer(arguments.announce) if arguments.announce else None
        if announcer:
            stack.callback(announcer.close)
        try:
            late_s = _move(line, arguments, stopped, lambda: holder is not None and not holder.has_let_go, announcer)
        finally:
            line.finish()
        _say(f"closed triggers={line.triggers} parts={line.parts}")
        if late_s > _LATE_S:
            _say(f"the line was late by up to {late_s:.1f} s: lower --rate-hz, or hold all images by a larger --pool")
        line.idle(float("inf") if halted() else time.monotonic() + arguments.linger_s, ended)
    return 0
