"""`datumd demo`: a simulated line, its camera and a daemon that inspects every part; the job of `make run`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import DatumdError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help="inspect rendered parts on a simulated line",
        description="Start a simulated line with a GenICam camera over it and a daemon that inspects its parts; print one "
        "line a result, and at the end compare the answers with the line's own log. Ctrl-C ends it. The exit code is 0 only "
        "if every trigger was answered exactly once.",
        epilog="Example: datumd demo --triggers 200",
    )
    parser.add_argument(
        "--triggers", type=int, default=0, metavar="N", help="end after N triggers (default: Ctrl-C ends it)"
    )
    parser.add_argument(
        "--rate", type=float, default=10.0, metavar="HZ", help="triggers a second (default: %(default)g)"
    )
    parser.add_argument("--seed", type=int, default=1, help="which parts come by (default: %(default)s)")
    parser.add_argument("--synthetic", action="store_true", help="the in-process camera, as without a C compiler")
    parser.add_argument("--results", default="127.0.0.1:5570", metavar="HOST:PORT", help="where results are published")
    parser.add_argument("--metrics", default="127.0.0.1:9570", metavar="HOST:PORT", help="where metrics are served")
    parser.add_argument(
        "--page", default="127.0.0.1:8590", metavar="HOST:PORT", help="where the live page is served; none: no page"
    )
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw the first 20 parts that are not OK into DIR")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo."""
    from simulator.demo import Demo, DemoSettings

    if args.triggers < 0 or args.rate <= 0:
        raise DatumdError(f"--triggers {args.triggers} --rate {args.rate:g} is no line", allowed="N >= 0, HZ > 0")
    stop = False

    def on_signal(*_: object) -> None:
        nonlocal stop
        stop = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    page, page_text = _page(args.page)
    settings = DemoSettings(
        args.triggers, args.rate, args.seed, args.results, args.metrics, page, args.synthetic, args.pictures
    )
    with tempfile.TemporaryDirectory(prefix="datumd-demo-") as folder, Demo(Path(folder), settings) as demo:
        print(f"camera   {demo.camera_text}")
        demo.wait_until_ready(lambda: stop)
        print(f"results  tcp://{args.results}   (datumd listen tcp://{args.results})")
        print(f"metrics  http://{args.metrics}/metrics   health http://{args.metrics}/healthz")
        print(f"page     {page_text}")
        print("trigger  verdict       do     frame to answer  reasons, or what was measured", flush=True)
        demo.start_line()
        for text in demo.results(lambda: stop):
            print(text, flush=True)
        report, is_complete = demo.reconcile()
        print(report)
        if args.pictures:
            print(f"pictures of parts that are not OK: {demo.draw_pictures()} in {args.pictures}")
    sys.stdout.flush()
    return 0 if is_complete else 1


def _page(address: str) -> tuple[str, str]:
    """Where the page is served, "" for nowhere, and what is said of it."""
    if address == "none":
        return "", "not asked for"
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        return "", f"not served, {' and '.join(missing)} missing; next: pip install 'datumd[web]'"
    return address, f"http://{address}/"
