"""Runs trainings, each in a process forked from this one, which has torch loaded: to load it takes longer than they do.

A line of standard input is a JSON list. ["start", LOG, ARGUMENT…] begins `datumd train ARGUMENT…`, its lines in LOG, and answers
its process id; ["wait", PID] waits for its end and answers how it ended, as `subprocess` tells it. It ends with its input.
"""

import importlib
import json
import os
import sys

from pipeline.cli import main

LOADED = ("training.train", "onnxscript", "matplotlib.figure")


def started(log: str, *arguments: str) -> int:
    """The process id of a training that writes its lines to `log`."""
    process = os.fork()
    if process:
        return process
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), sys.stdout.fileno())
    os._exit(main(["train", *arguments]))


def serve() -> None:
    """Until the input ends."""
    for module in LOADED:
        importlib.import_module(module)
    for line in sys.stdin:
        what, *words = json.loads(line)
        answer = started(*words) if what == "start" else os.waitstatus_to_exitcode(os.waitpid(words[0], 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
