"""The processors that a station keeps for inference (`infer.cpus`): nothing else of the daemon runs there.

Who sends a message often loses its processor to the one that is woken by it. Inference would wait between two parts for the
ledger to answer the first one.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass

from pipeline.errors import ConfigError


@dataclass(frozen=True, slots=True)
class KeptCpus:
    """Numbers of processors; both are empty where none are kept, and the kernel decides alone."""

    infer: frozenset[int] = frozenset()
    others: frozenset[int] = frozenset()

    def of(self, kind: str) -> frozenset[int]:
        """Those of a process of this kind, such as `infer`."""
        return self.infer if kind == "infer" else self.others


def kept_cpus(wanted: Collection[int]) -> KeptCpus:
    """Divide the processors that this process may use. Raises ConfigError where that cannot be."""
    if not wanted:
        return KeptCpus()
    allowed = os.sched_getaffinity(0)
    numbers = ", ".join(map(str, sorted(allowed)))
    where = f"infer.cpus = {sorted(wanted)}"
    if not allowed.issuperset(wanted):
        raise ConfigError("there is no such processor for this daemon", where=where, allowed=f"some of {numbers}")
    if not allowed.difference(wanted):
        raise ConfigError(
            "leaves no processor for cameras and ledger", where=where, allowed=f"some of {numbers}, but not all"
        )
    return KeptCpus(frozenset(wanted), frozenset(allowed.difference(wanted)))
