"""transformers and peft without their progress bars and notes to programmers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet() -> Iterator[None]:
    """What they print about their own loading and saving is no concern of a user; errors still are raised."""
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415 - slow to import

    logging: Any = transformers_logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
