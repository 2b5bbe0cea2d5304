"""What a chaos run prints: one table, and for each fault the first that it concerns, with all that is known of them."""

import math
from collections.abc import Iterator

from benchmarks.chaos.reckoning import pictures_of
from benchmarks.chaos.run import Run
from benchmarks.report import table_text

NAMED = 5  # of each fault
NEAR_NS = 5_000_000_000


def text(run: Run) -> str:
    """The whole report."""
    settings = run.settings
    title = (
        f"{len(run.edges)} triggers of two views at {settings.rate_hz:g} Hz, {len(run.strikes)} kills, "
        f"seed {settings.seed}, {run.seconds:.0f} s"
    )
    blocks = [title, _account(run), _outcomes(run), _recovery(run)]
    if run.ended_by_itself:
        blocks.append("ended though nobody killed it:\n" + "\n".join(run.ended_by_itself))
    if run.not_resynchronised:
        blocks.append("what the station said instead:\n" + "\n".join(run.not_resynchronised))
    blocks += list(_explanations(run))
    return "\n\n".join(blocks)


def is_good(run: Run) -> bool:
    """Whether the run holds what it must show."""
    is_whole = len(run.strikes) >= run.settings.kills and not run.not_resynchronised
    return run.reckoning.is_good and not run.chooser_fault and is_whole


def _account(run: Run) -> str:
    reckoning = run.reckoning
    rows: list[tuple[str, str | float]] = [(kind, str(len(found))) for kind, found in reckoning.faults().items()]
    refused = sum(bool(selection.error) for selection in run.selections)
    rows += [
        ("kills asked for, but not carried out", str(run.settings.kills - len(run.strikes))),
        ("cameras that could not be resynchronised", str(len(run.not_resynchronised))),
        ("(resynchronised after a loss of power)", str(run.resynchronised)),
        ("(part ids absent)", str(reckoning.absent_ids)),
        ("(gaps told to the subscriber)", str(reckoning.gaps_told)),
        ("(given twice, as it was killed with it in hand)", str(reckoning.in_hand)),
        ("(starts of the daemon, of the subscriber)", f"{run.daemon_starts}, {run.subscriber_starts}"),
        ("(sessions of the ledger)", str(len({answer.session for answer in run.answers}))),
        ("(recipes selected, requests that failed)", f"{len(run.selections) - refused}, {refused}"),
    ]
    if run.chooser_fault:
        rows.append(("a request ended without a typed error", run.chooser_fault))
    return table_text(["must be 0, but for (…)", "found"], rows)


def _outcomes(run: Run) -> str:
    total = sum(run.reckoning.outcomes.values())
    rows = [(name, str(count), f"{count / total:.2%}") for name, count in run.reckoning.outcomes.most_common()]
    return table_text(["answer", "count", "share"], rows)


def _recovery(run: Run) -> str:
    """Kills that came alone show what one costs; the last column has those that met others as well."""
    columns = ["ms to the first", "kills", "alone", "answer p50", "max", "verdict p50", "max", "answer max of all"]
    rows = []
    for found in run.recoveries:
        alone = (found.answer_p50_ms, found.answer_max_ms, found.verdict_p50_ms, found.verdict_max_ms)
        cells = ["-" if math.isnan(value) else f"{value:.0f}" for value in (*alone, found.any_answer_max_ms)]
        rows.append((f"{found.how} {found.target}", str(found.count), str(found.alone), *cells))
    return table_text(columns, rows)


def _explanations(run: Run) -> Iterator[str]:
    for kind, found in run.reckoning.faults().items():
        if found:
            more = f" (the first {NAMED} of {len(found)})" if len(found) > NAMED else ""
            yield "\n".join([f"{kind}{more}:", *(_explained(run, item) for item in found[:NAMED])])


def _explained(run: Run, item: object) -> str:
    """A trigger number or the (session, seq) of a result, with what happened around it."""
    if isinstance(item, int):
        answers = [answer for answer in run.answers if answer.trigger == item]
        number: int | None = item
    elif isinstance(item, tuple):
        answers = [answer for answer in run.answers if answer.place == item]
        number = answers[0].trigger if answers else None
    else:
        return f"  {item}"
    edge = next((edge for edge in run.edges if edge.trigger_number == number), None)
    words = [f"  {item}:"]
    if edge is None:
        return f"{words[0]} of no edge of the line"
    start_ns = run.edges[0].monotonic_ns
    words[0] += f" trigger {number}, {edge.part_id or 'an extra edge'}, {(edge.monotonic_ns - start_ns) / 1e9:.3f} s"
    words[0] += f", picture {pictures_of(run.edges)[edge.trigger_number]}, faults {edge.faults or 'none'}"
    words += [f"    journal: {answer} at {(answer.answered_ns - start_ns) / 1e9:.3f} s" for answer in answers]
    if not answers:
        near = [answer for answer in run.answers if abs((answer.trigger or 0) - (number or 0)) <= 2]
        words += [
            f"    journal, beside it: {answer} at {(answer.answered_ns - start_ns) / 1e9:.3f} s" for answer in near
        ]
    words += [
        f"    {(strike.at_ns - edge.monotonic_ns) / 1e9:+.3f} s: {strike}"
        for strike in run.strikes
        if abs(strike.at_ns - edge.monotonic_ns) < NEAR_NS
    ]
    return "\n".join(words)
