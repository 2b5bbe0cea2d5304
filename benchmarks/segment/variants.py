"""The rows as data: `variants.toml` says what each changes of the method that ships."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

import training
from benchmarks.methods.variants import merged
from benchmarks.segment.part_sets import SETS, Scale
from pipeline import toml_file
from pipeline.errors import ConfigError
from training.segment_method import SegmentMethod

VERSION = 1  # of what a figure means: raised when training or evaluation changes so much that old rows mean nothing
HERE = Path(__file__).parent
METHODS = Path(training.__file__).parent / "methods"
Plain = dict[str, Any]


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the table.

    Attributes:
        kind: "trained", or perfect prompts to the frozen SAM.
        method: the one that ships, by the name of its file.
        change: what differs from it, merged into it key by key.
        sets: where it is looked at.
    """

    name: str
    title: str
    kind: Literal["trained", "box", "point"] = "trained"
    method: str = "prompted_sam"
    change: Plain = {}
    sets: tuple[str, ...] = ("tiles",)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    variant: list[Variant]


@dataclass(frozen=True, slots=True)
class Training:
    """One row on one fold of one set."""

    variant: Variant
    set_name: str
    fold: int
    plain: Plain
    scale: Scale

    @property
    def key(self) -> str:
        """Its place in the results."""
        return f"{self.variant.name}/{self.set_name}/{self.fold}"

    @property
    def method(self) -> SegmentMethod:
        """The method, defaults filled in."""
        return msgspec.convert(self.plain, SegmentMethod)

    @property
    def digest(self) -> str:
        """Of all that decides the result but the weights of the frozen SAM, which the record names."""
        spec = SETS[self.set_name].spec(self.scale)
        text = msgspec.json.encode((VERSION, self.variant.kind, self.plain, spec, self.fold), order="deterministic")
        return hashlib.sha256(text).hexdigest()[:16]


def read_variants() -> list[Variant]:
    """All of them, in the order of the table.

    Raises:
        ConfigError: the file cannot be used, a name is used twice or a set is not known.
    """
    path = HERE / "variants.toml"
    variants = toml_file.read(path, _File, ConfigError).variant
    names = [variant.name for variant in variants]
    if len(set(names)) != len(names):
        raise ConfigError("a name is used twice", where=str(path))
    for variant in variants:
        for name in variant.sets:
            if name not in SETS:
                raise ConfigError(f"{variant.name} is looked at on {name!r}", where=str(path), allowed=", ".join(SETS))
    return variants


def trainings(
    variants: Sequence[Variant], scale: Scale, *, sets: Sequence[str] = (), folds: Sequence[int] = ()
) -> list[Training]:
    """What the table is made of: fold by fold, so that a run which is stopped has whole tables of fewer folds.

    Args:
        variants: the rows.
        scale: of the sets.
        sets: only these; all without.
        folds: only these; all without.
    """
    found = []
    for fold in range(max(one.folds(scale) for one in SETS.values())):
        for variant in variants:
            ships = msgspec.toml.decode((METHODS / f"{variant.method}.toml").read_bytes())
            plain = merged(merged(ships, scale.change), variant.change)
            for name in variant.sets:
                if (sets and name not in sets) or (folds and fold not in folds) or fold >= SETS[name].folds(scale):
                    continue
                found.append(Training(variant, name, fold, plain, scale))
    return found


def chosen(variants: Sequence[Variant], only: Sequence[str]) -> list[Variant]:
    """Those that are named; all without a name. Raises ConfigError for a name that is none."""
    known = {variant.name: variant for variant in variants}
    for name in only:
        if name not in known:
            raise ConfigError(f"--only is {name!r}", allowed=", ".join(known))
    return [known[name] for name in only] if only else list(variants)
