"""Frame ids, underruns and trigger numbers become losses, each told once."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.camera.genicam.account import BLOCK_IDS, FrameAccount
from pipeline.camera.source import Loss
from pipeline.loss import LossKind

INCOMPLETE, TRANSPORT, BUFFER = LossKind.incomplete, LossKind.lost_transport, LossKind.lost_buffer


def test_frames_in_order_lose_nothing() -> None:
    account = FrameAccount(4, 0)
    assert [account.complete(n, n + 10, 0) for n in range(5)] == [[]] * 5


def test_the_first_frame_of_a_run_reveals_nothing() -> None:
    assert FrameAccount(4, 7).complete(900, 41, 7) == []


def test_a_gap_is_lost_in_transport_with_its_trigger_numbers() -> None:
    account = FrameAccount(4, 0)
    account.complete(1, 11, 0)
    assert account.complete(4, 14, 0) == [Loss(TRANSPORT, 12, 2)]


def test_a_gap_that_does_not_agree_with_the_numbers_is_told_without_them() -> None:
    account = FrameAccount(4, 0)
    account.complete(1, 11, 0)
    assert account.complete(3, 14, 0) == [Loss(TRANSPORT, None, 1)]


def test_numbers_missing_without_a_gap_are_left_to_the_ledger() -> None:
    account = FrameAccount(4, 0)
    account.complete(1, 11, 0)
    assert account.complete(2, 13, 0) == []


def test_an_incomplete_frame_is_no_gap() -> None:
    account = FrameAccount(4, 0)
    account.complete(1, 11, 0)
    assert account.incomplete(2, None, 0) == [Loss(INCOMPLETE, None)]
    assert account.complete(3, 13, 0) == []


def test_an_incomplete_frame_without_an_id_is_the_next_one() -> None:
    account = FrameAccount(4, 0)
    account.complete(1, None, 0)
    account.incomplete(None, None, 0)
    assert account.complete(3, None, 0) == []


def test_the_counter_numbers_an_incomplete_frame_only_without_doubt() -> None:
    account = FrameAccount(4, 0)
    account.complete(1, 11, 0)
    assert account.number_if_last(2, 12) == 12
    assert account.number_if_last(2, 13) is None
    assert account.number_if_last(None, 12) is None


def test_underruns_wait_for_their_gap() -> None:
    account = FrameAccount(3, 0)
    account.complete(1, 11, 0)
    assert account.complete(2, 12, 2) == []
    assert account.complete(3, 13, 2) == []
    assert account.complete(6, 16, 2) == [Loss(BUFFER, 14, 2)]


def test_a_gap_larger_than_the_underruns_is_of_both_kinds() -> None:
    account = FrameAccount(3, 0)
    account.complete(1, 11, 0)
    assert account.complete(5, 15, 1) == [Loss(BUFFER, 12, 1), Loss(TRANSPORT, 13, 2)]


def test_underruns_of_a_quiet_camera_are_told_and_not_again_when_their_gap_shows() -> None:
    account = FrameAccount(3, 0)
    account.complete(1, 11, 0)
    assert account.quiet(2) == [Loss(BUFFER, None, 2)]
    assert account.quiet(2) == []
    assert account.complete(4, 14, 2) == []


def test_underruns_that_no_frame_id_counts_are_told_after_the_full_buffers() -> None:
    account = FrameAccount(2, 0)
    account.complete(1, None, 0)
    told = [account.complete(n, None, 3) for n in range(2, 6)]
    assert told == [[], [], [Loss(BUFFER, None, 3)], []]


def test_gige_block_ids_go_round_without_zero() -> None:
    account = FrameAccount(4, 0)
    account.complete(BLOCK_IDS - 1, None, 0)
    assert account.complete(BLOCK_IDS, None, 0) == []
    assert account.complete(1, None, 0) == []
    assert account.complete(3, None, 0) == [Loss(TRANSPORT, None, 1)]


def test_ids_that_begin_again_are_no_loss() -> None:
    account = FrameAccount(4, 0)
    account.complete(500, None, 0)
    assert account.complete(1, None, 0) == []


@given(st.lists(st.sampled_from(["frame", "drop", "incomplete", "underrun"]), max_size=60))
def test_frames_and_losses_add_up_to_what_was_exposed(fates: list[str]) -> None:
    account = FrameAccount(4, 0)
    account.complete(0, 100, 0)
    seen, underruns, losses = 0, 0, []
    for frame_id, fate in enumerate([*fates, "frame"], start=1):
        underruns += fate == "underrun"
        if fate == "frame":
            losses += account.complete(frame_id, 100 + frame_id, underruns)
            seen += 1
        elif fate == "incomplete":
            losses += account.incomplete(frame_id, 100 + frame_id, underruns)
    assert seen + sum(loss.count for loss in losses) == len(fates) + 1
    numbers = [loss.trigger_number + k for loss in losses if loss.trigger_number is not None for k in range(loss.count)]
    assert numbers == [101 + place for place, fate in enumerate(fates) if fate != "frame"]
