"""One way into the product that hostile bytes can take."""

import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DatumdError

CORPUS = Path(__file__).parent / "corpus"
LONGEST_LINE = 4000


@dataclass(frozen=True, slots=True)
class Target:
    """What is fed with bytes.

    Attributes:
        name: also that of its folder in the corpus.
        execute: takes the bytes; what it returns is a summary of what happened, and inputs with a new one are kept to be
            changed further. It raises for a defect alone: the errors that are documented are its own to catch.
        vary: makes another input from one of the corpus that keeps its structure; None where there is none to keep.
    """

    name: str
    execute: Callable[[bytes], Hashable]
    vary: Callable[[bytes, random.Random], bytes] | None = None

    def corpus(self) -> list[bytes]:
        """The inputs to begin with, in the order of their names."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())]


def refused(error: DatumdError) -> Hashable:
    """The summary of an input that was refused as it should be: in one line of bounded length."""
    line = str(error)
    assert "\n" not in line, f"more than one line: {line[:200]!r}"
    assert len(line) < LONGEST_LINE, f"a line of {len(line)} characters: {line[:200]!r}"
    words = [word for word in error.what.split() if word.isalpha() and word.isascii()]
    return type(error).__name__, *words[:6]
