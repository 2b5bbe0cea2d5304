"""Which trainings are there and which are missing; settings that were tried come before the variant that they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.methods.results import Record
from benchmarks.methods.sets import Sets
from benchmarks.methods.variants import Training, Variant, trainings, trials

Records = Mapping[str, Record]


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one variant.

    Attributes:
        setting: index of the setting that was found best; None where there is no choice, or it is not made yet.
        there: records of its seeds.
        missing: what is to be trained next.
        later: trainings whose setting is not known yet.
    """

    setting: int | None
    there: tuple[Record, ...]
    missing: tuple[Training, ...]
    later: int = 0


def standing(variant: Variant, sets: Sets, records: Records) -> Standing:
    """Where a variant stands: records of another digest are of an earlier configuration and do not count."""
    tried = trials(variant, sets)
    open_trials = tuple(one for one in tried if valid(one, records) is None)
    if open_trials:
        return Standing(None, (), open_trials, len(variant.seeds))
    setting = None
    if tried:
        setting = min(range(len(tried)), key=lambda index: records[tried[index].key].validation_px)
    own = trainings(variant, sets, setting)
    there = tuple(record for one in own if (record := valid(one, records)) is not None)
    return Standing(setting, there, tuple(one for one in own if valid(one, records) is None))


def valid(training: Training, records: Records) -> Record | None:
    """The record of a training, if it is of this very configuration."""
    record = records.get(training.key)
    return record if record is not None and record.digest == training.digest else None


def listed(variants: Sequence[Variant], sets: Sets, records: Records) -> str:
    """What is there and what is missing, one line a variant."""
    lines = []
    for variant in variants:
        now = standing(variant, sets, records)
        missing = ", ".join(training.key.removeprefix(f"{variant.name}/") for training in now.missing)
        state = f"{len(now.there)} of {len(now.there) + len(now.missing) + now.later} there"
        if now.later:
            state = f"0 of {now.later} there"
        note = " (only when it is named)" if variant.long else ""
        lines.append(f"{variant.name:22}{state:14}{f'to train: {missing}' if missing else ''}{note}".rstrip())
    return "\n".join(lines)
