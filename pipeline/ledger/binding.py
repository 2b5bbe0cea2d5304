"""Part ids that the line tells by trigger number."""

from collections.abc import Sequence

from pipeline.ledger.counting import Counting

MOST_BOUND = 1000  # part ids that may wait for their triggers


def bind(counting: Counting, parts: Sequence[tuple[int, str]]) -> str:
    """Bind all of these part ids, or none. Returns what is wrong, "" where nothing is."""
    if len(counting.domains) > 1:
        return "part ids cannot be bound where every frame is a part of its own"
    (domain,) = counting.domains.values()
    bound = dict(domain.part_ids)
    for number, part_id in parts:
        is_open = counting.parts.of_trigger(domain.name, number) is not None
        if domain.is_begun and number <= domain.highest and not is_open:
            return f"trigger {number} has been answered"
        if bound.setdefault(number, part_id) != part_id:
            return f"trigger {number} is bound to part {bound[number]!r} already"
    if len(bound) > MOST_BOUND:
        return f"at most {MOST_BOUND} part ids may wait for their triggers, these would be {len(bound)}"
    domain.part_ids = bound
    domain.is_changed = True
    return ""
