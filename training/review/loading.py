"""A trained teacher from its folder."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import DataError, DatumdError
from training.teach.proposal import FindsKeypoints

TRAIN = "datumd train --method teach --llm DIR --out models/teach"


def load_teacher(folder: Path, threads: int) -> FindsKeypoints:
    """Load it.

    Raises:
        DatumdError: there is no such folder, no teacher in it, or the extra `train` is not installed.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", where=f"--model: {folder}", next_command=TRAIN)
    try:
        from training.teach.teacher import Teacher  # noqa: PLC0415 - torch and transformers take seconds
    except ModuleNotFoundError as problem:
        raise DatumdError(
            f"a teacher needs {problem.name}, which is not installed", next_command="pip install 'datumd[train]'"
        ) from None
    return Teacher.load(folder, threads=threads)
