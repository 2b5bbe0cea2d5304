"""The slots: none is granted while anybody may touch it."""

import pytest

from pipeline.frame import FrameInfo, PixelFormat
from pipeline.ledger.actions import Grant
from pipeline.ledger.slots import Slots, SlotState

FRAME = FrameInfo(8, 8, PixelFormat.Mono8, 1, 1, None, None, 0, 0)


def filled(slots: Slots) -> None:
    slots.welcome("a")
    assert list(slots.grant(1)) == [Grant("a", 0, 1)]
    assert slots.fill("a", 0, 1)


def test_a_slot_is_free_when_it_is_closed_released_and_held_no_more_in_any_order() -> None:
    for order in ("crh", "chr", "rch", "rhc", "hcr", "hrc"):
        slots = Slots([SlotState(0)])
        filled(slots)
        slots.read_by(0, "infer.0")
        slots.hold(0)
        ends = {
            "c": lambda slots=slots: slots.close(0),
            "r": lambda slots=slots: slots.release(0, 1, "infer.0"),
            "h": lambda slots=slots: slots.let_go(0),
        }
        for step in order:
            assert list(slots.grant(1)) == []
            ends[step]()
        assert list(slots.grant(1)) == [Grant("a", 0, 2)]


def test_a_release_of_another_worker_or_generation_frees_nothing() -> None:
    slots = Slots([SlotState(0)])
    filled(slots)
    slots.read_by(0, "infer.1")
    slots.close(0)
    slots.release(0, 1, "infer.0")
    slots.release(0, 2, "infer.1")
    assert list(slots.grant(1)) == []
    slots.release(0, 1, None)
    assert list(slots.grant(1)) == [Grant("a", 0, 2)]


def test_the_poorest_camera_is_served_first_and_one_that_is_gone_not_at_all() -> None:
    slots = Slots([SlotState(0)] * 4)
    slots.welcome("a")
    slots.welcome("b")
    slots.take_back("b")
    assert [grant.camera for grant in slots.grant(2)] == ["a", "a"]
    slots.welcome("b")
    assert [grant.camera for grant in slots.grant(2)] == ["b", "b"]
    assert slots.poorest(2) is None


def test_a_camera_that_is_being_scanned_is_given_nothing_and_keeps_what_it_has() -> None:
    slots = Slots([SlotState(0)] * 3)
    slots.welcome("a")
    list(slots.grant(1))
    slots.pause("a")
    assert list(slots.grant(2)) == []
    assert slots.granted("a") == [(0, 1)]
    assert slots.fill("a", 0, 1)


def test_a_new_ledger_knows_every_slot_as_it_was() -> None:
    states = [
        SlotState(5),
        SlotState(6, "a"),
        SlotState(7, "a", "infer.0", FRAME),
        SlotState(8, None, "infer.0"),
        SlotState(9, "b", None, FRAME),
    ]
    slots = Slots(states)
    assert slots.granted("a") == [(1, 6)]
    slots.welcome("b")
    assert list(slots.grant(9)) == [Grant("b", 0, 6)]
    slots.reader_gone("infer.0")
    assert list(slots.grant(9)) == [Grant("b", 3, 9)]
    slots.close(2)
    assert list(slots.grant(9)) == [Grant("b", 2, 8)]
    slots.welcome("a")
    assert list(slots.grant(1)) == [Grant("a", 1, 7)]


@pytest.mark.parametrize(("camera", "slot", "generation"), [("b", 0, 1), ("a", 0, 2), ("a", 1, 1)])
def test_only_what_was_granted_can_be_filled(camera: str, slot: int, generation: int) -> None:
    slots = Slots([SlotState(0)] * 2)
    slots.welcome("a")
    list(slots.grant(1))
    assert not slots.fill(camera, slot, generation)
