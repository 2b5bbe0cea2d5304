"""The variants as data: `variants.toml` says what each changes of `base.toml`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from benchmarks.methods.sets import QUICK, Sets
from pipeline import toml_file
from pipeline.errors import ConfigError
from training.method import Method

VERSION = 1  # of what a figure means: raised when training or evaluation changes so much that old rows mean nothing
HERE = Path(__file__).parent
Plain = dict[str, Any]
QUICK_CHANGE: Plain = {
    "coarse": {"steps": 12, "batch": 4},
    "refine": {"steps": 8, "frames": 2, "spans_px": [144.0]},
    "split": {"calibration": 0.25, "validation": 0.1},
}
QUICK_VARIANTS = ("heatmap", "pooling", "s1-flow", "s2-rectify-cascade")


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One network or combination of networks that the table compares.

    Attributes:
        change: what differs from the base, merged into it key by key.
        tried: settings that are each trained without refinement; the best on the validation parts is taken.
        long: trained only when it is named; tested on the final sets as well.
    """

    name: str
    title: str
    change: Plain = {}
    seeds: Annotated[tuple[int, ...], msgspec.Meta(min_length=1)] = (0,)
    tried: tuple[Plain, ...] = ()
    long: bool = False


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    variant: list[Variant]


@dataclass(frozen=True, slots=True)
class Training:
    """One training: its place in the results, and all that decides what comes out.

    Attributes:
        key: "VARIANT/SEED", or "VARIANT/tried/INDEX".
        plain: the method as the files give it, without defaults.
    """

    key: str
    plain: Plain
    sets: Sets

    @property
    def method(self) -> Method:
        """The method, defaults filled in."""
        return msgspec.convert(self.plain, Method)

    @property
    def digest(self) -> str:
        """Of everything that decides the result; a default that is changed in the code asks for another VERSION."""
        trained_on = [
            (one.count, one.seed, one.occlusion) for one in (*self.sets.train, self.sets.ordinary, self.sets.heavy)
        ]
        text = msgspec.json.encode((VERSION, self.plain, trained_on), order="deterministic")
        return hashlib.sha256(text).hexdigest()[:16]


def read_variants() -> list[Variant]:
    """All of them, in the order of the table.

    Raises:
        ConfigError: the file cannot be used, or a name is used twice.
    """
    variants = toml_file.read(HERE / "variants.toml", _File, ConfigError).variant
    names = [variant.name for variant in variants]
    if len(set(names)) != len(names):
        raise ConfigError("a name is used twice", where=str(HERE / "variants.toml"))
    return variants


def chosen(variants: Sequence[Variant], only: Sequence[str], *, quick: bool) -> list[Variant]:
    """What one call trains: those named; without names all but the long ones, and with ``quick`` a few.

    Raises:
        ConfigError: there is no variant of a name.
    """
    known = {variant.name: variant for variant in variants}
    for name in only:
        if name not in known:
            raise ConfigError(f"--only is {name!r}", allowed=", ".join(known))
    if only:
        return [known[name] for name in only]
    return [known[name] for name in QUICK_VARIANTS] if quick else [each for each in variants if not each.long]


def trials(variant: Variant, sets: Sets) -> list[Training]:
    """The trainings that a variant's setting is chosen by; none where it has no choice."""
    plain = _changed(variant, sets)
    for part in ("refine", "shape"):
        plain.pop(part, None)
    tried = variant.tried[:1] if sets is QUICK else variant.tried
    return [Training(f"{variant.name}/tried/{index}", merged(plain, one), sets) for index, one in enumerate(tried)]


def trainings(variant: Variant, sets: Sets, setting: int | None) -> list[Training]:
    """One training for each seed; ``setting`` is the index into ``tried`` that was found best."""
    plain = _changed(variant, sets)
    if setting is not None:
        plain = merged(plain, variant.tried[setting])
    seeds = variant.seeds[:1] if sets is QUICK else variant.seeds
    return [Training(f"{variant.name}/{seed}", merged(plain, {"seed": seed}), sets) for seed in seeds]


def setting_text(variant: Variant, index: int) -> str:
    """One setting that was tried, in words."""
    return ", ".join(f"{key} {value:g}" for key, value in _leaves(variant.tried[index]))


def _changed(variant: Variant, sets: Sets) -> Plain:
    plain = merged(msgspec.toml.decode((HERE / "base.toml").read_bytes()), variant.change)
    if sets is QUICK:
        plain = merged(plain, QUICK_CHANGE)
        if "cascade" in plain:
            plain = merged(plain, {"cascade": QUICK_CHANGE["coarse"]})
        else:  # refinement is tried once: most of the time goes into writing networks, not into training them
            del plain["refine"], plain["shape"]
    return plain


def merged(base: Plain, change: Plain) -> Plain:
    """A copy of ``base`` with the values of ``change``; tables are merged."""
    both = {key: merged(value, {}) if isinstance(value, dict) else value for key, value in base.items()}
    for key, value in change.items():
        old = both.get(key)
        both[key] = merged(old if isinstance(old, dict) else {}, value) if isinstance(value, dict) else value
    return both


def _leaves(plain: Plain) -> Iterator[tuple[str, Any]]:
    for key, value in plain.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield key, value
