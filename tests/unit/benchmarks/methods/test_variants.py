import dataclasses

import pytest

from benchmarks.methods.sets import FULL, QUICK
from benchmarks.methods.variants import QUICK_VARIANTS, chosen, read_variants, setting_text, trainings, trials
from pipeline.errors import ConfigError


def test_every_variant_is_a_method_that_can_be_trained() -> None:
    for sets in (FULL, QUICK):
        for variant in read_variants():
            settings = range(len(variant.tried)) if variant.tried else [None]
            for setting in settings:
                for training in trainings(variant, sets, setting):
                    is_whole = sets is FULL or training.method.cascade is not None
                    assert (training.method.refine is not None) is is_whole
                    assert (training.method.shape is not None) is is_whole
            assert all(training.method.refine is None for training in trials(variant, sets))


def test_what_is_compared_differs_in_what_it_says() -> None:
    by_name = {variant.name: trainings(variant, FULL, 0 if variant.tried else None)[0] for variant in read_variants()}
    assert by_name["pooling"].method.coarse.head == "pooling"
    assert by_name["s2-no-branch"].method.coarse.template.second_branch is False
    assert by_name["s2-no-branch"].method.coarse.template.prior is True
    together = by_name["s2-rectify-cascade"].method
    assert (together.coarse.rectify, together.coarse.network) == (True, "template")
    assert together.cascade is not None
    digests = {training.digest for training in by_name.values()}
    assert len(digests) == len(by_name)


def test_both_sides_of_the_comparison_have_as_many_settings() -> None:
    by_name = {variant.name: variant for variant in read_variants()}
    assert len(by_name["s1"].tried) == len(by_name["pooling"].tried) > 1
    assert by_name["s1"].seeds == by_name["pooling"].seeds == by_name["best"].seeds == (0, 1, 2)


def test_a_digest_is_of_the_method_the_seed_and_the_sets() -> None:
    variant = next(one for one in read_variants() if one.name == "s1")
    first, second = trainings(variant, FULL, 1)[:2]
    assert first.method.seed == 0
    assert second.method.seed == 1
    assert first.digest != second.digest
    assert first.digest == trainings(variant, FULL, 1)[0].digest
    assert first.digest != trainings(variant, FULL, 2)[0].digest
    assert first.digest != dataclasses.replace(first, sets=QUICK).digest


def test_long_variants_are_trained_only_by_name() -> None:
    variants = read_variants()
    assert "best" not in [one.name for one in chosen(variants, [], quick=False)]
    assert [one.name for one in chosen(variants, ["best"], quick=False)] == ["best"]
    assert tuple(one.name for one in chosen(variants, [], quick=True)) == QUICK_VARIANTS
    with pytest.raises(ConfigError, match="--only is 'nothing'"):
        chosen(variants, ["nothing"], quick=False)


def test_a_setting_is_told_in_words() -> None:
    variant = next(one for one in read_variants() if one.name == "s1")
    assert setting_text(variant, 0) == "learning_rate 0.001, compressed 32"
