"""What every bridge is told: what it may wait for, and when it is to end."""

import argparse
import math
import signal
import threading


def positive(text: str) -> float:
    """A number above 0, for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r}, allowed: a number above 0")
    return number


def until_signal() -> threading.Event:
    """Set by SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
