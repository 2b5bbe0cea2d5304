"""Why a trigger has no measured answer: the loss kinds, which are also reason codes."""

from enum import StrEnum


class LossKind(StrEnum):
    """A loss is itself a result: FAILED, UNDEFINED, with one of these as its reason."""

    incomplete = "incomplete"
    lost_transport = "lost_transport"
    lost_buffer = "lost_buffer"
    overrun = "overrun"
    stale = "stale"
    view_missing = "view_missing"
    deadline = "deadline"
    worker_died = "worker_died"
    lost_while_down = "lost_while_down"
    daemon_restarted = "daemon_restarted"
    trigger_mismatch = "trigger_mismatch"
    not_triggered = "not_triggered"
    stopped = "stopped"


LOSS_KINDS: tuple[LossKind, ...] = tuple(LossKind)
