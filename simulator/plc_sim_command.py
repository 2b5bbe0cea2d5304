"""`datumd plc-sim`: plays the PLC at a Modbus bridge, with faults."""

from __future__ import annotations

import argparse
import random
import secrets
import signal

from pipeline.errors import ConfigError, DatumdError

DISAGREEMENT = 3


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "plc-sim",
        help="play the PLC at a Modbus bridge, with faults",
        description="Trigger parts at a running `datumd bridge modbus` as a PLC does, make the mistakes of PLC programs and "
        "networks, and count what became of each part. With --results the station's own results are held against it. Exit "
        "code: 0 all agree, 3 something does not, 2 the bridge is not there.",
        epilog="Example: datumd plc-sim --parts 500 --fault all --results tcp://127.0.0.1:5570",
    )
    parser.add_argument("address", nargs="?", default="127.0.0.1:1502", metavar="ADDRESS:PORT", help="(%(default)s)")
    parser.add_argument("--parts", type=int, default=100, metavar="N", help="parts that come by (%(default)s)")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        choices=("missed-ack", "early-trigger", "stale-read", "overrun", "reconnect", "all"),
        help="a fault to play, may be given again; default: none",
    )
    parser.add_argument("--share", type=float, default=0.1, help="share of parts that have a fault (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which parts have which fault (%(default)s)")
    parser.add_argument("--scan-ms", type=float, default=5.0, metavar="MS", help="time between two scans (%(default)g)")
    parser.add_argument(
        "--patience-ms", type=float, default=3000.0, metavar="MS", help="more than the bridge's window (%(default)g)"
    )
    parser.add_argument("--word-order", choices=("high_first", "low_first"), default="high_first")
    parser.add_argument("--results", metavar="ENDPOINT", help="the station's results, to compare with")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play."""
    from pipeline.addresses import split

    try:
        from simulator.plc.client import StationsOwn, play
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pymodbus":
            raise
        raise ConfigError(
            "pymodbus is not installed", where="plc-sim", next_command="pip install 'datumd[plc]'"
        ) from None
    from simulator.plc.program import Fault, PlcProgram

    try:
        address = split(args.address)
    except ValueError:
        raise ConfigError(f"{args.address!r} is no address", where="plc-sim", allowed="ADDRESS:PORT") from None
    if args.parts < 1 or not 0 <= args.share <= 1 or args.scan_ms < 0 or args.patience_ms <= 0:
        raise ConfigError(
            "nothing can be played so", where="plc-sim", allowed="--parts >= 1, --share 0 to 1, times >= 0"
        )
    faults = list(Fault) if "all" in args.fault else [Fault(each) for each in args.fault]
    random_ = random.Random(args.seed)  # noqa: S311 - a played line, no secret
    run_id = f"SIM{secrets.token_hex(3)}"
    program = PlcProgram(
        run_id,
        int(args.patience_ms * 1e6),
        lambda _: random_.choice(faults) if faults and random_.random() < args.share else None,
        args.word_order,
    )
    stopped = False

    def on_signal(*_: object) -> None:
        nonlocal stopped
        stopped = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    own = StationsOwn(args.results, run_id) if args.results else None
    try:
        heard = play(program, address, args.parts, args.scan_ms / 1000, lambda: stopped)
    finally:
        if own is not None:
            own.close()
    if not heard:
        raise DatumdError("nobody listens there", where=args.address, next_command="datumd bridge modbus")
    counts = program.counts
    disagreements = list(counts.disagreements)
    if own is not None:
        disagreements += [
            f"part {each} passed without its own OK" for each in counts.passed_ids if each not in own.passed
        ]
    print(f"parts      {sum(counts.ends.values())}")
    for how, count in sorted(counts.ends.items()):
        print(f"  {how:32} {count}")
    for fault, count in sorted(counts.faults.items()):
        print(f"  fault played: {fault:18} {count}")
    print(f"disagree   {len(disagreements)}")
    for each in disagreements:
        print(f"  {each}")
    return DISAGREEMENT if disagreements else 0
