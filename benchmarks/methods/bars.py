"""The figures of the table that a bar is set for."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.methods.decodings import FIRST, FITTED, REFINED
from benchmarks.methods.schedule import Records, Standing, standing
from benchmarks.methods.sets import FINAL_HEAVY, FINAL_ORDINARY, ORDINARY, Sets
from benchmarks.methods.table import Row, Value
from benchmarks.methods.variants import Variant


def bars(variants: Sequence[Variant], sets: Sets, records: Records) -> dict[str, float]:
    """The figures that have a bar, as far as they were measured; over the seeds, their mean."""
    by_name = {variant.name: standing(variant, sets, records) for variant in variants}
    found: dict[str, float] = {}

    def put(name: str, values: Sequence[float]) -> None:
        if values:
            found[name] = statistics.mean(values)

    put("best_first_mean_px", _figures(by_name["best"], FIRST, FINAL_ORDINARY, lambda one: one.mean))
    for name, value in _BEST.items():
        put(f"best_{name}", _figures(by_name["best"], FITTED, FINAL_ORDINARY, value))
    put("heavy_occluded_off", _figures(by_name["best"], FITTED, FINAL_HEAVY, lambda one: one.occluded_off))
    put("heavy_gross_parts", _figures(by_name["best"], FITTED, FINAL_HEAVY, lambda one: one.gross_parts))
    fitted, plain = (
        _figures(by_name["best"], point, FINAL_HEAVY, lambda one: one.median) for point in (FITTED, REFINED)
    )
    if fitted and plain:
        found["heavy_median_over_no_prior"] = statistics.mean(fitted) / statistics.mean(plain)
    flat, linear, hidden = (_figures(by_name[name], FIRST, ORDINARY, lambda one: one.mean) for name in _HEADS)
    if flat and linear:
        found["flatten_gain_over_pooling"] = 1.0 - statistics.mean(flat) / statistics.mean(linear)
    if flat and hidden:
        found["flatten_gain_over_pooling_with_hidden_layer"] = 1.0 - statistics.mean(flat) / statistics.mean(hidden)
    return found


_HEADS = ("s1", "pooling-linear", "pooling")
_BEST: dict[str, Value] = {
    "median_px": lambda one: one.median,
    "mean_px": lambda one: one.mean,
    "p95_px": lambda one: one.p95,
    "p99_px": lambda one: one.p99,
    "within_1_px": lambda one: one.within_1_px,
    "over_true_start": lambda one: one.over_true_start,
    "auc": lambda one: one.auc,
    "auc_missing": lambda one: one.auc_missing,
    "false_accept": lambda one: one.false_accept,
    "false_accept_missing": lambda one: one.false_accept_missing,
    "within_1_sigma": lambda one: one.within_1_sigma,
    "within_2_sigma": lambda one: one.within_2_sigma,
}


def _figures(now: Standing, point: str, where: str, value: Value) -> list[float]:
    having = [record.decodings[point] for record in now.there if point in record.decodings]
    return Row("", tuple(having), 0.0).of(where, value)
