"""The count of a domain: which numbers are believed, which are owed, and who counts along."""

from pipeline.ledger.account import Account
from pipeline.ledger.triggers import FURTHEST_APART, LATE_IN_A_ROW, Domain, Heard

STEP = 10_000


def domain(cameras: str = "a", account: Account | None = None) -> Domain:
    return Domain("", list(cameras), account, STEP, 0)


def begun(cameras: str = "a", at: int = 100) -> Domain:
    one = domain(cameras)
    for camera in cameras:
        assert one.hear(camera, at, is_baseline=True) is Heard.believed
    return one


def test_nothing_is_owed_of_before_the_count_began() -> None:
    one = begun()
    assert (one.highest, one.is_answered(100), one.is_answered(101)) == (100, True, False)


def test_an_account_says_what_is_answered_beyond_a_gap_and_is_taken_up_again() -> None:
    one = begun()
    one.highest = 104
    one.answer(102, is_excused=False)
    one.answer(104, is_excused=False)
    account = one.account()
    assert (account.through, account.beyond, account.highest) == (100, (102, 104), 104)
    again = domain(account=account)
    assert again.opened_before() == range(101, 105)
    assert [again.is_answered(number) for number in (101, 102, 103, 104)] == [False, True, False, True]
    again.answer(101, is_excused=False)
    assert again.account().through == 102


def test_one_number_that_is_far_off_is_forgotten_with_the_next() -> None:
    for wrong in (102 + STEP, 2**60, 7):
        one = begun()
        one.hear("a", 101, is_frame=True)
        assert one.hear("a", wrong, is_frame=True) is Heard.held
        assert one.astray() == ["a"]
        assert one.hear("a", 103, is_frame=True) is Heard.believed
        assert (one.astray(), list(one.skipped)) == ([], [])


def test_a_jump_is_believed_when_the_next_number_confirms_it() -> None:
    one = begun()
    assert one.hear("a", 50_000) is Heard.held
    assert one.hear("a", 50_000) is Heard.believed
    assert (list(one.skipped), one.highest) == ([range(101, 50_001)], 50_000)


def test_frames_do_not_clear_a_jump_of_the_counter_that_they_lag_behind() -> None:
    one = begun()
    one.hear("a", 50_000)
    assert one.hear("a", 101, is_frame=True) is Heard.believed
    assert one.astray() == ["a"]
    assert one.hear("a", 50_001) is Heard.believed
    assert list(one.skipped) == [range(101, 50_001)]


def test_two_frames_of_one_number_confirm_nothing() -> None:
    one = begun()
    one.hear("a", 101, is_frame=True)
    assert [one.hear("a", 2**40, is_frame=True) for _ in range(3)] == [Heard.held] * 3


def test_a_counter_that_is_told_again_to_a_new_ledger_may_be_older_than_the_frames() -> None:
    one = domain(account=Account(through=108, delivered={"a": 108}))
    one.cameras["a"].is_back = True
    assert one.hear("a", 105) is Heard.held
    assert one.astray() == []
    assert one.hear("a", 109, is_frame=True) is Heard.believed


def test_a_reset_that_no_ledger_saw_is_recognised_by_two_frames() -> None:
    one = domain(account=Account(through=500, delivered={"a": 500}, part_ids={501: "x"}))
    one.cameras["a"].is_in_order = True
    assert one.hear("a", 1, is_frame=True) is Heard.held
    assert one.hear("a", 2, is_frame=True) is Heard.restarts
    one.restart()
    assert (one.count, one.highest, one.part_ids) == (1, 0, {})
    assert one.hear("a", 2, is_frame=True) is Heard.believed


def test_cameras_that_start_far_apart_are_reported_and_owe_nothing_between() -> None:
    low_first, high_first = domain("ab"), domain("ab")
    low_first.hear("a", 37, is_baseline=True)
    assert low_first.hear("b", 1_000_000, is_baseline=True) is Heard.restarts
    low_first.restart()
    assert low_first.hear("b", 1_000_000) is Heard.believed
    high_first.hear("b", 1_000_000, is_baseline=True)
    assert high_first.hear("a", 37, is_baseline=True) is Heard.astray
    for one in (low_first, high_first):
        assert (one.highest, one.astray(), list(one.skipped)) == (1_000_000, ["a"], [])


