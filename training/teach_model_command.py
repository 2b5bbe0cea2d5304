"""``datumd train --method teach``: the part of the command that S5 needs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.errors import ConfigError, DatumdError

TEACH = "teach"
EPILOG = """
Teaching from one example (S5):
  teach            a language model that is shown a point, or told of it, and answers in words and a position; it learns on parts
                   that are drawn by chance and needs no images. `datumd teach` and `datumd ask` use it

  datumd train --method teach --llm DIR --out models/teach

--llm DIR is any local Hugging Face folder of a causal language model, or a folder with a GGUF file; --vision DIR one of a vision
backbone, in place of a small encoder that is trained from nothing. Nothing is ever fetched.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what S5 needs."""
    group = parser.add_argument_group("teaching from one example")
    group.add_argument("--llm", metavar="DIR", type=Path, help="folder of the language model")
    group.add_argument("--vision", metavar="DIR", type=Path, help="folder of a vision backbone, which stays frozen")


def refuse(args: argparse.Namespace) -> None:
    """Raise ConfigError for arguments that belong to S5 alone."""
    for name in ("llm", "vision"):
        if getattr(args, name):
            raise ConfigError(f"--{name} belongs to teaching from one example", allowed=f"--method {TEACH}")


def run(args: argparse.Namespace) -> int:
    """Train S5.

    Raises:
        DatumdError: a file or an argument cannot be used, or the extra `train` is not installed.
    """
    for name in ("coco", "images", "sam", "masks", "near_numbers"):
        if getattr(args, name):
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} is given, and {TEACH} draws what it learns from", allowed="--llm, --vision")
    if args.llm is None:
        raise ConfigError("--llm is missing", allowed="the folder of a causal language model")
    try:
        import cv2
        import gguf  # noqa: F401 - so that one line says what is missing
        import msgspec
        import peft  # noqa: F401
        import torch

        from training.teach.teach_method import load_teach_method
        from training.teach.teaching import TeachRun, teach
    except ModuleNotFoundError as problem:
        raise DatumdError(
            f"training needs {problem.name}, which is not installed", next_command="pip install 'datumd[train]'"
        ) from None
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    method = load_teach_method(args.file or Path(__file__).with_name("methods") / f"{TEACH}.toml")
    if args.seed is not None:
        method = msgspec.structs.replace(method, seed=args.seed)
    work = args.work or args.out.with_name(f"{args.out.name}.training")
    teach(TeachRun(method, args.llm, args.vision, args.out, work, args.resume, _say, init=args.init))
    _say(f"next: datumd teach IMAGES --support IMAGE --points points.json --model {args.out} --out DIR")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
