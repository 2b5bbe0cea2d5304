from pipeline.workers.repeated_log import AGAIN_NS, RepeatedLog


def test_the_same_is_said_once_in_ten_minutes_and_news_at_once() -> None:
    said: list[str] = []
    now = [0]
    log = RepeatedLog(said.append, lambda: now[0])
    for minute in range(21):
        now[0] = minute * AGAIN_NS // 10
        log.tell("no cable")
    assert said == ["no cable", *["no cable (and 9 times before, since it was last said)"] * 2]
    log.tell("wrong format")
    log.tell("no cable")
    assert said[3:] == ["wrong format", "no cable"]
    log.over()
    log.tell("no cable")
    assert said[5:] == ["no cable"]
