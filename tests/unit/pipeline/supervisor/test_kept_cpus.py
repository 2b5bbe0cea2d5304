"""Processors that are kept for inference."""

import os

import pytest

from pipeline.errors import ConfigError
from pipeline.supervisor.kept_cpus import KeptCpus, kept_cpus


def test_all_processors_are_either_for_inference_or_for_the_others() -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) == 1:
        pytest.skip("this machine gives one processor: there is nothing to divide")
    kept = kept_cpus([max(allowed)])
    assert kept.of("infer") == {max(allowed)}
    assert kept.of("ledger") == allowed - {max(allowed)}


def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    assert kept_cpus([]) == KeptCpus()
    assert not kept_cpus([]).of("infer")


def test_processors_that_are_not_there_and_all_that_there_are_are_refused() -> None:
    allowed = sorted(os.sched_getaffinity(0))
    with pytest.raises(ConfigError, match="no such processor"):
        kept_cpus([allowed[-1] + 1])
    with pytest.raises(ConfigError, match="leaves no processor for cameras"):
        kept_cpus(allowed)
