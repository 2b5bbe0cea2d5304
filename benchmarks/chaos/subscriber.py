"""The subscriber of a chaos run, a process of its own: writes down each message that it got, and may be killed in it."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import msgspec

from pipeline.client import Subscription
from pipeline.requests import Gap
from pipeline.result import Result
from pipeline.status import Heartbeat
from pipeline.worker import end_with_parent


class Got(msgspec.Struct, frozen=True, array_like=True, tag="got"):
    """A result, given to the subscriber process `pid` at `at_ns` (monotonic)."""

    session: int
    seq: int
    trigger: int | None
    at_ns: int
    pid: int


class Told(msgspec.Struct, frozen=True, array_like=True, tag="told"):
    """A gap that the subscription told: these results will never come."""

    session: int
    first: int
    last: int
    pid: int


class Up(msgspec.Struct, frozen=True, array_like=True, tag="up"):
    """The subscription has heard the station."""

    pid: int


Record = Got | Told | Up
_decode = msgspec.json.Decoder(Record).decode


def read_records(path: Path) -> list[Record]:
    """All that the subscribers wrote, in order; a last line that a kill cut off is left out."""
    if not path.exists():
        return []
    return [_decode(line) for line in path.read_bytes().split(b"\n")[:-1]]


def main(argv: Sequence[str] | None = None) -> int:
    """Subscribe until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos.subscriber", description=__doc__)
    parser.add_argument("endpoint")
    parser.add_argument("station")
    parser.add_argument("cursor", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args(argv)
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    end_with_parent(options.parent)
    out = os.open(options.out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    is_up = False
    with Subscription(options.endpoint, options.station, cursor=options.cursor) as subscription:
        while not stopped:
            message = subscription.receive(0.1)
            record = _record(message)
            if isinstance(message, Heartbeat) and not is_up:
                is_up, record = True, Up(os.getpid())
            if record is not None:
                os.write(out, msgspec.json.encode(record) + b"\n")
    return 0


def _record(message: object) -> Record | None:
    match message:
        case Result():
            return Got(message.session, message.seq, message.trigger_number, time.monotonic_ns(), os.getpid())
        case Gap(session, first, last):
            return Told(session, first, last, os.getpid())
        case _:
            return None


if __name__ == "__main__":
    sys.exit(main())
