"""What a log says while a broker is away."""

from __future__ import annotations

import logging

from streams.repeats import EVERY_S, Repeats


class Log:
    """Says what passes the filter, at a time that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._filter = Repeats("aiokafka", lambda: self.now_s)

    def says(self, name: str, words: str, *args: object) -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "", 0, words, args, None)
        return record.getMessage() if self._filter.filter(record) else None


def test_one_of_a_kind_is_told_and_later_how_many_were_not() -> None:
    log = Log()
    assert log.says("aiokafka", "Unable connect to node with id %s", 1) == "Unable connect to node with id 1"
    for node in (1, 2, 1):
        assert log.says("aiokafka", "Unable connect to node with id %s", node) is None
    log.now_s += EVERY_S
    told = log.says("aiokafka", "Unable connect to node with id %s", 2)
    assert told == "Unable connect to node with id 2 (3 more like it before)"
    log.now_s += EVERY_S
    assert log.says("aiokafka", "Unable connect to node with id %s", 3) == "Unable connect to node with id 3"


def test_other_words_and_the_same_of_another_logger_are_of_another_kind() -> None:
    log = Log()
    assert log.says("aiokafka", "Unable connect") is not None
    assert log.says("aiokafka", "Failed fetch") is not None
    assert log.says("aiokafka.conn", "Unable connect") is not None


def test_what_our_own_loggers_say_is_never_held_back() -> None:
    log = Log()
    for _ in range(3):
        assert log.says("streams.ingest", "starting anew") == "starting anew"