def test_cameras_that_are_armed_one_after_the_other_are_not_apart() -> None:
    one = domain("ab")
    one.hear("a", 10, is_baseline=True)
    assert one.hear("b", 10 + FURTHEST_APART, is_baseline=True) is Heard.believed
    assert one.astray() == []


def test_a_camera_whose_frames_are_late_in_a_row_is_astray_unless_it_is_the_only_one_that_counts() -> None:
    alone, one = begun("a"), begun("ab")
    for number in range(101, 101 + LATE_IN_A_ROW):
        for domain_ in (alone, one):
            domain_.hear("a", number, is_frame=True)
        late = one.late("a", number, 0)
        assert alone.late("a", number, 0) is Heard.believed
    assert late is Heard.astray
    assert (alone.astray(), one.astray()) == ([], ["a"])


def test_frames_of_triggers_that_were_answered_early_lead_nobody_astray() -> None:
    one = begun("ab")
    for number in range(101, 110):
        one.hear("a", number, is_frame=True)
        one.answer(number, is_excused=True)
        assert one.late("a", number, 0) is Heard.believed
    assert one.astray() == []


def test_a_reset_camera_goes_on_alone_when_the_others_are_silent() -> None:
    one = begun("ab")
    one.hear("b", 101)
    assert one.hear("a", 0, is_baseline=True) is Heard.astray
    heard = [Heard.held]
    for number in range(1, LATE_IN_A_ROW + 1):
        assert one.hear("a", number, is_frame=True) is Heard.astray
        heard.append(one.late("a", number, 0))
    assert heard[-1] is Heard.restarts
    one.restart()
    assert (one.highest, one.astray()) == (0, ["b"])  # 1 to 3 were counted by nobody else: they are owed


def test_what_the_others_counted_meanwhile_is_not_owed_again() -> None:
    one = begun("ab")
    one.hear("a", 0, is_baseline=True)
    one.hear("a", 5)
    one.hear("b", 105)
    assert one.hear("b", 0, is_baseline=True) is Heard.restarts
    one.restart()
    assert (one.highest, one.astray()) == (5, [])


def test_after_a_resynchronise_all_cameras_count_the_same_triggers() -> None:
    one = begun("ab")
    one.hear("a", 0, is_baseline=True)
    one.hear("a", 3)
    one.part_ids[104] = "x"
    one.hear("b", 103)
    one.highest = 103
    one.resynchronise()
    assert (one.astray(), one.number("a", 4), one.number("b", 104), one.part_ids) == ([], 104, 104, {})
    again = domain("ab", one.account())
    assert again.number("a", 4) == 104


def test_a_camera_that_is_reset_loses_its_offset() -> None:
    one = domain("ab", Account(through=100, offsets={"a": 90}))
    one.hear("a", 0, is_baseline=True)
    one.hear("b", 0, is_baseline=True)
    one.restart()
    assert (one.number("a", 1), one.number("b", 1)) == (1, 1)


def test_counters_that_agree_at_rest_have_met() -> None:
    one = begun("ab")
    for number in range(101, 104):
        one.hear("a", number, is_frame=True)
        one.late("a", number, 0)
    one.hear("b", 103)
    one.highest = 103
    assert one.astray() == ["a"]
    one.rest()
    assert one.astray() == []


def test_a_camera_that_skipped_a_trigger_keeps_the_numbers_of_its_frames_of_before() -> None:
    one = begun("ab")
    one.hear("b", 102, is_frame=True)
    one.skip("b", 103)
    again = domain("ab", one.account())
    for known in (one, again):
        assert [known.number("b", reading, is_frame=True) for reading in (101, 102, 103)] == [101, 102, 104]
        # Its counter stands there now, after the trigger that it skipped.
        assert (known.number("b", 101), known.number("b", 102)) == (101, 103)


def test_frames_that_are_late_in_a_new_ledger_are_no_reset() -> None:
    account = Account(through=8, delivered={"a": 6})
    for is_in_order in (False, True):  # found in the ring; told by the worker
        one = domain(account=account)
        one.cameras["a"].is_in_order = is_in_order
        assert [one.hear("a", number, is_frame=True) for number in (7, 8)] == [Heard.believed] * 2
